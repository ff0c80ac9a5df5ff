"""The one answer stream: ``Retrieved → Token… → Checked… → Finished``. Read this first.

The page, the HTTP stream, the terminal and the evaluation all consume :func:`generate`. Whether to
answer is decided by evidence, before a model speaks: below the specialist's threshold the stream
says so and shows the nearest passages. ``Finished`` always comes last, whatever happened; a model's
failure is part of the answer, with its remedy, and the passages found are still there.

This module does not know where a question comes from or where an answer is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from rag.answer.compose import Composition
from rag.answer.prompt import (
    fit,
    leans_on_history,
    number_sentences,
    question_messages,
    standalone_messages,
    standalone_without_model,
    usable_standalone,
)
from rag.answer.weigh import Weighed, weigh
from rag.errors import ModelBroke, ModelError
from rag.models.chat import ChatClient, Choice, Ending, Stream
from rag.models.embed import Embedder
from rag.search.retrieve import Retriever
from rag.specialists import Specialist
from rag.types import (
    Answer,
    Event,
    Finished,
    Found,
    Outcome,
    Page,
    Query,
    Retrieved,
    Scope,
    Seconds,
    Token,
    Turn,
)

ABSTAINED = (
    "The documents do not seem to answer this: no passage fits the question well enough. "
    "The nearest passages are shown; reading them, or asking in the documents’ own words, may help."
)
STOPPED = "Stopped. What was written until then is kept."
NOTHING_SAID = "The chat model ended without a word."
NOTHING_SAID_REMEDY = "Ask again; if it happens often, choose another model."
CUT_OFF = (
    "The answer reached the length it may have and ends here. Ask for a part of it, or raise "
    "“answer_tokens” in the specialist."
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What answering needs: search, page texts, the models, and the specialist that rules them."""

    retriever: Retriever
    page: Callable[[int, int], Page]
    embedder: Embedder
    choice: Choice
    specialist: Specialist
    recipe_hash: str


@dataclass(frozen=True, slots=True)
class Ask:
    """A question within a scope. ``stopped`` is asked often and ends the answer when true."""

    question: str
    scope: Scope
    history: Sequence[Turn] = ()
    stopped: Callable[[], bool] = field(default=lambda: False)


class _Clock:
    def __init__(self) -> None:
        self._start = time.monotonic()
        self._retrieve = 0.0
        self._first: float | None = None

    def retrieved(self) -> None:
        self._retrieve = self._now()

    def token(self) -> None:
        if self._first is None:
            self._first = self._now()

    def _now(self) -> float:
        return round(time.monotonic() - self._start, 4)

    def seconds(self) -> Seconds:
        return Seconds(self._retrieve, self._first, self._now())


def generate(ask: Ask, parts: Parts) -> Iterator[Event]:
    """Answer a question, yielding events as they come; closing the iterator stops the model.

    Raises:
        MunimentError: the search itself failed; a chat model's errors are told in the answer.
    """
    clock = _Clock()
    standalone = _standalone(ask, parts)
    limit = parts.specialist.retrieval.passages
    found = parts.retriever.search(Query(standalone, ask.scope), limit)
    clock.retrieved()
    yield Retrieved(standalone, found, parts.choice.label)
    weighed = weigh(
        standalone, number_sentences(found.hits), parts.embedder, parts.specialist.sentences
    )
    blank = _blank(ask, parts, standalone, found, weighed)
    if not found.hits or blank.confidence < parts.specialist.form.evidence_threshold:
        yield Finished(replace(blank, notice=ABSTAINED, seconds=clock.seconds()))
    elif parts.choice.client is None:
        yield from _quoted(blank, weighed, parts, clock)
    else:
        yield from _spoken(ask, blank, found, parts, parts.choice.client, clock)


def _blank(ask: Ask, parts: Parts, standalone: str, found: Found, weighed: Weighed) -> Answer:
    """Return the answer as it is before anything is said; its confidence decides what follows."""
    return Answer(
        question=ask.question,
        standalone=standalone,
        outcome=Outcome.ABSTAINED,
        text="",
        claims=(),
        citations=(),
        nearest=found.hits,
        confidence=found.confidence * weighed.fitness**parts.specialist.form.kind_power,
        model=parts.choice.label,
        specialist=parts.specialist.hash,
        recipe=parts.recipe_hash,
        seconds=Seconds(0.0, None, 0.0),
    )


def _standalone(ask: Ask, parts: Parts) -> str:
    if not ask.history or not leans_on_history(ask.question):
        return ask.question
    plain = standalone_without_model(ask.question, ask.history)
    if parts.choice.client is None:
        return plain
    messages = standalone_messages(ask.question, ask.history, parts.specialist)
    try:
        stream = parts.choice.client.stream(messages, parts.specialist.chat)
        rewritten = "".join(_until_stopped(stream, ask.stopped)).strip()
    except ModelError:
        # The answer itself will meet the same error and tell it; the search still has its words.
        return plain
    return rewritten if usable_standalone(rewritten, ask.question) else plain


def _quoted(blank: Answer, weighed: Weighed, parts: Parts, clock: _Clock) -> Iterator[Event]:
    specialist = parts.specialist
    composition = Composition(weighed.sources, parts.page, specialist.checking)
    for source in weighed.best(specialist.form.sentences, specialist.sentences.near_best):
        before = len(composition.text)
        checked = composition.quote(source)
        clock.token()
        yield Token(composition.text[before:])
        yield checked
    outcome = Outcome.ANSWERED if composition.claims else Outcome.ABSTAINED
    notice = "" if composition.claims else ABSTAINED
    yield Finished(_whole(blank, composition, clock, outcome=outcome, notice=notice))


def _spoken(
    ask: Ask, blank: Answer, found: Found, parts: Parts, client: ChatClient, clock: _Clock
) -> Iterator[Event]:
    specialist = parts.specialist
    context = fit(found.hits, blank.standalone, specialist)
    blank = replace(blank, left_out=context.left_out)
    composition = Composition(context.sources, parts.page, specialist.checking)
    messages = question_messages(blank.standalone, context.sources, specialist)
    outcome, notice = Outcome.ANSWERED, ""
    try:
        ending = yield from _said(client.stream(messages, specialist.chat), composition, ask, clock)
        if ending is None:
            outcome, notice = Outcome.STOPPED, STOPPED
        elif not composition.text.strip():
            raise ModelBroke(NOTHING_SAID, NOTHING_SAID_REMEDY)
        elif ending.reason == "length":
            notice = CUT_OFF
    except ModelError as error:
        outcome, notice = Outcome.FAILED, str(error)
    rest = composition.flush()
    if rest:
        yield Token(rest)
    yield from composition.finished_sentences(last=True)
    yield Finished(_whole(blank, composition, clock, outcome=outcome, notice=notice))


def _said(
    stream: Stream, composition: Composition, ask: Ask, clock: _Clock
) -> Generator[Event, None, Ending | None]:
    with closing(_until_stopped(stream, ask.stopped)) as pieces:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                ending: Ending | None = end.value
                return ending
            if not piece:
                continue
            clock.token()
            shown = composition.feed(piece)
            if shown:
                yield Token(shown)
            yield from composition.finished_sentences()


def _whole(
    blank: Answer, composition: Composition, clock: _Clock, *, outcome: Outcome, notice: str
) -> Answer:
    return replace(
        blank,
        outcome=outcome,
        text=composition.text.strip(),
        claims=tuple(composition.claims),
        citations=tuple(composition.citations),
        notice=notice,
        seconds=clock.seconds(),
    )


def _until_stopped(
    stream: Stream, stopped: Callable[[], bool]
) -> Generator[str, None, Ending | None]:
    """Draw a model's pieces until a stop; return how it ended, None when it was stopped.

    A stream yields empty pieces while its model is silent, so a stop need not wait for a word.
    """
    try:
        while not stopped():
            try:
                yield next(stream)
            except StopIteration as end:
                ending: Ending = end.value
                return ending
        return None
    finally:
        stream.close()
