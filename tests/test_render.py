"""Pictures of pages: the words of a page lie inside their boxes, however it is turned or cropped."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ingest.parsers import Limits, pdf
from ingest.picture import MOST_PIXELS
from ingest.render import page_picture
from rag.errors import BadFile
from rag.types import Box
from tests.made_files import changed_pdf, word
from tests.made_files import pdf as make_pdf
from tests.timing import done_within


def image(png: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("L"))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (50, 400, 500, 780)])
def test_the_ink_lies_inside_the_words_boxes(
    tmp_path: Path, rotation: int, crop: tuple[float, float, float, float] | None
) -> None:
    path = changed_pdf(
        make_pdf(tmp_path / "a.pdf"), tmp_path / "b.pdf", rotation=rotation, crop=crop
    )
    page = next(pdf.parse(path, Limits(10, 10_000)).pages)
    scale = 2.0
    ink = image(page_picture(path, 1, scale, [])) < 128
    assert ink.shape == (round(page.height * scale), round(page.width * scale))
    boxed = np.zeros_like(ink)
    for item in page.boxes:
        box = item.box
        rows = slice(int(box.y0 * scale), int(box.y1 * scale) + 2)
        columns = slice(int(box.x0 * scale), int(box.x1 * scale) + 2)
        assert ink[rows, columns].any(), page.text[item.start : item.end]
        boxed[rows, columns] = True
    assert ink.sum() > 1000
    assert ink[boxed].sum() == ink.sum()


def test_boxes_are_marked_and_the_rest_is_as_before(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf")
    plain = page_picture(path, 1, 1.0, [])
    marked = page_picture(path, 1, 1.0, [Box(100, 300, 200, 320)])
    before, after = image(plain), image(marked)
    assert before.shape == after.shape == (792, 612)
    assert (before != after)[297:324, 97:204].mean() > 0.9
    outside = before != after
    outside[295:326, 95:206] = False
    assert not outside.any()


def test_a_picture_has_a_bounded_size(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf")
    height, width = image(page_picture(path, 1, 100.0, [])).shape
    assert MOST_PIXELS * 0.9 < width * height <= MOST_PIXELS * 1.01


def test_what_has_no_picture_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no page pictures"):
        page_picture(word(tmp_path / "a.docx"), 1, 1.0, [])
    with pytest.raises(BadFile, match="no page 9"):
        page_picture(make_pdf(tmp_path / "a.pdf"), 9, 1.0, [])
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7\nnothing\n%%EOF")
    with pytest.raises(BadFile, match="damaged"):
        page_picture(tmp_path / "b.pdf", 1, 1.0, [])


def test_pictures_come_quickly(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf")
    page_picture(path, 1, 1.0, [])
    assert done_within(1, lambda: page_picture(path, 1, 1.0, []))
