"""Numbers by value: the many ways to write one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.quantities import Quantity, quantities
from rag.answer.words import plain


def only(text: str) -> Quantity:
    found = quantities(plain(text))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("thirty (30) days", "30 days"),
        ("a 30-day period", "thirty days"),
        ("a thirty-\nday period", "30 calendar days"),
        ("$1.2 million", "USD 1,200,000"),
        ("1.2 million dollars", "$1,200,000.00"),
        ("one hundred thousand dollars", "$100,000"),
        ("two hundred and thirty-five", "235"),
        ("88%", "eighty-eight per cent"),
        ("2024-03-01", "March 1st, 2024"),
        ("1 March 2024", "the 1st day of March, 2024"),
        ("March 1", "1 March 2024"),
        ("03/01/2024", "1 March 2024"),
        ("in 2018", "2018"),
        ("the twenty-third time", "the 23rd time"),
        ("5 p.m.", "17:00"),
        ("5:30 PM", "5:30"),
        ("at 7 pm", "at 7"),
        ("two thousand twenty-four", "2024"),
        ("nineteenth century", "19th century"),
    ],
)
def test_same_value(one: str, two: str) -> None:
    assert only(one).agrees(only(two))
    assert only(two).agrees(only(one))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("30 days", "30 months"),
        ("30 days", "30 business days"),
        ("30 days", "60 days"),
        ("$5", "€5"),
        ("5%", "5 dollars"),
        ("March 1, 2024", "March 2, 2024"),
        ("March 2024", "March 2023"),
        ("section 4.3.1", "section 4.3.2"),
        ("5 degrees", "-5 degrees"),
        ("5:30 AM", "5:30 PM"),
        ("600 feet", "600 square feet"),
        ("third", "3 days"),
        ("1234567890123456789", "1234567890123456788"),
    ],
)
def test_other_value(one: str, two: str) -> None:
    assert not only(one).agrees(only(two))
    assert not only(two).agrees(only(one))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("at least 30 days", 1),
        ("not less than thirty (30) days", 1),
        ("no more than 5 pets", -1),
        ("not later than March 1, 2024", -1),
        ("up to $500", -1),
        ("30 days or more", 1),
        ("30 days", 0),
    ],
)
def test_bounds(text: str, bound: int) -> None:
    assert only(text).bound == bound


@pytest.mark.parametrize("text", ["one of them", "he may go", "a march to the sea", "none", ""])
def test_words_that_only_look_like_numbers(text: str) -> None:
    assert quantities(plain(text)) == []


def test_several_in_order_with_their_places() -> None:
    text = "five years and three months, 5% of $20 on 27 July 2018"
    found = quantities(text)
    assert [text[q.start : q.end] for q in found] == [
        "five years",
        "three months",
        "5%",
        "$20",
        "27 July 2018",
    ]


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    text = plain(text)
    ends = [0]
    for quantity in quantities(text):
        assert ends[-1] <= quantity.start < quantity.end <= len(text)
        ends.append(quantity.end)


@given(st.integers(2, 10**9), st.sampled_from(["days", "months", "miles", ""]))
def test_thousands_separators_do_not_matter(value: int, unit: str) -> None:
    assert only(f"{value} {unit}").agrees(only(f"{value:,} {unit}"))
