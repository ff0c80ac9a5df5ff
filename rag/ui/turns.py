"""What is shown of a question: while its answer is being written, and when it is finished."""

from __future__ import annotations

from rag.models.chat import EXTRACTIVE
from rag.running import Progress
from rag.store.answers import Exchange
from rag.types import Answer, Outcome
from rag.ui.parts import Shown

INTERRUPTED = "This answer was interrupted. Ask again to get a whole one."
PASSAGES = 3
NEAREST = {Outcome.ABSTAINED: "The nearest passages"}


def running(turn: Exchange, progress: Progress, selected: int | None) -> Shown:
    """Return what is shown of an answer that is being written."""
    return Shown(
        turn.question,
        text=progress.text,
        claims=progress.claims,
        citations=progress.citations,
        narrowed=_narrowed(turn),
        quotes=progress.model == EXTRACTIVE,
        selected=selected,
        busy=True,
        stopping=progress.stopping,
        status=_doing(progress),
    )


def _doing(progress: Progress) -> str:
    if progress.found is None:
        return "Searching the documents …"
    if progress.model == EXTRACTIVE:
        return "Choosing the lines that answer …"
    if progress.text:
        return f"{progress.model} is writing …"
    return (
        f"{progress.found} passages found. Waiting for {progress.model}; "
        "a model that is being loaded can take a minute."
    )


def finished(turn: Exchange, selected: int | None) -> Shown:
    """Return what is shown of an answer that has ended, one way or another."""
    answer = turn.answer
    if answer is None:
        return Shown(
            turn.question,
            text=turn.text,
            claims=turn.claims,
            citations=turn.citations,
            narrowed=_narrowed(turn),
            selected=selected,
            outcome=Outcome.STOPPED.value,
            notice=INTERRUPTED,
        )
    return Shown(
        turn.question,
        text=answer.text,
        claims=answer.claims,
        citations=answer.citations,
        narrowed=_narrowed(turn),
        quotes=answer.model == EXTRACTIVE,
        selected=selected,
        status=_told(answer),
        outcome=answer.outcome.value,
        notice=answer.notice,
        passages=answer.nearest[:PASSAGES] if _shows_passages(answer) else (),
        passages_title=NEAREST.get(answer.outcome, "The passages found"),
        footnotes=_footnotes(answer),
    )


def _shows_passages(answer: Answer) -> bool:
    """Tell whether the passages found are to be read in the answer's stead."""
    return not answer.claims or answer.outcome is Outcome.FAILED


def _narrowed(turn: Exchange) -> str:
    return f"Only in: {', '.join(turn.documents)}" if turn.documents else ""


def _told(answer: Answer) -> str:
    parts = [answer.model, f"{answer.seconds.total:.1f} s", f"evidence {answer.confidence:.0%}"]
    return " · ".join(part for part in parts if part)


def _footnotes(answer: Answer) -> tuple[str, ...]:
    notes = []
    if answer.standalone != answer.question:
        notes.append(f"Searched for: {answer.standalone}")
    if answer.left_out:
        notes.append(f"Did not fit and was not read: {'; '.join(answer.left_out)}.")
    return tuple(notes)
