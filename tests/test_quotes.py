"""Finding a quote in a page's own text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.cite import locate

PAGE = "The of\ufb01ce closes at\n5 p.m. A long-\nterm   tenant\u2019s deposit is re\u00adfunded. The rent is apparent."


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("The office closes at 5 p.m.", "The of\ufb01ce closes at\n5 p.m."),
        ("long-term tenant's deposit", "long-\nterm   tenant\u2019s deposit"),
        ("longterm tenant's", "long-\nterm   tenant\u2019s"),
        ("IS REFUNDED", "is re\u00adfunded"),
        ("rent", "rent"),
        ("of\ufb01ce", "of\ufb01ce"),
    ],
)
def test_layout_does_not_matter(quote: str, found: str) -> None:
    place = locate(quote, PAGE)
    assert place is not None
    assert PAGE[slice(*place)] == found


@pytest.mark.parametrize("quote", ["", " - ", "closes at 6 p.m.", "par", "the tenant"])
def test_what_is_not_there_is_not_found(quote: str) -> None:
    assert locate(quote, PAGE) is None


def test_scripts_without_spaces() -> None:
    assert locate("2024年", "本合同于2024年终止") == (4, 9)


@given(st.text(max_size=60), st.text(min_size=1, max_size=40), st.text(max_size=60))
def test_a_slice_between_spaces_is_found(before: str, quote: str, after: str) -> None:
    text = f"{before} {quote} {after}"
    place = locate(quote, text)
    if place is None:
        assert locate(quote, quote) is None
    else:
        start, end = place
        assert 0 <= start < end <= len(text)
        assert start <= len(before) + 1 + len(quote)
        assert locate(text[start:end], quote) is not None


@given(st.lists(st.sampled_from(["rent", "is", "due", "of\ufb01ce", "on", "day"]), min_size=3))
def test_line_ends_do_not_matter(words: list[str]) -> None:
    assert locate(" ".join(words), "\n".join(words)) == (0, len("\n".join(words)))
