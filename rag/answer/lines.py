"""The lines a claim cites, read once: their words, quantities and negations, ready to compare.

A *statement* is one sentence, of a claim or of a source, taken apart the same way. It is the only
form that the rest of checking looks at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from rag.answer.polarity import NEGATIONS
from rag.answer.quantities import Quantity, quantities
from rag.answer.words import Word, plain, words
from rag.text.sentences import sentences

_TITLE = 3
_CAPITALS = 0.8
_PREFIX = 4
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
    def body(self) -> list[Word]:
        """The words without those of "at least" and "not more than": these are a number's bound."""
        leads = [(q.lead, q.start) for q in self.quantities if q.lead >= 0]
        return outside(self.words, leads)

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
        return [word for word in self.loose if word.content]

    @cached_property
    def loose(self) -> list[Word]:
        """The words of the body that are in no quantity."""
        return outside(self.body, [(q.start, q.end) for q in self.quantities])

    @cached_property
    def names(self) -> frozenset[int]:
        """Where words start that are written like names: capitals inside the sentence.

        A sentence in capitals throughout, or a title, tells nothing about names.
        """
        inside = [w for w in self.content if w.start > 0 and self.text[w.start].isupper()]
        if len(self.content) > _TITLE and len(inside) > _CAPITALS * len(self.content):
            return frozenset()
        return frozenset(word.start for word in inside)

    @cached_property
    def running(self) -> str:
        """The keys of its words, each with a space before it."""
        return "".join(f" {word.key}" for word in self.words)

    def negated(self, index: int) -> bool:
        """Whether a negation stands shortly before word ``index`` of the body."""
        return any(w.key in NEGATIONS for w in self.body[max(0, index - _REACH) : index])

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
        for index, word in enumerate(line.body):
            if len(word.key) >= _PREFIX:
                self._begins[word.key[:_PREFIX]].append(word.key)
            if word.content:
                self._negated[word.stem].add(line.negated(index))
        pairs = zip(line.words, line.words[1:], strict=False)
        self._joined.update(one.key + two.key for one, two in pairs)

    @cached_property
    def running(self) -> str:
        """The keys of all words, each with a space before it, and one at the end."""
        return "".join(line.running for line in self.statements) + " "

    @cached_property
    def starts(self) -> frozenset[int]:
        """Where in ``running`` a line starts."""
        return frozenset(accumulate((len(line.running) for line in self.statements), initial=0))

    def knows(self, word: Word) -> float:
        """How surely a word is in the lines: 1, 0.7 for a related form, 0."""
        if word.stem in self.stems:
            return 1.0
        return 0.7 if self._related(word.key) else 0.0

    def _related(self, key: str) -> bool:
        """Whether a form like ``Australian`` for ``Australia`` or ``work force`` is there."""
        if key in self._joined:
            return True
        if len(key) <= _PREFIX:
            return False
        for other in self._begins.get(key[:_PREFIX], ()):
            shared = next(
                (i for i, (a, b) in enumerate(zip(key, other, strict=False)) if a != b),
                min(len(key), len(other)),
            )
            if shared >= max(
                _PREFIX, min(len(key), len(other)) - 2, 0.6 * max(len(key), len(other))
            ):
                return True
        return False

    def polarities(self, stem: str) -> set[bool]:
        """Return whether a word stands negated, not negated, or both, in the lines."""
        return self._negated.get(stem, set())


def outside(found: Sequence[Word], spans: Sequence[tuple[int, int]]) -> list[Word]:
    """Return the words that start in none of the spans, which are in order and disjoint."""
    starts = [start for start, _ in spans]
    kept = []
    for word in found:
        place = bisect_right(starts, word.start) - 1
        if place < 0 or word.start >= spans[place][1]:
            kept.append(word)
    return kept


def statements(texts: Sequence[str]) -> list[Statement]:
    """Cut texts into sentences and bring each into its plain form."""
    found = [plain(text[start:end]) for text in texts for start, end in sentences(text)]
    return [statement for statement in map(Statement, found) if statement.words]
