"""An answer as it grows: markers, sentences, citations and their boxes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.boxes import line_boxes
from rag.answer.compose import Composition, numbers_in
from rag.config import shipped
from rag.specialists import Specialist, read
from rag.types import Box, Checked, Page, Source, TextBox, Verdict

PAGE = Page(
    1,
    "The tenant must give sixty days' notice. The rent is due on the first day of each month.",
    width=600,
    height=800,
    boxes=(
        TextBox(0, 20, Box(50, 100, 200, 112)),
        TextBox(21, 40, Box(205, 101, 300, 112)),
        TextBox(41, 89, Box(50, 120, 400, 132)),
    ),
)
SOURCES = (
    Source(1, "lease.pdf", 7, 9, 1, 1, 0, 40, PAGE.text[:40]),
    Source(2, "lease.pdf", 7, 9, 1, 1, 41, 88, PAGE.text[41:88]),
)


def _page(version_id: int, number: int) -> Page:
    assert (version_id, number) == (9, 1)
    return PAGE


@pytest.fixture
def composition() -> Composition:
    specialist = read(shipped("specialists") / "default.toml", Specialist)
    return Composition(SOURCES, _page, specialist.checking)


def _said(composition: Composition, *pieces: str) -> tuple[str, list[Checked]]:
    shown, checked = "", []
    for piece in pieces:
        shown += composition.feed(piece)
        checked += list(composition.finished_sentences())
    shown += composition.flush()
    checked += list(composition.finished_sentences(last=True))
    return shown, checked


def test_a_sentence_is_checked_against_the_lines_it_cites(composition: Composition) -> None:
    _, checked = _said(composition, "The tenant must give sixty days' notice [1].")
    assert checked[0].claim.check.verdict is Verdict.SUPPORTED
    assert checked[0].citations[0].quote == "The tenant must give sixty days' notice."
    assert checked[0].citations[0].boxes == (Box(50, 100, 300, 112),)


def test_a_changed_number_is_not_supported(composition: Composition) -> None:
    _, checked = _said(composition, "The tenant must give ninety days' notice [1].")
    assert checked[0].claim.check.verdict is not Verdict.SUPPORTED
    assert checked[0].claim.check.reasons


def test_a_sentence_without_a_number_is_uncited(composition: Composition) -> None:
    _, checked = _said(composition, "The sky is blue. The rent is due [2].")
    assert checked[0].claim.check.verdict is Verdict.UNCITED
    assert checked[0].claim.citations == ()


def test_citations_are_counted_in_the_order_of_their_use(composition: Composition) -> None:
    shown, checked = _said(
        composition, "The rent is due on the first day [2]. Sixty days' notice [1] [2]."
    )
    assert [item.claim.citations for item in checked] == [(1,), (2, 1)]
    assert shown == "The rent is due on the first day [1]. Sixty days' notice [2] [1]."
    assert [citation.number for citation in composition.citations] == [1, 2]
    assert composition.citations[0].quote.startswith("The rent")


def test_a_number_that_was_not_shown_cites_nothing(composition: Composition) -> None:
    shown, checked = _said(composition, "The rent is due [9].")
    assert "[9]" not in shown
    assert checked[0].claim.check.verdict is Verdict.UNCITED


def test_a_marker_behind_the_full_stop_belongs_to_the_sentence_before(
    composition: Composition,
) -> None:
    _, checked = _said(composition, "Sixty days' notice. [1] The rent is due then. [2]")
    assert [item.claim.citations for item in checked] == [(1,), (2,)]


def test_a_marker_cut_by_the_stream_is_shown_whole(composition: Composition) -> None:
    first = composition.feed("Sixty days' notice [")
    assert first == "Sixty days' notice "
    assert composition.feed("1") == ""
    assert composition.feed("].") == "[1]."


def test_a_quote_cites_itself(composition: Composition) -> None:
    checked = composition.quote(SOURCES[1])
    assert checked.claim.check.verdict is Verdict.SUPPORTED
    assert checked.citations[0].quote == SOURCES[1].text
    assert composition.text.endswith("[1]")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_text_and_markers_survive_any_cutting(cuts: list[int]) -> None:
    specialist = read(shipped("specialists") / "default.toml", Specialist)
    text = "The rent is due on the first day [2]. Sixty days' notice is due [1, 2]. Fine."
    pieces, rest = [], text
    for cut in cuts * 20:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    composition = Composition(SOURCES, _page, specialist.checking)
    shown, checked = _said(composition, *pieces, rest)
    assert shown == "The rent is due on the first day [1]. Sixty days' notice is due [2][1]. Fine."
    assert composition.text == shown
    assert [item.claim.citations for item in checked] == [(1,), (2, 1), ()]


@pytest.mark.parametrize(
    ("marker", "numbers"),
    [("3", [3]), ("1, 4", [1, 4]), ("2-4", [2, 3, 4]), ("1–2;7", [1, 2, 7]), ("1-400", [1])],
)
def test_numbers_of_a_marker(marker: str, numbers: list[int]) -> None:
    assert numbers_in(marker) == numbers


def test_boxes_are_one_a_line() -> None:
    assert line_boxes(PAGE, 0, len(PAGE.text)) == (
        Box(50, 100, 300, 112),
        Box(50, 120, 400, 132),
    )
    assert line_boxes(PAGE, 25, 30) == (Box(205, 101, 300, 112),)
    assert line_boxes(Page(1, "no layout"), 0, 5) == ()
