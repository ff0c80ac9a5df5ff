"""Keeps a model's thinking out of its answer.

Servers that know their model send thinking apart; others leave ``<think>…</think>`` in the text, cut
anywhere between two pieces. What follows a tag that is never closed was thinking to the end.
Does not know thinking whose opening tag stood in the prompt: of that, only the closing tag is
dropped.
"""

from __future__ import annotations

import re

from rag.errors import ModelBroke
from rag.models.messages import Ending, Stream

_NAMES = ("think", "thinking", "thought", "reasoning")
_TAG = re.compile(rf"<(/?)({'|'.join(_NAMES)})>", re.IGNORECASE | re.ASCII)
_TAGS = tuple(f"<{slash}{name}>" for name in _NAMES for slash in ("", "/"))


class Thinking:
    """Takes pieces, gives back what of them is answer.

    What it knows from one piece to the next is all it ever decides by, so that it does not matter
    where the pieces were cut.
    """

    def __init__(self) -> None:
        self.seen = False
        self._held = ""
        self._inside = ""
        self._space_dropped = True  # before the answer's first word, and after a closing tag

    def feed(self, piece: str) -> str:
        """Return the answer's text that is certain after this piece, possibly empty."""
        text = self._held + piece
        said = ""
        at = 0
        for tag in _TAG.finditer(text):
            said += self._speak(text[at : tag.start()])
            self._pass(closing=bool(tag[1]), name=tag[2].lower())
            at = tag.end()
        certain = len(text) - _tag_begun(text[at:])
        self._held = text[certain:]
        return said + self._speak(text[at:certain])

    def finish(self) -> str:
        """Return what was held back because it could have been the beginning of a tag."""
        rest, self._held = self._held, ""
        return self._speak(rest)

    def _speak(self, text: str) -> str:
        """Return what of this text without tags is answer."""
        if self._inside:
            return ""
        if self._space_dropped:
            text = text.lstrip()
            self._space_dropped = not text
        return text

    def _pass(self, *, closing: bool, name: str) -> None:
        """Go into thinking or out of it; within it, only its own closing tag counts."""
        if self._inside not in {"", name}:
            return
        if closing:
            self._inside = ""
            self._space_dropped = True
        else:
            self.seen = True
            self._inside = name


def _tag_begun(text: str) -> int:
    """Return how many characters at the end of the text could be the beginning of a tag."""
    at = text.rfind("<")
    if at < 0 or not any(tag.startswith(text[at:].lower()) for tag in _TAGS):
        return 0
    return len(text) - at


def answer_only(pieces: Stream, who: str) -> Stream:
    """Pass on a stream without its thinking; empty pieces stay, as signs of life.

    Raises:
        ModelBroke: the model ended without an answer.
    """
    thinking = Thinking()
    said = False
    try:
        while True:
            try:
                piece = next(pieces)
            except StopIteration as end:
                ending: Ending = end.value
                break
            spoken = thinking.feed(piece)
            said = said or bool(spoken)
            yield spoken
    finally:
        pieces.close()
    rest = thinking.finish()
    if rest:
        yield rest
    elif not said:
        raise _nothing_said(who, ending.reason)
    return ending


def _nothing_said(who: str, reason: str) -> ModelBroke:
    if reason == "length":
        return ModelBroke(
            f"{who} used up the length allowed before its answer began.",
            "It may be a model that thinks first: set “think = false” in the specialist, raise "
            "“answer_tokens”, or take another model.",
        )
    return ModelBroke(
        f"{who} ended without saying anything.", "Ask again in other words, or take another model."
    )
