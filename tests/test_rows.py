"""The promised formats: every event and every value has its row, on one line of JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag import rows
from rag.errors import BadRequest
from rag.types import (
    Answer,
    Box,
    Check,
    Checked,
    Citation,
    Claim,
    Event,
    Finished,
    Found,
    Hit,
    Outcome,
    Retrieved,
    Seconds,
    Token,
    Verdict,
)

HIT = Hit(1, "a.pdf", 4, 5, 2, 2, 10, 14, "text", 0.1234567891)
CITATION = Citation(1, "a.pdf", 4, 5, 2, 2, 10, 14, "text", (Box(1.0, 2.0, 3.5, 4.0),))
CLAIM = Claim("Said [1].", (1,), Check(Verdict.PARTLY, 0.51239, ("why",)))
ANSWER = Answer(
    question="q?",
    standalone="q?",
    outcome=Outcome.ANSWERED,
    text="Said [1].",
    claims=(CLAIM,),
    citations=(CITATION,),
    nearest=(HIT,),
    confidence=0.7,
    model="Fake",
    specialist="s",
    recipe="r",
    seconds=Seconds(0.1, None, 0.3),
)
FOUND = Found((HIT,), 0.7, 0.01)
EVENTS: tuple[tuple[str, Event], ...] = (
    ("retrieved", Retrieved("q?", FOUND, "Fake")),
    ("token", Token("Said")),
    ("checked", Checked(CLAIM, (CITATION,))),
    ("finished", Finished(ANSWER)),
)


@pytest.mark.parametrize(("name", "event"), EVENTS)
def test_every_event_has_a_row(name: str, event: Event) -> None:
    told, row = rows.event_row(event, "id-1")
    assert told == name
    assert json.loads(rows.line(row)) == row


def test_every_kind_of_event_is_tried() -> None:
    assert {type(event) for _, event in EVENTS} == set(Event.__args__)


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("claims", [(), (CLAIM,)])
def test_an_outcome_is_answered_or_abstained(outcome: Outcome, claims: tuple[Claim, ...]) -> None:
    row = rows.ask_row("x", replace(ANSWER, outcome=outcome, claims=claims, notice="Told."))
    assert row["outcome"] in {"answered", "abstained"}
    if outcome is Outcome.ABSTAINED:
        assert row["outcome"] == "abstained"
    if outcome in {Outcome.STOPPED, Outcome.FAILED}:
        assert row["problem"] == "Told."
        assert (row["outcome"] == "answered") is bool(claims)
    else:
        assert row["problem"] is None


def test_the_promised_keys_of_a_search_and_an_answer() -> None:
    search = rows.search_row("x", FOUND)
    assert {"id", "confidence", "seconds", "hits"} <= set(search)
    assert {"rank", "document", "page", "start", "end", "text", "score"} <= set(search["hits"][0])
    ask = rows.ask_row("x", ANSWER)
    assert {"id", "outcome", "answer", "sentences", "citations", "model", "seconds"} <= set(ask)
    assert set(ask["seconds"]) == {"retrieve", "first_token", "total"}
    assert {"text", "verdict", "citations"} <= set(ask["sentences"][0])
    citation = ask["citations"][0]
    assert {"number", "document", "page", "start", "end", "quote", "boxes"} <= set(citation)
    assert citation["boxes"] == [[1.0, 2.0, 3.5, 4.0]]
    assert rows.check_row("x", CLAIM.check) == {
        "id": "x",
        "verdict": "partly",
        "support": 0.51239,
        "reasons": ["why"],
    }


@given(st.text(st.characters(exclude_categories=())))
def test_a_row_is_one_line_for_every_reader(text: str) -> None:
    line = rows.line({"text": text})
    assert line.splitlines() == [line]
    line.encode()
    assert json.loads(line) == {"text": text}


def test_a_row_stays_legible() -> None:
    assert rows.line({"text": "§ 5 – “é”"}) == '{"text": "§ 5 – “é”"}'


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_rows_written_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    given_rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    path.write_text("\n\n".join(map(rows.line, given_rows)), encoding="utf-8")
    assert list(rows.read_lines(path, ("id", "text"))) == given_rows


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"id": 1, "claim": "a\u2028b\x85c"}\r\n', encoding="utf-8")
    assert list(rows.read_lines(path, ("id",))) == [{"id": 1, "claim": "a\u2028b\x85c"}]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"id": 1}\n{"id": ', "Line 2 of rows.jsonl is not JSON"),
        (b"[1]\n", "Line 1 of rows.jsonl is not a JSON object"),
        (b'{"question": "q"}\n', "Line 1 of rows.jsonl lacks “id”"),
        (b"\xff\xfe\n", "cannot be read"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadRequest, match=told):
        list(rows.read_lines(path, ("id",)))


def test_a_list_of_texts_is_just_that() -> None:
    assert rows.texts({"id": 1}, "documents") == []
    assert rows.texts({"id": 1, "documents": None}, "documents") == []
    assert rows.texts({"id": 1, "documents": ["a"]}, "documents") == ["a"]
    for wrong in ("a.txt", [1], {"a": 1}):
        with pytest.raises(BadRequest, match="list of texts"):
            rows.texts({"id": 1, "documents": wrong}, "documents")
