"""What Streamlit cannot draw itself: a checked answer, marked text, and calm lists of one line each.

Each part is a small component whose script enters all text as text nodes, so nothing a document, a
file's name or a model says becomes markup, a link or a picture. Their files lie beside this one and
are served from this machine. A part sends one trigger, ``event``: a name and a value. The value
comes from a browser, so whoever uses it checks it as they would check an address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from rag.answer.prompt import place
from rag.types import Citation, Claim, Hit

FOLDER = Path(__file__).parent
_MARKER = re.compile(r"\[\d+\]")
_WRAP = re.compile(r"\n(?=[^\W\d_A-Z])")
"""A line's end before a small letter: the page's width broke it, not its author."""
_MARKERS = re.compile(r"^\s*(?:\[\d+\]\s*)+")
"""Numbers that belong to the sentence before them, already drawn as its chips."""


@dataclass(frozen=True, slots=True)
class Event:
    """What was pressed in a part: ``name`` says what it is, ``value`` which one."""

    name: str
    value: int


Listener = Callable[[Event], None]
"""Called before the page is drawn again."""


class _Part:
    def __init__(self, name: str) -> None:
        self._component = st.components.v2.component(
            f"muniment_{name}", css=_read(f"{name}.css"), js=_read(f"{name}.js")
        )

    def __call__(
        self, key: str, data: dict[str, Any], listener: Listener | None = None
    ) -> Event | None:
        def heard() -> None:
            event = _event(st.session_state[key].event)
            if listener is not None and event is not None:
                listener(event)

        return _event(self._component(key=key, data=data, on_event_change=heard).event)


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _event(sent: object) -> Event | None:
    """Read what a browser sent, None when it is nothing of ours."""
    if not isinstance(sent, dict):
        return None
    name, value = sent.get("name"), sent.get("value")
    if isinstance(name, str) and isinstance(value, int):
        return Event(name, int(value))
    return None


_ANSWER = _Part("answer")
_EXCERPT = _Part("excerpt")
_LISTING = _Part("listing")
_UPLOAD = _Part("upload")
_HISTORY = _Part("history")


@dataclass(frozen=True, slots=True)
class Shown:
    """A question with its answer as it is now.

    ``text`` is the whole text until now: what goes beyond the checked sentences is shown as it
    is, still unchecked. ``quotes`` sets each sentence apart as a quotation. ``selected`` is the
    number of the citation whose evidence is shown.
    """

    question: str
    text: str = ""
    claims: Sequence[Claim] = ()
    citations: Sequence[Citation] = ()
    narrowed: str = ""
    quotes: bool = False
    selected: int | None = None
    busy: bool = False
    stopping: bool = False
    status: str = ""
    outcome: str = ""
    notice: str = ""
    passages: Sequence[Hit] = ()
    passages_title: str = ""
    footnotes: Sequence[str] = ()


def answer(key: str, shown: Shown, listener: Listener, *, latest: bool) -> Event | None:
    """Draw an answer, scrolled to if it is the latest one of several.

    Events: ``cite`` (a citation's number), ``stop``, ``open`` (a hit's rank).
    """
    starts, tail = _layout(shown.text, shown.claims)
    sentences = [
        {
            "text": claim.text,
            "verdict": claim.check.verdict.value,
            "citations": list(claim.citations),
            "reasons": list(claim.check.reasons),
            "starts_paragraph": shown.quotes or begins,
        }
        for claim, begins in zip(shown.claims, starts, strict=True)
    ]
    places = {str(item.number): place(item.document, item.page) for item in shown.citations}
    passages = [
        {"rank": hit.rank, "place": place(hit.document, hit.page), "text": hit.text}
        for hit in shown.passages
    ]
    data = {
        "question": shown.question,
        "narrowed": shown.narrowed,
        "sentences": sentences,
        "places": places,
        "selected": shown.selected,
        "quotes": shown.quotes,
        "busy": shown.busy,
        "stopping": shown.stopping,
        # A finished answer without a checked sentence (it broke off early) shows what there is.
        "tail": tail if shown.busy or not shown.claims else "",
        "status": shown.status,
        "outcome": shown.outcome,
        "notice": shown.notice,
        "passages": passages,
        "passages_title": shown.passages_title,
        "latest": latest,
        "footnotes": list(shown.footnotes),
    }
    return _ANSWER(key, data, listener)


def quote(key: str, title: str, text: str) -> None:
    """Show a cited line under the name of its place."""
    _excerpt(key, "quote", text, (0, 0), title=title, label=f"The cited line, from {title}")


def context(key: str, text: str, span: tuple[int, int], label: str) -> None:
    """Show a span of a text marked, with what stands around it."""
    cut, inner = around(text, span)
    _excerpt(key, "context", cut, inner, label=label)


def page(key: str, text: str, span: tuple[int, int], label: str, *, wrapped: bool = False) -> None:
    """Show a whole page's text with a span marked and in view; ``wrapped`` heals broken lines."""
    text = _WRAP.sub(" ", text) if wrapped else text  # as long as before: the span still fits
    _excerpt(key, "page", text, span, label=label)


def _excerpt(
    key: str, form: str, text: str, span: tuple[int, int], *, label: str, title: str = ""
) -> None:
    start, end = span
    data = {
        "before": text[:start],
        "marked": text[start:end],
        "after": text[end:],
        "label": label,
        "title": title,
        "form": form,
    }
    _EXCERPT(key, data)


def listing(key: str, rows: Sequence[dict[str, Any]]) -> Event | None:
    """List documents. Events, with a document's id: ``open``, ``cancel``, ``retry``, ``delete``."""
    return _LISTING(key, {"rows": list(rows)})


def upload(key: str, workspace: str, megabytes: int) -> Event | None:
    """Draw the place where files are dropped; they go to :mod:`rag.ui.files`. Event: ``taken``."""
    data = {
        "workspace": workspace,
        "limit": megabytes * 1_000_000,
        "hint": f"PDF, Word (DOCX), Markdown or text, up to {megabytes} MB each",
        "too_large": (
            f"was not taken in: it is larger than {megabytes} MB. "
            "Split it, or have the limit raised (max_upload_mb)."
        ),
    }
    return _UPLOAD(key, data)


def history(
    key: str, items: Sequence[tuple[int, str]], current: int | None, more: str, listener: Listener
) -> Event | None:
    """List conversations (id, title). Events: ``new``, ``open`` and ``delete`` with an id."""
    rows = [{"id": identifier, "title": title} for identifier, title in items]
    return _HISTORY(key, {"items": rows, "current": current, "more": more}, listener)


def around(text: str, span: tuple[int, int], reach: int = 500) -> tuple[str, tuple[int, int]]:
    """Cut text to a span's surroundings; return it with the span's place in it."""
    start, end = span
    first = max(0, start - reach)
    cut = text[first : end + reach]
    return cut, (start - first, end - first)


def _layout(text: str, claims: Sequence[Claim]) -> tuple[list[bool], str]:
    """Find which sentences begin a paragraph of the text, and what is left after the last one.

    A sentence is told without the markers ``[3]`` that stand in the text, and perhaps with other
    white space, so the two are compared without either.
    """
    bare, places = _bare(text)
    starts: list[bool] = []
    at = end = 0
    for claim in claims:
        words, _ = _bare(claim.text)
        found = bare.find(words, at)
        if not words or found < 0:
            starts.append(False)
            continue
        starts.append("\n" in text[end : places[found]])
        at = found + len(words)
        end = places[at - 1] + 1
    return starts, _MARKERS.sub("", text[end:]) if claims else text


def _bare(text: str) -> tuple[str, list[int]]:
    """Return text without markers and white space, and where each of its characters stands."""
    hidden = {place for marker in _MARKER.finditer(text) for place in range(*marker.span())}
    places = [
        place
        for place, character in enumerate(text)
        if place not in hidden and not character.isspace()
    ]
    return "".join(text[place] for place in places), places
