"""What a chat model is told: the numbered sentences, counted into its context, and the question.

Documents are untrusted: their text stands in the prompt as numbered quotations, one line each, and
nothing in it can end a quotation or pose as an instruction of ours. What changes from question to
question stands last, so that a server's cache of the prompt's beginning serves the next one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag.models.chat import Message, count_tokens
from rag.specialists import Specialist
from rag.text.sentences import sentences
from rag.types import Hit, Source, Turn

FRAME_TOKENS = 64
"""Kept free for what a model's template puts around each message."""

MARKER_LIKE = re.compile(r"\[(\d[\d,\s–-]*)\]|【(\d[^】]*)】")
"""Brackets in a document that look like our citation numbers: shown to the model in round ones."""

FOLLOW_UP = re.compile(
    r"^\s*(and|but|or|so|also|what about|how about|then|why)\b"
    r"|\b(it|its|they|their|them|he|his|she|her|this|that|these|those|there|one|same|both)\b",
    re.IGNORECASE,
)
SHORT_QUESTION = 3
"""A question of at most this many words is taken to lean on the one before it."""


@dataclass(frozen=True, slots=True)
class Context:
    """The numbered sentences that fit, and a name for each hit that did not."""

    sources: tuple[Source, ...]
    left_out: tuple[str, ...]


def number_sentences(hits: Sequence[Hit]) -> tuple[Source, ...]:
    """Return the sentences of the hits, numbered from 1 in the hits' order."""
    found: list[Source] = []
    for hit in hits:
        for start, end in sentences(hit.text):
            found.append(
                Source(
                    number=len(found) + 1,
                    document=hit.document,
                    document_id=hit.document_id,
                    version_id=hit.version_id,
                    page=hit.page,
                    page_number=hit.page_number,
                    start=hit.start + start,
                    end=hit.start + end,
                    text=hit.text[start:end],
                    heading=hit.heading,
                    score=hit.score,
                )
            )
    return tuple(found)


def fit(hits: Sequence[Hit], question: str, specialist: Specialist) -> Context:
    """Take as many hits, whole and in order, as the model's context holds; name the others."""
    fixed = count_tokens(specialist.prompt.system) + count_tokens(question)
    room = specialist.chat.context - specialist.chat.answer_tokens - fixed - 2 * FRAME_TOKENS
    kept: list[Hit] = []
    left_out: list[str] = []
    for hit in hits:
        cost = count_tokens(_quoted(number_sentences([*kept, hit]))) if not left_out else room + 1
        if cost > room:
            left_out.append(place(hit.document, hit.page))
        else:
            kept.append(hit)
    return Context(number_sentences(kept), tuple(left_out))


def place(document: str, page: int | None) -> str:
    """Name a place for a reader: the document, and the page where it has pages."""
    return document if page is None else f"{document}, page {page}"


def question_messages(
    question: str, sources: Sequence[Source], specialist: Specialist
) -> tuple[Message, ...]:
    """Return the messages for answering a question from numbered sentences."""
    system = f"{specialist.prompt.system.strip()}\n\n{_quoted(sources)}"
    asked = specialist.prompt.question.replace("{question}", question.strip())
    return (Message("system", system), Message("user", asked))


def _quoted(sources: Sequence[Source]) -> str:
    lines: list[str] = []
    last = ""
    for source in sources:
        where = place(_plain(source.document), source.page)
        if where != last:
            lines.append(f"From {where}:")
            last = where
        lines.append(f"[{source.number}] {_plain(source.text)}")
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    return MARKER_LIKE.sub(lambda match: f"({match[1] or match[2]})", _one_line(text))


def leans_on_history(question: str) -> bool:
    """Tell whether a question needs the one before it to be understood."""
    return len(question.split()) <= SHORT_QUESTION or bool(FOLLOW_UP.search(question))


def standalone_messages(
    question: str, history: Sequence[Turn], specialist: Specialist
) -> tuple[Message, ...]:
    """Return the messages that ask a model to make a follow-up question stand alone."""
    lines = [
        f"Question: {_one_line(turn.question)}\nAnswer: {_one_line(turn.answer)[:400]}"
        for turn in history[-specialist.form.history_turns :]
    ]
    text = specialist.prompt.standalone.replace("{history}", "\n".join(lines))
    return (Message("user", text.replace("{question}", question.strip()).strip()),)


def standalone_without_model(question: str, history: Sequence[Turn]) -> str:
    """Put the earlier question before a follow-up, so that its words are searched for too."""
    if not history or not leans_on_history(question):
        return question
    return f"{history[-1].question.strip()} {question.strip()}"


def usable_standalone(rewritten: str, question: str) -> bool:
    """Tell whether a model's rewriting is one question and not an answer or a lecture."""
    words = rewritten.split()
    return 0 < len(words) <= 3 * len(question.split()) + 30 and "\n" not in rewritten.strip()
