"""What kind of answer a question asks for, and whether a sentence holds one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.kinds import Kind, asked_for, holds


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How much notice must the tenant give?", Kind.DURATION),
        ("How long may a visitor stay?", Kind.DURATION),
        ("How many working days does the school have to reply?", Kind.DURATION),
        ("How soon is the deposit paid back?", Kind.DURATION),
        ("What is the notice period?", Kind.DURATION),
        ("How much is the rent?", Kind.MONEY),
        ("What salary will the trainees be paid?", Kind.MONEY),
        ("What did the buyer pay for the house?", Kind.MONEY),
        ("When does the term begin?", Kind.TIME),
        ("On what date was the lease signed?", Kind.TIME),
        ("How many pupils may go on one trip?", Kind.NUMBER),
        ("How often are meetings held?", Kind.NUMBER),
        ("Who keeps the minutes?", Kind.NAME),
        ("Whose signature is needed?", Kind.NAME),
        ("What is the account number of the firm?", Kind.IDENTIFIER),
        ("May the tenant keep a dog?", None),
        ("What happens when the rent is late?", None),
        ("Who may end the lease?", None),
        ("", None),
    ],
)
def test_the_kind_asked_for(question: str, kind: Kind | None) -> None:
    assert asked_for(question) is kind


@pytest.mark.parametrize(
    ("kind", "held", "missing"),
    [
        (Kind.MONEY, "The rent is $1,200.50.", "The rent is due on the first day."),
        (Kind.MONEY, "A fee of four per cent is due.", "A fee is due."),
        (Kind.DURATION, "It ends after six months’ notice.", "It ends after notice."),
        (Kind.DURATION, "Reply within 30 (thirty) days.", "Reply within reason."),
        (Kind.TIME, "It closes at 4.30 each day.", "It closes each day."),
        (Kind.TIME, "Signed on 3 March 2024.", "Signed by both."),
        (Kind.NUMBER, "At most twelve pupils.", "At most a few pupils."),
        (Kind.NAME, "Mrs Adair keeps the minutes.", "The clerk keeps the minutes."),
        (Kind.IDENTIFIER, "Policy HK/2291-A applies.", "The policy applies."),
    ],
)
def test_a_sentence_holds_its_kind_or_not(kind: Kind, held: str, missing: str) -> None:
    assert holds(kind, held)
    assert not holds(kind, missing)


@given(st.text())
def test_where_no_kind_is_asked_every_sentence_will_do(text: str) -> None:
    assert holds(None, text)


@given(st.text())
def test_any_question_and_any_sentence_can_be_judged(text: str) -> None:
    kind = asked_for(text)
    assert kind is None or kind in Kind
    assert all(holds(each, text) in {True, False} for each in Kind)


@pytest.mark.parametrize("piece", ["a ", "1", "one ", "A", "what is the ", "12-", "Aa "])
def test_long_texts_take_no_time(piece: str) -> None:
    """A regular expression that tries all ways would not end within the time a test has."""
    text = piece * (40_000 // len(piece))
    asked_for(text)
    for kind in Kind:
        holds(kind, text)
