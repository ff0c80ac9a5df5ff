"""Where the sentences of a text are, as offsets into it: the unit that is quoted and cited.

A sentence here is what a reader would quote: a sentence of prose, a heading, one item of a list,
one numbered clause, one row of a table. Works in two steps. First lines are gathered into blocks:
a wrapped line of a PDF goes on in the next one, a heading, an item or a row does not. Then each
block is cut at sentence ends, minding abbreviations, initials, decimals and clause numbers.

Knows nothing of pages, fonts or files, and is a set of rules for English law, business and school
prose that stays harmless elsewhere: whatever the text, the spans are ordered and disjoint, hold no
white space at their ends, and together cover every other character. The time is linear in the
length of the text, also where a line has megabytes: no pattern here may look back or ahead further
than a fixed number of characters.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PARAGRAPH = 240
"""A line longer than this many characters is a paragraph of its own, not a wrapped line."""

_NARROW = 40
_SHORT = 0.75
_WINDOW = 6
_LONG_ROW = 400
_LOOK = 24

_LINE = re.compile(r"[^\n\r\f\v\x1c-\x1e\x85\u2028\u2029]+")
_BREAKS = re.compile(r"\r\n|[\n\r\f\v\x1c-\x1e\x85\u2028\u2029]")
_ITEM = re.compile(
    r"""[•●▪▸◦‣○■□➢✓*\uf000-\uf0ff]\s
    | \((?:[a-zA-Z]|[ivxl]{1,5}|[IVXL]{1,5}|\d{1,3}|[a-z]{2})\)(?:\s|\()
    | (?:[a-zA-Z]|[ivx]{1,4}|\d{1,3})\)\s
    | \d{1,3}(?:\.\d{1,3}){0,4}\.\s{1,9}\S
    | \d{1,3}(?:\.\d{1,3}){1,4}\)?\s{1,9}["“A-Z]
    | [A-Z]\.\s{1,9}["“A-Z]
    """,
    re.VERBOSE,
)
_NAMED_ITEM = re.compile(
    r"(?:item|article|section|part|note|chapter|schedule|exhibit|annex)\s[\dIVXL]{1,5}[A-Z]?"
    r"\s?[.:—–-]\s{1,3}[\"“A-Z]",
    re.IGNORECASE,
)
_LEADS_ON = re.compile(r"(?:\b(?:of|in|to|under|with|and|or|by|see|the)|,)$", re.IGNORECASE)
_DASH_ITEM = re.compile(r"[-–—]\s{1,3}[^\W\d]")
_REFERENCE = re.compile(
    r"(?:\b(?:sections?|clauses?|paragraphs?|subsections?|articles?|rules?|items?|notes?)|§)"
    r"(?:\s\d[\d.]{0,8})?$",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"[(+-]?[$€£¥]?\(?\d[\d,.]*+[)%]*|[—–$€£%)-]")
_OPENERS = "\"'“‘«([{*_"
_CLOSERS = re.compile(r"[\"'”’»)\]}*_]*+")
_END = re.compile(r"[.!?…]++|[。！？｡।॥؟۔]++")
_WIDE = frozenset("。！？｡")
_LABEL = re.compile(
    r"(?:(?:section|sec|article|art|item|part|note|chapter|schedule|exhibit|annex|appendix|rule|§+)"
    r"\.?\s)?\(?(?:\d{1,4}[a-z]?|[ivxlc]{1,6}|[a-z])\)?(?:\.\d{1,3})*(?:\([a-z0-9]{1,4}\))*",
    re.IGNORECASE,
)
_NAMED_LETTER = re.compile(
    r"\b(?:exhibit|schedule|appendix|annex|class|series|section|part|item|form|grade|vitamin)\s\w$",
    re.IGNORECASE,
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALWAYS = _words(
    "mr mrs ms dr prof rev hon gen sen rep gov messrs vs v cf e.g i.e eg ie viz approx al dept est "
    "ca jan feb mar apr jun jul aug sept oct nov dec mt st ave blvd rd tel ext attn encl"
)
_BEFORE_NUMBER = _words(
    "no nos sec secs art arts fig figs para paras ch chs cl cls p pp vol vols pt ex exh n r reg "
    "regs ss app subsec par tab eq ln bk"
)
_MAY_END = _words(
    "inc corp ltd co llc plc l.l.c n.a s.a u.s u.k u.s.a u.s.c d.c a.m p.m etc jr sr esq bros "
    "ph.d m.d b.a m.a j.d f.3d f.2d"
)
_STARTERS = _words(
    "a after all also although an and any as at because before both but by each either every "
    "except for from he her his however i if in it its many most neither no notwithstanding on "
    "once one our she should since some such that the their there these they this those to under "
    "unless until upon we what when where whether while who with within without you your"
)
_WORD = re.compile(r"[^\W\d_]{1,20}")


class _Line(NamedTuple):
    start: int
    end: int
    apart: bool
    """True where a blank line stands before it."""


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans of the sentences of ``text``, as ``(start, end)`` character offsets.

    The spans are in order, do not overlap, begin and end with a character that is not white space,
    and every character that is not white space lies in one of them.
    """
    spans: list[tuple[int, int]] = []
    lines = _lines(text)
    first = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or _is_break(text, lines, index):
            _cut(text, lines[first].start, lines[index - 1].end, spans)
            first = index
    return spans


def is_row(line: str) -> bool:
    """Say whether a line looks like a row of a table: cells, or figures at its end."""
    if "\t" in line or " | " in line:
        return True
    last = line[-64:].split()[-2:]
    return (
        len(last) == 2  # noqa: PLR2004 - two columns make a table
        and _FIGURE.fullmatch(last[0]) is not None
        and _FIGURE.fullmatch(last[1]) is not None
    )


def _ends_in_figure(line: str) -> bool:
    return _FIGURE.fullmatch(line[-_LOOK:].rsplit(maxsplit=1)[-1]) is not None


def is_item(line: str) -> bool:
    """Say whether a line begins a list item or a numbered clause: “(a) …”, “4.3 Rent”, “• …”."""
    return _ITEM.match(line) is not None


def _lines(text: str) -> list[_Line]:
    lines: list[_Line] = []
    before = 0
    for match in _LINE.finditer(text):
        raw = match.group()
        trimmed = raw.strip()
        if not trimmed:
            continue
        start = match.start() + len(raw) - len(raw.lstrip())
        # Between two lines stand their line end and, where lines are apart, further ones.
        apart = start - before > 1 and len(_BREAKS.findall(text, before, start)) > 1
        end = start + len(trimmed)
        lines.append(_Line(start, end, apart))
        before = end
    return lines


def _is_break(text: str, lines: list[_Line], index: int) -> bool:
    """Say whether a sentence cannot go on from line ``index - 1`` to line ``index``."""
    above, below = lines[index - 1], lines[index]
    if below.apart or above.end - above.start > PARAGRAPH:
        return True
    first = text[above.start : above.end]
    second = text[below.start : below.end]
    head = second[: _LOOK * 2]
    if _ITEM.match(head):
        return _REFERENCE.search(first[-_LOOK:]) is None
    if _NAMED_ITEM.match(head):
        return _LEADS_ON.search(first[-_LOOK:]) is None
    if is_row(first):
        return True
    if head.lstrip(_OPENERS)[:1].islower():
        return False
    short = len(first) + len(head.split(None, 1)[0]) < _SHORT * _width(lines, index)
    return short or _is_new(first, second)


def _is_new(first: str, second: str) -> bool:
    """Say whether a line that does not begin in lower case begins something new."""
    if first[-1] in ";:" or is_row(second):
        return True
    if _DASH_ITEM.match(second):
        return first[-1] in ".!?"
    figures = _ends_in_figure(first) and _ends_in_figure(second)
    return figures or first.isupper() != second.isupper()


def _width(lines: list[_Line], index: int) -> int:
    """Return the length of the longest line nearby: how far a wrapped line would reach."""
    near = lines[max(0, index - _WINDOW) : index + _WINDOW]
    return max(_NARROW, *(line.end - line.start for line in near))


def _cut(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> None:
    """Cut the block ``start:end`` at its sentence ends and append the spans."""
    if end - start <= _LONG_ROW and is_row(text[start:end]):
        spans.append((start, end))
        return
    for match in _END.finditer(text, start, end):
        if match.start() < start:
            continue
        stop = _CLOSERS.match(text, match.end(), end).end()  # type: ignore[union-attr]
        if stop >= end:
            break
        wide = text[match.end() - 1] in _WIDE
        if wide or (text[stop].isspace() and _is_end(text, start, match, stop, end)):
            spans.append((start, stop))
            start = _skip_space(text, stop, end)
    if start < end:
        spans.append((start, end))


def _skip_space(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position


def _is_end(text: str, start: int, match: re.Match[str], stop: int, end: int) -> bool:
    """Say whether the stop sign ``match``, with white space at ``stop``, ends a sentence."""
    sign = match.group()
    position = _skip_space(text, stop, min(end, stop + _LOOK))
    following = text[position : position + _LOOK].lstrip(_OPENERS)
    if following[:1].islower():
        return False
    if sign != ".":
        return len(sign) <= 3 or "." not in sign  # noqa: PLR2004 - longer runs are dot leaders
    if match.start() == start or text[match.start() - 1].isspace():
        return False
    if match.start() - start <= _LOOK and _LABEL.fullmatch(text, start, match.start()):
        return False
    return not _is_abbreviation(text, start, match.start(), following)


def _is_abbreviation(text: str, start: int, dot: int, following: str) -> bool:
    """Say whether the full stop at ``dot`` belongs to an abbreviation or an initial."""
    before = text[max(start, dot - _LOOK) : dot]
    word = before.split()[-1].lstrip(_OPENERS)
    lower = word.casefold()
    if lower in _ALWAYS:
        return True
    if len(word) == 1 and word.isupper():
        return _NAMED_LETTER.search(before) is None
    if lower in _BEFORE_NUMBER:
        return following[:1].isdigit() or following[:1] in {"#", "§"}
    if lower in _MAY_END or (len(word) <= 8 and _is_dotted(word)):  # noqa: PLR2004 - “U.S.S.R.”
        found = _WORD.match(following)
        return found is not None and found.group().casefold() not in _STARTERS
    return False


def _is_dotted(word: str) -> bool:
    parts = word.split(".")
    return len(parts) > 1 and all(len(part) == 1 and part.isalpha() for part in parts)
