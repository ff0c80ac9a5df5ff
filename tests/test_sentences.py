"""Sentences: what is quoted is whole, and nothing of the text is ever left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.text.sentences import sentences
from tests.timing import grows_linearly


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


PIECES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "\n", "\n\n", "\r\n", " ", "  ", "\t", "\f", "\u2028", ". ", "! ", "? ", "; ", ": ", "...",
            "No. 5", "Sec. 4.3.1", "v. ", "U.S. ", "e.g. ", "Mr. ", "(a) ", "1. ", "4.3 Rent",
            "• ", "ARTICLE II", "$ 1,200 $ 3", "Total 5 6", "。", "！", "你好", "שלום. ", "مرحبا؟ ", "😀", "a" * 300,
            "The tenant shall pay", "“Yes.” ", "A. B. Smith ", "| x | y |", "\u00a0", "\x00",
        ]
    ),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@given(TEXTS)
def test_spans_are_ordered_disjoint_trimmed_and_leave_nothing_out(text: str) -> None:
    end = 0
    for start, stop in sentences(text):
        assert end <= start < stop
        assert not text[end:start].strip()
        assert text[start:stop] == text[start:stop].strip()
        end = stop
    assert not text[end:].strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "The rent is due. It is paid monthly.",
            ["The rent is due.", "It is paid monthly."],
        ),
        (
            "See No. 5 and Sec. 4.3.1 of the Act. Smith v. Jones applies.",
            ["See No. 5 and Sec. 4.3.1 of the Act.", "Smith v. Jones applies."],
        ),
        (
            "Acme Inc. and Beta Corp. agree. Mr. J. R. Smith signs for Acme Inc. The rest follows.",
            [
                "Acme Inc. and Beta Corp. agree.",
                "Mr. J. R. Smith signs for Acme Inc.",
                "The rest follows.",
            ],
        ),
        (
            "He moved to the U.S. in 2019. The U.S. Court, e.g. Delaware's, sat at 9 a.m. on Monday.",
            [
                "He moved to the U.S. in 2019.",
                "The U.S. Court, e.g. Delaware's, sat at 9 a.m. on Monday.",
            ],
        ),
        (
            "It rose 4.5 percent to $1,200.50. Then it fell.",
            ["It rose 4.5 percent to $1,200.50.", "Then it fell."],
        ),
        (
            "She asked, “Is it due?” He said “Yes.” They left.",
            ["She asked, “Is it due?”", "He said “Yes.”", "They left."],
        ),
        ("你好。今天下雨！是吗？", ["你好。", "今天下雨！", "是吗？"]),
        ("שלום עולם. מה שלומך?", ["שלום עולם.", "מה שלומך?"]),
        ("no punctuation at all", ["no punctuation at all"]),
        ("Introduction ........ 5", ["Introduction ........ 5"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_prose(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def test_a_wrapped_line_goes_on() -> None:
    text = (
        "The tenant must give the landlord ninety days' written notice before the\n"
        "end of the term. If the tenant stays, the rent rises as set out in Section\n"
        "4.3 of this lease, and the parties shall meet to agree on a new\n"
        "term.\n"
    )
    assert cut(text) == [
        (
            "The tenant must give the landlord ninety days' written notice before the\n"
            "end of the term."
        ),
        (
            "If the tenant stays, the rent rises as set out in Section\n"
            "4.3 of this lease, and the parties shall meet to agree on a new\nterm."
        ),
    ]


def test_clauses_and_items_are_sentences_of_their_own() -> None:
    text = (
        "ARTICLE 2 - RENT\n"
        "2.01 Amount\n"
        "The tenant shall pay:\n"
        "(a) the base rent, on the first of each month;\n"
        "(b) the charges listed in Schedule B; and\n"
        "(c) interest.\n"
        "3. Term. The term is five years.\n"
        "• heat\n"
        "• water"
    )
    assert cut(text) == [
        "ARTICLE 2 - RENT",
        "2.01 Amount",
        "The tenant shall pay:",
        "(a) the base rent, on the first of each month;",
        "(b) the charges listed in Schedule B; and",
        "(c) interest.",
        "3. Term.",
        "The term is five years.",
        "• heat",
        "• water",
    ]


def test_rows_of_a_table_are_sentences_of_their_own() -> None:
    text = (
        "CONDENSED BALANCE SHEETS\n"
        "Cash and cash equivalents $ 27,502 $ 34,940\n"
        "Common stock, $0.00001 par value: 50,400,000 shares authorized; 16,095,378\n"
        "and 16,426,786 shares issued and outstanding, respectively 62,115 57,365\n"
        "Total assets $ 336,309 $ 351,002\n"
        "Partner | $400. Billed monthly. | yes"
    )
    assert cut(text) == [
        "CONDENSED BALANCE SHEETS",
        "Cash and cash equivalents $ 27,502 $ 34,940",
        (
            "Common stock, $0.00001 par value: 50,400,000 shares authorized; 16,095,378\n"
            "and 16,426,786 shares issued and outstanding, respectively 62,115 57,365"
        ),
        "Total assets $ 336,309 $ 351,002",
        "Partner | $400. Billed monthly. | yes",
    ]


def test_a_reference_at_a_line_s_end_is_no_new_clause() -> None:
    text = (
        "This applies to every payment which is made under Section\n(a) above and to no other one."
    )
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "unit", ["a", ".", " ", "\n", "A. ", ".\n", "a\n", "(", "1.", "— ", "\t\n", '."', "。", "1 "]
)
def test_the_time_is_linear_in_the_length(unit: str) -> None:
    assert grows_linearly(lambda size: sentences(unit * (size // len(unit))), 25_000, 200_000)
