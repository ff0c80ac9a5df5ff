"""How much of a sentence its lines bear out, in six figures and their reasons.

Each figure is simple and means something to a reader; :mod:`rag.answer.cite` weighs them. Nothing
here is a probability, and no figure looks beyond the words: a free paraphrase scores low.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rag.answer.lines import Lines, Statement
from rag.answer.polarity import ABSOLUTES, prefixed
from rag.answer.quantities import Quantity
from rag.answer.words import Word, stem

_NAME_WEIGHT = 2.0
_QUANTITY_WEIGHT = 2.0
_BEST = 3
_BORNE_OUT = 0.5
_SHORTEST_PREFIXED = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a sentence (``cover``) and against it (the other figures, 0 is good).

    cover: share of its words, names and quantities (these count double) in the best three lines.
    names: log(1 + names, a run of capitals being one, that are nowhere in the lines).
    numbers: how badly its worst quantity is borne out, 0 to 1.
    negation: log(1 + words that it negates and no line does).
    opposites: log(1 + words like "unsuitable" for which the lines only have "suitable").
    absolutes: 1 when it says "only", "always", "never", "all" and no line does.
    """

    cover: float
    names: float
    numbers: float
    negation: float
    opposites: float
    absolutes: float
    missing_names: tuple[str, ...] = ()
    missing_quantities: tuple[Quantity, ...] = ()
    missing_words: tuple[str, ...] = ()


def weigh(sentence: Statement, lines: Lines) -> Evidence:
    """Hold one sentence of a claim against all its lines."""
    content = sentence.content or sentence.words
    unknown = [word for word in content if not lines.knows(word)]
    names = _runs(sentence, content, unknown)
    marks = [(quantity, borne_out(quantity, lines)) for quantity in sentence.quantities]
    stems = {word.stem for word in sentence.words}
    return Evidence(
        cover=_cover(sentence, content, lines),
        names=math.log1p(len(names)),
        numbers=1 - min((mark for _, mark in marks), default=1.0),
        negation=math.log1p(_newly_negated(sentence, lines)),
        opposites=math.log1p(_opposed(content, lines)),
        absolutes=float(bool(stems & ABSOLUTES) and not lines.stems & ABSOLUTES),
        missing_names=tuple(names),
        missing_quantities=tuple(q for q, mark in marks if mark < _BORNE_OUT and q.telling),
        missing_words=tuple(
            sentence.text[word.start : word.end]
            for word in unknown
            if word.start not in sentence.names
        ),
    )


def _cover(sentence: Statement, content: Sequence[Word], lines: Lines) -> float:
    """Return the share of the sentence in the best three lines, taken greedily."""
    left = [(w.stem, _NAME_WEIGHT if w.start in sentence.names else 1.0) for w in content]
    numbers = list(sentence.quantities)
    total = sum(weight for _, weight in left) + _QUANTITY_WEIGHT * len(numbers)
    found = 0.0
    for _ in range(min(_BEST, len(lines.statements))):
        gains = [_gain(left, numbers, line) for line in lines.statements]
        best = max(range(len(gains)), key=gains.__getitem__)
        found += gains[best]
        line = lines.statements[best]
        left = [(stem_, weight) for stem_, weight in left if stem_ not in line.stems]
        numbers = [q for q in numbers if not any(q.agrees(o) for o in line.quantities)]
    return found / total


def _gain(left: list[tuple[str, float]], numbers: list[Quantity], line: Statement) -> float:
    agreed = sum(any(q.agrees(other) for other in line.quantities) for q in numbers)
    return sum(weight for s, weight in left if s in line.stems) + _QUANTITY_WEIGHT * agreed


def borne_out(quantity: Quantity, lines: Lines) -> float:
    """Return how well a quantity is borne out anywhere in the lines, 0 to 1.

    A date counts by the parts that agree; a value with another unit, or only the year, counts 0.3.
    """
    agreeing = [other for other in lines.quantities if quantity.agrees(other)]
    if agreeing and quantity.kind != "date":
        return 1.0
    if agreeing:
        return max(_parts_shared(quantity, other, lines.years) for other in agreeing)
    if quantity.kind == "date":
        return 0.3 if quantity.values[0][0] in lines.years - {0.0} else 0.0
    return 0.3 if any(quantity.values == other.values for other in lines.quantities) else 0.0


def _parts_shared(date: Quantity, other: Quantity, known: Iterable[float]) -> float:
    said = [part for part in date.values[0] if part]
    if other.kind != "date":
        return 1.0
    best = 0.0
    for values in other.values:
        pairs = [(a, b) for a, b in zip(date.values[0], values, strict=True) if a]
        same = sum(a == b for a, b in pairs)
        elsewhere = sum(not b and a in known for a, b in pairs)
        best = max(best, min(1.0, (same + 0.5 * elsewhere) / len(said)))
    return best


def _runs(sentence: Statement, content: Sequence[Word], unknown: Sequence[Word]) -> list[str]:
    """Return the names that no line has, a run of neighbouring words being one."""
    missing = {w.start for w in unknown} & sentence.names
    runs: list[list[Word]] = []
    last = -2
    for index, word in enumerate(content):
        if word.start in missing:
            if index == last + 1 and runs:
                runs[-1].append(word)
            else:
                runs.append([word])
            last = index
    return [sentence.text[run[0].start : run[-1].end] for run in runs]


def _newly_negated(sentence: Statement, lines: Lines) -> int:
    """Count the words negated here and never in the lines."""
    return sum(
        lines.polarities(word.stem) == {False} and sentence.negated(index)
        for index, word in enumerate(sentence.body)
        if word.content
    )


def _opposed(content: Sequence[Word], lines: Lines) -> int:
    """Count the words that the lines have only without, or only with, a negating prefix."""
    return sum(
        any(stem(form) in lines.stems for form in prefixed(word.key))
        for word in content
        if len(word.key) > _SHORTEST_PREFIXED and word.stem not in lines.stems
    )
