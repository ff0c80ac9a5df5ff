"""Terms: what stays whole, what gives parts, what is mended, and that it is quick."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rag.text.terms import LONGEST, STOP_WORDS, content_terms, terms


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Section 4.3.1.", "4.3.1"),
        ("model AX-12,", "ax-12"),
        ("§ 12(b)", "12(b)"),
        ("§12(b)(iii)", "12(b)(iii)"),
        ("costs $1,200.50.", "$1,200.50"),
        ("in 2019.", "2019"),
        ("5.5% a year", "5.5%"),
        ("form 10-Q", "10-q"),
        ("the U.S. market", "u.s"),
    ],
)
def test_references_and_amounts_stay_whole(text: str, kept: str) -> None:
    assert kept in terms(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$1,200.50", "1200.50"),
        ("long-term", "long term"),
        ("long-term", "longterm"),
        ("agree-\nment", "agreement"),
        ("agree\u00ad\nment", "agreement"),
        ("agree\ufffe\r\nment", "agreement"),
        ("\ufb01nance", "FINANCE"),
        ("tenant\u2019s", "tenants"),
        ("na\u00efve", "naive"),
        ("Stra\u00dfe", "STRASSE"),
        ("terminating", "terminated"),
    ],
)
def test_two_ways_of_writing_share_a_term(one: str, other: str) -> None:
    assert set(terms(one)) & set(terms(other))


def test_unspaced_scripts_give_pairs() -> None:
    assert terms("\u6771\u4eac\u90fd") == ["\u6771\u4eac", "\u4eac\u90fd"]


def test_combining_signs_do_not_break_words() -> None:
    assert terms("\u0939\u093f\u0928\u094d\u0926\u0940") == ["\u0939\u093f\u0928\u094d\u0926\u0940"]


def test_content_terms_leave_out_stop_words_only() -> None:
    assert content_terms("What is the notice that the tenant must give?") == ["notic", "tenant"]
    assert "the" in terms("the tenant")


def test_stop_words_are_raw_and_casefolded() -> None:
    assert all(word == word.casefold() for word in STOP_WORDS)
    assert not any(content_terms(word) for word in STOP_WORDS)


@given(some.text())
def test_any_text_gives_short_terms_without_space(text: str) -> None:
    found = terms(text)
    assert all(term and len(term) <= 3 * LONGEST and not term.isspace() for term in found)
    assert set(content_terms(text)) <= set(found)


@pytest.mark.parametrize("piece", ["a", "a-", "1,", "-\n", "a.", "1(", "\u00ad ", "\u6771"])
def test_time_is_linear_on_endless_text(piece: str) -> None:
    began = time.perf_counter()
    terms(piece * 500_000)
    assert time.perf_counter() - began < 10
