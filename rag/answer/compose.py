"""An answer as it grows: sentences cut from the stream, markers turned into citations, checked.

A model cites the numbers of the sentences it was shown. A reader sees citations counted from 1 in
the order of their first use, and quotes taken from the store, never from the model. A number that
was not shown cites nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from rag.answer.boxes import line_boxes
from rag.answer.cite import check
from rag.specialists import Checking
from rag.text.sentences import sentences
from rag.types import Check, Checked, Citation, Claim, Page, Source, Verdict

MARKER = re.compile(r"\[(\d[\d,;\s–-]*)\]|【(\d[\d,;\s–-]*)】")
OPEN_MARKER = re.compile(r"[\[【][\d,;\s–-]{0,24}$")
"""A marker that the stream has begun and not ended; its text is held back until it is whole."""
LEADING_MARKERS = re.compile(r"^\s*(?:\[\d+\]\s*[.,;]?\s*)+")
OWN_MARKER = re.compile(r"\s*\[(\d+)\]")
WIDEST_RANGE = 20
"""``[1-400]`` is no citation: a range wider than this cites nothing."""

NOT_CITED = Check(Verdict.UNCITED, 0.0, ("This sentence cites no line.",))


class Composition:
    """Takes a model's text piece by piece; gives what may be shown and the checked sentences."""

    def __init__(
        self,
        sources: Sequence[Source],
        page: Callable[[int, int], Page],
        checking: Checking,
    ) -> None:
        self._sources = {source.number: source for source in sources}
        self._page = page
        self._checking = checking
        self._numbers: dict[int, int] = {}
        self._held = ""
        self._open = ""
        self.text = ""
        self.claims: list[Claim] = []
        self.citations: list[Citation] = []

    def feed(self, piece: str) -> str:
        """Take a piece of the model's text; return what may be shown of it now."""
        self._held += piece
        unfinished = OPEN_MARKER.search(self._held)
        cut = unfinished.start() if unfinished else len(self._held)
        ready, self._held = self._held[:cut], self._held[cut:]
        return self._show(ready)

    def flush(self) -> str:
        """Return what was held back when the model has ended."""
        ready, self._held = self._held, ""
        return self._show(ready)

    def finished_sentences(self, *, last: bool = False) -> Iterator[Checked]:
        """Yield the sentences that are whole by now, each checked; with ``last`` all that is left."""
        while True:
            spans = sentences(self._open)
            if not spans or (len(spans) == 1 and not last):
                return
            end = spans[1][0] if len(spans) > 1 else len(self._open)
            following = LEADING_MARKERS.match(self._open[end:])
            if following:
                end += following.end()
                if end >= len(self._open) and not last:
                    return
            sentence, self._open = self._open[:end], self._open[end:]
            checked = self._checked(sentence)
            if checked:
                yield checked

    def quote(self, source: Source) -> Checked:
        """Add a source's own sentence to the answer, citing itself."""
        number = self._number(source.number)
        separator = " " if self.text else ""
        self.text += f"{separator}{source.text} [{number}]"
        return self._judge(source.text, (number,))

    def _show(self, text: str) -> str:
        shown = MARKER.sub(self._renumbered, text)
        self.text += shown
        self._open += shown
        return shown

    def _renumbered(self, match: re.Match[str]) -> str:
        numbers = numbers_in(match[1] or match[2])
        known = [self._number(number) for number in numbers if number in self._sources]
        return "".join(f"[{number}]" for number in known)

    def _number(self, source: int) -> int:
        return self._numbers.setdefault(source, len(self._numbers) + 1)

    def _checked(self, sentence: str) -> Checked | None:
        numbers = tuple(dict.fromkeys(int(found) for found in OWN_MARKER.findall(sentence)))
        text = OWN_MARKER.sub("", sentence).strip().lstrip("-*•").strip()
        if not any(character.isalnum() for character in text):
            return None
        return self._judge(text, numbers)

    def _judge(self, text: str, numbers: tuple[int, ...]) -> Checked:
        by_number = {shown: self._sources[source] for source, shown in self._numbers.items()}
        cited = [by_number[number] for number in numbers]
        verdict = check(text, [s.text for s in cited], self._checking) if cited else NOT_CITED
        claim = Claim(text, numbers, verdict)
        known = {citation.number for citation in self.citations}
        fresh = tuple(
            self._citation(number, by_number[number]) for number in numbers if number not in known
        )
        self.claims.append(claim)
        self.citations.extend(fresh)
        return Checked(claim, fresh)

    def _citation(self, number: int, source: Source) -> Citation:
        page = self._page(source.version_id, source.page_number)
        return Citation(
            number=number,
            document=source.document,
            document_id=source.document_id,
            version_id=source.version_id,
            page=source.page,
            page_number=source.page_number,
            start=source.start,
            end=source.end,
            quote=page.text[source.start : source.end],
            boxes=line_boxes(page, source.start, source.end),
        )


def numbers_in(marker: str) -> list[int]:
    """Return the numbers of a marker's inside: ``1, 4`` or ``2-5``."""
    numbers: list[int] = []
    for part in re.split(r"[,;\s]+", marker.strip(" ,;–-")):
        ends = [int(end) for end in re.split(r"[–-]", part) if end][:2]
        if len(ends) == 2 and 0 <= ends[1] - ends[0] <= WIDEST_RANGE:  # noqa: PLR2004 - from, to
            numbers.extend(range(ends[0], ends[1] + 1))
        else:
            numbers.extend(ends[:1])
    return numbers
