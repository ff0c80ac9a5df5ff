"""Citation markers as models write them."""

from __future__ import annotations

import pytest

from rag.answer.cite import split_markers


@pytest.mark.parametrize(
    ("text", "clean", "numbers"),
    [
        ("Rent is due [3].", "Rent is due.", (3,)),
        ("Rent is due [1, 4].", "Rent is due.", (1, 4)),
        ("Rent is due. [1][2]", "Rent is due.", (1, 2)),
        ("Rent is due [1-3].", "Rent is due.", (1, 2, 3)),
        ("Rent is due [1–2; 5]", "Rent is due", (1, 2, 5)),
        ("Rent is due 【1】.", "Rent is due.", (1,)),
        ("Rent is due 【2†source】.", "Rent is due.", (2,)),
        ("Rent is due (source 2).", "Rent is due.", (2,)),
        ("Rent is due (Sources 1 and 3).", "Rent is due.", (1, 3)),
        ("Rent [2] is due [2][1].", "Rent is due.", (2, 1)),
        (
            "Under clause 12(2) and (3), rent is due.",
            "Under clause 12(2) and (3), rent is due.",
            (),
        ),
        ("See [sic] and [a].", "See [sic] and [a].", ()),
        ("No markers", "No markers", ()),
        ("", "", ()),
    ],
)
def test_markers(text: str, clean: str, numbers: tuple[int, ...]) -> None:
    assert split_markers(text) == (clean, numbers, ())


def test_numbers_never_shown_are_reported_not_kept() -> None:
    assert split_markers("Rent is due [1][9].", {1, 2}) == ("Rent is due.", (1,), (9,))


def test_a_wide_range_is_not_spread_out() -> None:
    assert split_markers("x [1-400]").numbers == (1, 400)
    assert split_markers("x [5-2]").numbers == (5, 2)
