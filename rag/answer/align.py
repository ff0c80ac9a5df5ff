"""What a sentence changes when it nearly quotes a line: numbers, names, a "not", one word.

Two sentences are laid side by side, word by word, quantities as wholes. Where most of one stands
in the other in the same order, each difference is deliberate or a mistake, and is told. Where too
little is shared to call it a quote, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from rag.answer.lines import Lines, Statement
from rag.answer.polarity import BINDING, NEGATIONS, TURNING, kindred, opposites
from rag.answer.quantities import Quantity
from rag.answer.words import FILLERS, Word

SWAP = 0.4
"""From this share of a sentence in a line, in order, two words that changed places are told."""

QUOTE = 0.6
"""From this share of a sentence in a line, in order, it counts as quoting the line."""

CLOSE_QUOTE = 0.85
"""From this share a changed word that no line has is told too, whatever the word."""

_LINES_TRIED = 3
_LONGEST = 500
"""Words of a line or a sentence that are laid side by side; what is longer is no sentence."""


@dataclass(frozen=True, slots=True)
class Item:
    """A word, or a quantity as a whole, of a sentence laid beside another."""

    key: object
    text: str
    word: Word | None
    quantity: Quantity | None
    name: bool = False

    @property
    def turns(self) -> bool:
        """Whether it turns a sentence around."""
        return self.word is not None and self.word.key in NEGATIONS | TURNING

    def agrees(self, other: Item) -> bool:
        """Whether both are quantities that say the same."""
        return bool(self.quantity and other.quantity and self.quantity.agrees(other.quantity))


@dataclass(frozen=True, slots=True)
class Change:
    """What a sentence says differently: ``said`` here, ``written`` in the line (may be empty)."""

    kind: str
    said: str
    written: str


def items(sentence: Statement) -> list[Item]:
    """Return a sentence as words and whole quantities, without articles."""
    found: list[tuple[int, Item]] = []
    for quantity in sentence.quantities:
        key = (quantity.kind, quantity.values, quantity.unit)
        first = quantity.kind == "ordinal" and quantity.values == ((1.0,),)
        word = Word(quantity.start, quantity.end, "first", "first") if first else None
        found.append(
            (
                quantity.start,
                Item("first" if word else key, sentence.quote(quantity), word, quantity),
            )
        )
    for word in sentence.loose:
        if word.key in FILLERS:
            continue
        bare = BINDING.get(word.key, word.stem)
        text, name = sentence.text[word.start : word.end], word.start in sentence.names
        found.append((word.start, Item(bare, text, word, None, name)))
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def changes(sentence: Statement, lines: Lines) -> list[Change]:
    """Return what a sentence changes in the line it comes nearest to; empty when it quotes none."""
    said = items(sentence)[:_LONGEST]
    shared = sorted(
        lines.statements,
        key=lambda line: len(sentence.stems & line.stems) / (4 + len(sentence.stems)),
        reverse=True,
    )
    best: tuple[float, list[Change]] = (0.0, [])
    for line in shared[:_LINES_TRIED]:
        written = items(line)[:_LONGEST]
        matcher = SequenceMatcher(
            None, [i.key for i in said], [i.key for i in written], autojunk=False
        )
        blocks = matcher.get_opcodes()
        share = sum(b - a for tag, a, b, _, _ in blocks if tag == "equal") / max(1, len(said))
        if share > best[0]:
            found = list(_told(share, said, written, blocks, lines)) if share >= SWAP else []
            best = (share, found)
    return best[1]


Opcodes = Sequence[tuple[str, int, int, int, int]]
Pair = tuple[list[Item], list[Item]]


def _told(
    share: float, said: list[Item], written: list[Item], blocks: Opcodes, lines: Lines
) -> Iterator[Change]:
    pairs: list[Pair] = []
    first = next(block[3] for block in blocks if block[0] == "equal")
    last = max(block[4] for block in blocks if block[0] == "equal")
    for tag, a, b, c, d in blocks:
        here, there = said[a:b], written[c:d]
        if tag == "equal":
            yield from _bounds(here, there)
            continue
        # What the line has before and after the quoted part is none of its business, but for a
        # "not" right before it and for what stands in the place of the sentence's own words.
        if d <= first:
            there = there[-max(2, len(here)) :]
        elif c >= last:
            there = there[: len(here)]
        pairs.append((here, there))
    yield from _swapped(pairs)
    if share < QUOTE:
        return
    yield from _turned(pairs)
    yield from _skipped(said, written, blocks)
    for here, there in pairs:
        yield from _quantities(here, there)
        yield from _words(here, there, lines, close=share >= CLOSE_QUOTE)


def _bounds(here: list[Item], there: list[Item]) -> Iterator[Change]:
    """Tell "at least 30 days" from "at most 30 days"."""
    for one, two in zip(here, there, strict=True):
        if one.quantity and two.quantity and one.quantity.bound * two.quantity.bound < 0:
            yield Change("bound", one.text, two.text)


def _turned(pairs: list[Pair]) -> Iterator[Change]:
    """Tell an added or dropped "not"; "not … any" for "no" is neither."""
    here = [item.text for pair in pairs for item in pair[0] if item.turns]
    there = [item.text for pair in pairs for item in pair[1] if item.turns]
    if len(here) % 2 != len(there) % 2:
        added = len(here) > len(there)
        yield Change("added" if added else "dropped", (here if added else there)[0], "")


def _quantities(here: list[Item], there: list[Item]) -> Iterator[Change]:
    known = [item for item in there if item.quantity]
    for item in here:
        if item.quantity and known and not any(item.agrees(other) for other in known):
            yield Change("number", item.text, known[0].text)


def _skipped(said: list[Item], written: list[Item], blocks: Opcodes) -> Iterator[Change]:
    """Tell "begins on [1 March and ends on] 5 May": a figure taken from another place."""
    for (tag, _, _, c, d), (_, a, b, _, _) in pairwise(blocks):
        if tag != "insert" or c == d or a == b:
            continue
        one, two = said[a].quantity, written[c].quantity
        if one and two and (one.kind, one.unit) == (two.kind, two.unit) and not one.agrees(two):
            yield Change("number", said[a].text, written[c].text)


def _words(here: list[Item], there: list[Item], lines: Lines, *, close: bool) -> Iterator[Change]:
    """Tell an opposite, another duty or right, another name, or a word no line has."""
    here, there = [i for i in here if i.word], [i for i in there if i.word]
    for one in here:
        against = [o for o in there if o.key in opposites().get(str(one.key), ())]
        if against:
            yield Change("opposite", one.text, against[0].text)
            return
    ties = [next((i for i in part if i.key in BINDING.values()), None) for part in (here, there)]
    if ties[0] and ties[1] and ties[0].key != ties[1].key:
        yield Change("binding", ties[0].text, ties[1].text)
        return
    old = [i for i in there if i.word and i.word.content and not i.turns]
    fresh = [
        i
        for i in here
        if i.word and i.word.content and not i.turns and not lines.knows(i.word)
        if not any(kindred(str(i.key), str(other.key)) for other in old)
    ]
    names = [i for i in here if i.name and i.key not in {o.key for o in there}]
    told = fresh if close else [i for i in fresh if i.name or len(i.text) == 1]  # as in 12(b)
    if close and any(o.name for o in old):
        told = told or names
    if told and old:
        yield Change("word", _joined(told), _joined(old))


def _swapped(pairs: list[Pair]) -> Iterator[Change]:
    """Tell two words that have changed places."""
    content = [
        tuple(
            tuple(i.key for i in part if i.quantity or (i.word and i.word.content)) for part in pair
        )
        for pair in pairs
    ]
    for (here, _), (one, two) in zip(pairs, content, strict=True):
        if one and two and (two, one) in content:
            other = pairs[content.index((two, one))]
            yield Change("swapped", _joined(here), _joined(other[0]))
            return


def _joined(part: Sequence[Item]) -> str:
    return " ".join(item.text for item in part)
