"""Draws one page of a PDF with boxes over it. Runs inside the sandbox's child only.

The boxes are those of :class:`rag.types.Box`: points, origin top left of the page as shown; so a
picture at ``scale`` pixels a point has them at ``scale`` times their values.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import pypdfium2
from PIL import Image, ImageDraw

from ingest.parsers import PDF, detect
from rag.errors import BadFile

MOST_PIXELS = 4_000_000
"""A picture is made smaller rather than larger than this."""

_FILL = (255, 200, 0, 70)
_EDGE = (217, 119, 6, 255)
_MARGIN = 2.0


def draw(path: Path, number: int, scale: float, boxes: Sequence[Sequence[float]]) -> bytes:
    """Return a page as a PNG picture with boxes marked.

    Raises:
        BadFile: the file is no PDF, is damaged, or has no such page.
    """
    if detect(path, "") != PDF:
        raise BadFile("This document has no page pictures.", "Its text is shown instead.")
    try:
        document = pypdfium2.PdfDocument(path)
        if not 1 <= number <= len(document):
            raise BadFile(f"This document has no page {number}.", "Go back to its first page.")
        page = document[number - 1]
        width, height = page.get_size()
        scale = bounded(scale, width, height)
        image = page.render(scale=scale).to_pil().convert("RGB")
    except pypdfium2.PdfiumError as error:
        raise BadFile(
            "This page cannot be drawn: the PDF is damaged.", "Its text may still be there."
        ) from error
    if boxes:
        image = _marked(image, scale, boxes)
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def bounded(scale: float, width: float, height: float) -> float:
    """Return the scale, made smaller where the picture would have too many pixels."""
    most = math.sqrt(MOST_PIXELS / max(1.0, width * height))
    return max(0.01, min(scale, most))


def _marked(image: Image.Image, scale: float, boxes: Sequence[Sequence[float]]) -> Image.Image:
    layer = Image.new("RGBA", image.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    line = max(1, round(scale * 0.75))
    for x0, y0, x1, y1 in boxes:
        corners = (
            (x0 - _MARGIN) * scale, (y0 - _MARGIN) * scale,
            (x1 + _MARGIN) * scale, (y1 + _MARGIN) * scale,
        )  # fmt: skip
        pen.rounded_rectangle(corners, radius=2 * scale, fill=_FILL, outline=_EDGE, width=line)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")
