"""Where the characters of a PDF page stand on the page as it is shown.

Surprising: PDFium counts upwards from the bottom left of the *unrotated, uncropped* page; we give
points from the top left of the page as it is shown. It counts characters in units of UTF-16, so
emoji count twice, and it may leave characters out of the text. And a document has half a million
words: their boxes are a table from the start, never an object each.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from rag.types import HUNDREDTHS

Table = NDArray[np.int32]
"""Rows of start, end, x0, y0, x1, y1, as in :class:`rag.types.Boxes`."""

Numbers = NDArray[np.int64]
Corners = NDArray[np.float64]
"""Rows of left, bottom, right, top in the page's own space, or x0, y0, x1, y1 as shown."""

_TENTH = 10
_FARTHEST = 1_000_000.0
_NAME_BYTES = 96
_HEAVY = (b"bold", b"black", b"heavy")


class Place:
    """The characters of one page, in PDFium's order, and where they stand.

    ``text`` is PDFium's; ``width`` and ``height`` are the shown page's, in points.
    """

    def __init__(self, page: Any, text_page: Any, count: int) -> None:  # noqa: ANN401 - untyped
        self._text_page = text_page
        self.width = float(pdfium.FPDF_GetPageWidthF(page))
        self.height = float(pdfium.FPDF_GetPageHeightF(page))
        crop = pdfium.FS_RECTF()
        pdfium.FPDF_GetPageBoundingBox(page, crop)
        self._crop = (crop.left, crop.bottom, crop.right, crop.top)
        self._turn = int(pdfium.FPDFPage_GetRotation(page))
        buffer = (ctypes.c_ushort * (2 * count + 2))()
        written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
        raw = bytes(buffer)[: 2 * max(0, written - 1)]
        self.text = raw.decode("utf-16-le", "replace")
        self._whole = len(raw) // 2 == count
        self._units: Numbers | None = None
        if len(self.text) != len(raw) // 2:
            sizes = (1 + (char > "\uffff") for char in self.text)
            self._units = np.array(list(accumulate(sizes, initial=0)), np.int64)

    def boxes(self, spans: Numbers) -> tuple[Table, NDArray[np.bool_]]:
        """Return the box around each word, and which words are shown at all.

        Args:
            spans: shape (count, 2), a word's start and end in ``text``, never empty.

        Returns:
            Boxes of shape (count, 4): x0, y0, x1, y1 in hundredths of a point, exact to a tenth,
            with an inside where shown and without meaning where not. And shape (count,): shown.
        """
        numbers, places = np.unique(
            self._numbers(np.concatenate([spans[:, 0], spans[:, 1] - 1])), return_inverse=True
        )
        ends = self._characters(numbers)[places]
        first, last = ends[: len(spans)], ends[len(spans) :]
        x0, y0, x1, y1 = self._shown(
            np.minimum(first[:, 0], last[:, 0]),
            np.minimum(first[:, 1], last[:, 1]),
            np.maximum(first[:, 2], last[:, 2]),
            np.maximum(first[:, 3], last[:, 3]),
        )
        corners = np.stack([x0, y0, x1, y1], axis=1)
        corners[:, ::2] = corners[:, ::2].clip(0.0, min(self.width, _FARTHEST))
        corners[:, 1::2] = corners[:, 1::2].clip(0.0, min(self.height, _FARTHEST))
        shown = (corners[:, 0] < corners[:, 2]) & (corners[:, 1] < corners[:, 3])
        corners[~shown] = 0.0
        tenths = np.rint(corners * _TENTH).astype(np.int32)
        tenths[:, 2:] = np.maximum(tenths[:, 2:], tenths[:, :2] + 1)
        return tenths * np.int32(HUNDREDTHS / _TENTH), shown

    def bold(self, starts: Sequence[int], ends: Sequence[int]) -> list[bool]:
        """Return for each pair of offsets in ``text`` whether both characters are bold."""
        first = self._numbers(np.array(starts, np.int64)).tolist()
        last = self._numbers(np.array(ends, np.int64)).tolist()
        return [
            self._is_bold(start) and self._is_bold(end)
            for start, end in zip(first, last, strict=True)
        ]

    def _is_bold(self, number: int) -> bool:
        name = ctypes.create_string_buffer(_NAME_BYTES)
        pdfium.FPDFText_GetFontInfo(self._text_page, number, name, _NAME_BYTES, None)
        return any(word in name.value.lower() for word in _HEAVY)

    def _numbers(self, offsets: Numbers) -> Numbers:
        """Return PDFium's numbers of the characters at offsets of ``text``."""
        units = offsets if self._units is None else self._units[offsets]
        if self._whole:
            return units
        number = pdfium.FPDFText_GetCharIndexFromTextIndex
        return np.array([number(self._text_page, unit) for unit in units.tolist()], np.int64)

    def _characters(self, numbers: Numbers) -> Corners:
        """Return where characters stand in the page's own space, one row each.

        The loose box is as high as the font's lines, so that a line's words are equally high;
        where a font has none, the letter's own outline must do.
        """
        rectangles = (pdfium.FS_RECTF * len(numbers))()
        loose = pdfium.FPDFText_GetLooseCharBox
        found = [
            loose(self._text_page, number, rectangle)
            for number, rectangle in zip(numbers.tolist(), rectangles, strict=True)
        ]
        sides = np.frombuffer(rectangles, np.float32).reshape(-1, 4).astype(np.float64)
        corners = sides[:, [0, 3, 2, 1]]  # PDFium's order is left, top, right, bottom
        inside = (corners[:, 0] < corners[:, 2]) & (corners[:, 1] < corners[:, 3])
        for row in np.flatnonzero(~(np.array(found, bool) & inside)).tolist():
            corners[row] = self._outline(int(numbers[row]))
        return corners

    def _outline(self, number: int) -> tuple[float, float, float, float]:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        pdfium.FPDFText_GetCharBox(self._text_page, number, left, right, bottom, top)
        return left.value, bottom.value, right.value, top.value

    def _shown(
        self, left: Corners, bottom: Corners, right: Corners, top: Corners
    ) -> tuple[Corners, Corners, Corners, Corners]:
        """Turn rectangles of the page's own space into the page as shown, origin top left."""
        x, y, end_x, end_y = self._crop
        if self._turn == 1:
            return bottom - y, left - x, top - y, right - x
        if self._turn == 2:  # noqa: PLR2004 - quarter turns clockwise
            return end_x - right, bottom - y, end_x - left, top - y
        if self._turn == 3:  # noqa: PLR2004
            return end_y - top, end_x - right, end_y - bottom, end_x - left
        return left - x, end_y - top, right - x, end_y - bottom
