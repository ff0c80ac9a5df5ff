"""Does a claim follow from the lines it cites: a verdict, how much of it, and why.

Pure and deterministic: text in, verdict out; no model, no store, no statistics from elsewhere. It
compares words, names, numbers, dates, amounts, units and negations, and knows no meaning: a claim
in quite other words than its lines is at best partly supported, and a twist in a free paraphrase
can pass. The order of judgement:

1. A sentence that stands word for word in the lines is supported, whatever it says.
2. Otherwise six figures (:mod:`rag.answer.evidence`) are weighed by a logistic formula, whose
   weights stand in the specialist's ``[checking]`` table.
3. A sentence that changes a number, a name, a "not" or the like in what it nearly quotes
   (:mod:`rag.answer.align`), or has a number that is nowhere in the lines, is never supported.

Surprising: the case of the lines never matters, but capitals in the claim mark its names, and a
missing name weighs more than a missing word. Words like "According to the lease," cost nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from rag.answer.align import Change, changes
from rag.answer.evidence import Evidence, weigh
from rag.answer.lines import Lines, Statement, statements
from rag.answer.polarity import NEGATIONS
from rag.answer.words import plain
from rag.specialists import Checking
from rag.types import Check, Verdict

MOST_REASONS = 4
_JUST_BELOW = 0.999
_REACH = 4
_LOOK_BACK = 100

_HEDGE = re.compile(
    r"^\s*(?:(?:according to|based on|as (?:stated|set out|described|noted|shown|provided) (?:in|by)"
    r"|under|pursuant to|per) (?:the |this |these |its |your |an? )?"
    r"(?:[\w’'\-]+ ){0,3}?(?:lease|agreement|contract|documents?|sources?|lines?|sentences?|passages?"
    r"|text|policy|handbook|report|letter|provisions?|excerpts?|sections?|clauses?)"
    r"(?: (?:provided|above|given|cited|quoted))?, "
    r"|(?:the (?:document|source|text|passage|excerpt|lease|agreement|contract|policy|handbook) "
    r"(?:states|says|provides|notes|specifies|indicates|shows) that )"
    r"|(?:in summary|in short|overall|therefore|thus|specifically|in addition|additionally"
    r"|yes|so|furthermore|moreover|also), )",
    re.IGNORECASE,
)

_TOLD = {
    "number": "“{said}” is not in the cited lines: they say “{written}”.",
    "word": "“{said}” is not in the cited lines: they say “{written}”.",
    "opposite": "It says “{said}” where the cited lines say “{written}”.",
    "binding": "It says “{said}” where the cited lines say “{written}”.",
    "bound": "“{said}”: whether as the least or as the most is not as in the cited lines.",
    "added": "It says “{said}”, which the cited lines do not say there.",
    "dropped": "It leaves out the “{said}” of the cited lines.",
    "swapped": "“{said}” and “{written}” have changed places.",
}


def check(claim: str, sources: Sequence[str], checking: Checking) -> Check:
    """Hold a claim of one or more sentences against all the lines it cites.

    Args:
        claim: the text to check, without citation markers.
        sources: the cited lines; each may be a sentence or a long text.
        checking: thresholds and weights, from the specialist.

    Returns:
        The verdict; ``support`` 0..1, comparable between claims; reasons in plain sentences, empty
        when all is well.
    """
    sentences = statements([_HEDGE.sub("", claim, count=1)]) or statements([claim])
    if not sentences:
        return Check(Verdict.UNSUPPORTED, 0.0, ("There is nothing to check.",))
    lines = Lines(sources)
    if not lines.statements:
        return Check(Verdict.UNSUPPORTED, 0.0, ("No lines are cited.",))
    if _verbatim(Statement(plain(claim)), lines):
        return Check(Verdict.SUPPORTED, 1.0)
    checks = [_judge(sentence, lines, checking) for sentence in sentences]
    support = _combined([one.support for one in checks])
    if any(one.verdict is not Verdict.SUPPORTED for one in checks):
        support = min(support, checking.supported * _JUST_BELOW)
    reasons = tuple(dict.fromkeys(reason for one in checks for reason in one.reasons))
    return Check(_verdict(support, checking), round(support, 4), reasons[:MOST_REASONS])


def _combined(supports: Sequence[float]) -> float:
    """Return the mean of the worst sentence's support and of the average one's."""
    return (min(supports) + sum(supports) / len(supports)) / 2


def _verdict(support: float, checking: Checking) -> Verdict:
    if support >= checking.supported:
        return Verdict.SUPPORTED
    return Verdict.PARTLY if support >= checking.partly else Verdict.UNSUPPORTED


def _judge(sentence: Statement, lines: Lines, checking: Checking) -> Check:
    if _verbatim(sentence, lines):
        return Check(Verdict.SUPPORTED, 1.0)
    evidence = weigh(sentence, lines)
    support = _support(evidence, checking)
    found = changes(sentence, lines)
    reasons = list(_reasons(sentence, evidence, found))
    if found or evidence.missing_quantities:
        support *= checking.supported * _JUST_BELOW
    verdict = _verdict(support, checking)
    if verdict is Verdict.SUPPORTED:
        return Check(verdict, support)
    return Check(verdict, support, tuple(reasons or ["Too little of it is in the cited lines."]))


def _support(evidence: Evidence, checking: Checking) -> float:
    """Return the logistic formula's value; a certainty is left to quotes."""
    total = (
        checking.base
        + checking.cover * evidence.cover
        + checking.names * evidence.names
        + checking.numbers * evidence.numbers
        + checking.negation * evidence.negation
        + checking.opposites * evidence.opposites
        + checking.absolutes * evidence.absolutes
    )
    return 1 / (1 + math.exp(-total))


def _verbatim(sentence: Statement, lines: Lines) -> bool:
    """Whether the sentence stands in the lines word for word, and no "not" right before it."""
    said = sentence.running + " "
    at = lines.running.find(said)
    while at >= 0:
        if at in lines.starts or not NEGATIONS & set(
            lines.running[max(0, at - _LOOK_BACK) : at].split()[-_REACH:]
        ):
            return True
        at = lines.running.find(said, at + 1)
    return False


def _reasons(sentence: Statement, evidence: Evidence, found: Sequence[Change]) -> Iterator[str]:
    """Say in plain sentences what is not borne out, the gravest first."""
    told = set()
    for change in found:
        told.add(change.said)
        yield _TOLD[change.kind].format(said=change.said, written=change.written)
    for quantity in evidence.missing_quantities:
        text = sentence.quote(quantity)
        if text not in told:
            yield f"“{text}” is not in the cited lines."
    for name in evidence.missing_names:
        if name not in told:
            yield f"The name “{name}” is not in the cited lines."
    if evidence.missing_words:
        listed = ", ".join(f"“{word}”" for word in dict.fromkeys(evidence.missing_words[:5]))
        yield f"Not in the cited lines: {listed}."
    if evidence.negation:
        yield "It negates what no cited line negates."
