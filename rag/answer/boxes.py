"""Where cited characters stand on the page: word boxes joined to one box a line. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rag.types import Box, Page

SAME_LINE = 0.5
"""Two words share a line when their heights overlap by this share of the lower one."""


def line_boxes(page: Page, start: int, end: int) -> tuple[Box, ...]:
    """Return the boxes of the characters ``start:end`` of a page, one a line, top to bottom.

    Points, origin top left. Empty where the format has no layout.
    """
    lines: list[Box] = []
    for word in page.boxes:
        if word.end <= start or word.start >= end:
            continue
        if lines and _same_line(lines[-1], word.box):
            lines[-1] = _around((lines[-1], word.box))
        else:
            lines.append(word.box)
    return tuple(lines)


def _same_line(line: Box, word: Box) -> bool:
    shared = min(line.y1, word.y1) - max(line.y0, word.y0)
    lower = min(line.y1 - line.y0, word.y1 - word.y0)
    return shared > SAME_LINE * lower


def _around(boxes: Iterable[Box]) -> Box:
    items = tuple(boxes)
    return Box(
        min(box.x0 for box in items),
        min(box.y0 for box in items),
        max(box.x1 for box in items),
        max(box.y1 for box in items),
    )
