"""The lines a claim cites, read once: their words, quantities and negations, ready to compare.

A *statement* is one sentence, of a claim or of a source, taken apart the same way. It is the only
form that the rest of checking looks at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.answer.polarity import NEGATIONS
from rag.answer.quantities import Quantity, quantities
from rag.answer.words import Word, plain, words
from rag.text.sentences import sentences

_REACH = 4
"""A negation reaches over this many words."""


@dataclass(frozen=True)
class Statement:
    """One sentence in its plain form, with what can be compared in it."""

    text: str

    @cached_property
    def words(self) -> list[Word]:
        """Every word in order, those of quantities too."""
        return words(self.text)

    @cached_property
    def quantities(self) -> list[Quantity]:
        """Every number, date and amount in order."""
        return quantities(self.text)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all words."""
        return frozenset(word.stem for word in self.words)

    @cached_property
    def content(self) -> list[Word]:
        """The words that say something by themselves, those of quantities left out."""
        spans = [(quantity.start, quantity.end) for quantity in self.quantities]
        outside = [w for w in self.words if not any(a <= w.start < b for a, b in spans)]
        return [word for word in outside if word.content]

    @cached_property
    def names(self) -> frozenset[int]:
        """Where words start that are written like names: capitals inside the sentence.

        A sentence in capitals throughout, or a title, tells nothing about names.
        """
        inside = [w for w in self.content if w.start > 0 and self.text[w.start].isupper()]
        if len(self.content) > 3 and len(inside) > 0.8 * len(self.content):
            return frozenset()
        return frozenset(word.start for word in inside)

    def negated(self, index: int) -> bool:
        """Whether a negation stands shortly before the word at ``index``."""
        return any(w.key in NEGATIONS for w in self.words[max(0, index - _REACH) : index])

    def quote(self, quantity: Quantity) -> str:
        """Return a quantity as it is written."""
        return self.text[quantity.start : quantity.end].rstrip(" .,;")


class Lines:
    """All cited lines together: what is said anywhere in them."""

    def __init__(self, sources: Sequence[str]) -> None:
        self.statements = statements(sources)
        self.quantities = [q for line in self.statements for q in line.quantities]
        self.stems = frozenset().union(*(line.stems for line in self.statements))
        self.years = frozenset(
            part
            for quantity in self.quantities
            for values in quantity.values
            for part in values
            if quantity.kind in ("date", "number")
        )
        self._begins: dict[str, list[str]] = defaultdict(list)
        self._joined: set[str] = set()
        self._negated: dict[str, set[bool]] = defaultdict(set)
        for line in self.statements:
            self._take_in(line)

    def _take_in(self, line: Statement) -> None:
        for index, word in enumerate(line.words):
            if len(word.key) >= 4:
                self._begins[word.key[:4]].append(word.key)
            if word.content:
                self._negated[word.stem].add(line.negated(index))
        pairs = zip(line.words, line.words[1:], strict=False)
        self._joined.update(one.key + two.key for one, two in pairs)

    @cached_property
    def running(self) -> str:
        """The keys of all words with a space around each, for finding a quote."""
        return " ".join(["", *(w.key for line in self.statements for w in line.words), ""])

    @cached_property
    def whole(self) -> frozenset[str]:
        """Each line's keys in the form of ``running``."""
        return frozenset("".join(f" {w.key}" for w in s.words) + " " for s in self.statements)

    def knows(self, word: Word) -> float:
        """How surely a word is in the lines: 1, 0.7 for a related form, 0."""
        if word.stem in self.stems:
            return 1.0
        return 0.7 if self._related(word.key) else 0.0

    def _related(self, key: str) -> bool:
        """Whether a form like ``Australian`` for ``Australia`` or ``work force`` is there."""
        if key in self._joined:
            return True
        if len(key) < 5:
            return False
        for other in self._begins.get(key[:4], ()):
            shared = next(
                (i for i, (a, b) in enumerate(zip(key, other, strict=False)) if a != b),
                min(len(key), len(other)),
            )
            if shared >= max(4, min(len(key), len(other)) - 2, 0.6 * max(len(key), len(other))):
                return True
        return False

    def polarities(self, stem: str) -> set[bool]:
        """Return whether a word stands negated, not negated, or both, in the lines."""
        return self._negated.get(stem, set())


def statements(texts: Sequence[str]) -> list[Statement]:
    """Cut texts into sentences and bring each into its plain form."""
    found = [plain(text[start:end]) for text in texts for start, end in sentences(text)]
    return [statement for statement in map(Statement, found) if statement.words]
