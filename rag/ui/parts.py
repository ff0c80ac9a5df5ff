"""The two things Streamlit cannot draw itself: a checked answer, and a page's text with a line marked.

Both are small components whose script enters all text as text nodes, so nothing a document or a
model says becomes markup, a link or a picture. Their files lie beside this one and are served from
this machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from rag.answer.prompt import place
from rag.types import Citation, Claim

FOLDER = Path(__file__).parent
_MARKERS = re.compile(r"^\s*(?:\[\d+\]\s*)+")
"""Numbers that belong to the sentence before them, already drawn as its chips."""


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


_ANSWER = st.components.v2.component(
    "muniment_answer", css=_read("answer.css"), js=_read("answer.js")
)
_EXCERPT = st.components.v2.component(
    "muniment_excerpt", css=_read("excerpt.css"), js=_read("excerpt.js")
)


def answer(
    key: str,
    text: str,
    claims: Sequence[Claim],
    citations: Sequence[Citation],
    *,
    quotes: bool = False,
    selected: int | None = None,
    busy: bool = False,
) -> int | None:
    """Draw an answer; return the number of the citation just pressed, if any.

    ``text`` is the whole text until now: what goes beyond the checked sentences is shown as it
    is, still unchecked. ``quotes`` sets each sentence apart as a quotation.
    """
    starts, tail = _layout(text, claims)
    sentences = [
        {
            "text": claim.text,
            "verdict": claim.check.verdict.value,
            "citations": list(claim.citations),
            "reasons": list(claim.check.reasons),
            "starts_paragraph": quotes or begins,
        }
        for claim, begins in zip(claims, starts, strict=True)
    ]
    data: dict[str, Any] = {
        "sentences": sentences,
        "places": {str(item.number): place(item.document, item.page) for item in citations},
        "selected": selected,
        "quotes": quotes,
        "busy": busy,
        "tail": tail if busy else "",
    }
    result = _ANSWER(key=key, data=data, on_cite_change=_nothing)
    pressed = result.cite
    return int(pressed) if pressed is not None else None


def excerpt(key: str, text: str, span: tuple[int, int], label: str, *, tall: bool = False) -> None:
    """Show text with ``span`` marked and in view; ``label`` names it for a screen reader."""
    start, end = span
    data = {
        "before": text[:start],
        "marked": text[start:end],
        "after": text[end:],
        "label": label,
        "boxed": True,
        "tall": tall,
    }
    _EXCERPT(key=key, data=data)


def around(text: str, span: tuple[int, int], reach: int = 500) -> tuple[str, tuple[int, int]]:
    """Cut text to a span's surroundings; return it with the span's place in it."""
    start, end = span
    first = max(0, start - reach)
    cut = text[first : end + reach]
    return cut, (start - first, end - first)


def _nothing() -> None:
    """Take note of a press: the component's value tells which."""


def _layout(text: str, claims: Sequence[Claim]) -> tuple[list[bool], str]:
    """Find which sentences begin a paragraph of the text, and what is left after the last one."""
    starts: list[bool] = []
    position = 0
    for claim in claims:
        found = text.find(claim.text, position)
        if found < 0:
            starts.append(False)
            continue
        starts.append("\n" in text[position:found])
        position = found + len(claim.text)
    return starts, _MARKERS.sub("", text[position:])
