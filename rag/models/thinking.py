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
_OPEN = re.compile(rf"<({'|'.join(_NAMES)})>", re.IGNORECASE)
_STRAY = re.compile(rf"</({'|'.join(_NAMES)})>\s*", re.IGNORECASE)
_TAGS = tuple(f"<{slash}{name}>" for name in _NAMES for slash in ("", "/"))


class Thinking:
    """Takes pieces, gives back what of them is answer."""

    def __init__(self) -> None:
        self.seen = False
        self._held = ""
        self._inside = ""
        self._begun = False

    def feed(self, piece: str) -> str:
        """Return the answer's text that is certain after this piece, possibly empty."""
        text, self._held = self._held + piece, ""
        said = ""
        while text:
            spoken, text = self._think(text) if self._inside else self._speak(text)
            said += spoken
        return self._started(said)

    def finish(self) -> str:
        """Return what was held back because it could have been the beginning of a tag."""
        rest, self._held = self._held, ""
        return "" if self._inside else self._started(rest)

    def _think(self, text: str) -> tuple[str, str]:
        end = f"</{self._inside}>"
        at = text.lower().find(end)
        if at < 0:
            self._held = text[len(text) - _tag_begun(text, (end,)) :]
            return "", ""
        self._inside = ""
        return "", text[at + len(end) :].lstrip()

    def _speak(self, text: str) -> tuple[str, str]:
        match = _OPEN.search(text)
        if match:
            self.seen = True
            self._inside = match[1].lower()
            return _STRAY.sub("", text[: match.start()]), text[match.end() :]
        keep = len(text) - _tag_begun(text, _TAGS)
        self._held = text[keep:]
        return _STRAY.sub("", text[:keep]), ""

    def _started(self, said: str) -> str:
        """Drop white space before the answer's first word."""
        if not self._begun:
            said = said.lstrip()
            self._begun = bool(said)
        return said


def _tag_begun(text: str, tags: tuple[str, ...]) -> int:
    """Return how many characters at the end of the text could be the beginning of a tag."""
    at = text.rfind("<")
    if at < 0 or not any(tag.startswith(text[at:].lower()) for tag in tags):
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
