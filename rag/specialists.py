"""What can change an answer, and what the index was made with: two strict files, each hashed.

A :class:`Specialist` holds everything that can change an answer: prompt, chat model and its
options, retrieval settings, thresholds, answer form. An :class:`IndexRecipe` holds what the index
depends on: the embedding model and how passages are cut. Both are read from TOML files in which
an unknown or misspelt key is refused, with a suggestion; both have a hash over their meaning (not
over comments or order), which every answer records, so that it can be reproduced.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from rag.errors import BadSetting

Recipe = TypeVar("Recipe")


@dataclass(frozen=True, slots=True)
class Chat:
    """Who speaks. ``client`` is auto, ollama, openai, embedded or extractive.

    ``model`` empty takes the first one the server has. ``context`` and ``answer_tokens`` are
    tokens; ``context`` is sent to the server as it is, one value a model.
    """

    client: str
    model: str
    context: int
    answer_tokens: int
    temperature: float
    seed: int
    think: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words a chat model is given. ``{…}`` names are filled in by :mod:`rag.answer.prompt`."""

    system: str
    question: str
    standalone: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """What each piece of evidence weighs; told in :mod:`rag.search.confidence`.

    ``hits``: how many of the best are looked at.
    """

    hits: int
    bias: float
    cosine: float
    keyword: float
    coverage: float
    unseen_cosine: float


@dataclass(frozen=True, slots=True)
class Keywords:
    """How words are weighed; told in :mod:`rag.search.keywords`.

    ``k1`` and ``b`` are BM25's own two constants, at their customary values. ``average_terms`` are
    those of a passage of average length. ``least_rarity`` is what a term that most passages have
    still weighs, in shares of the rarity that is never negative. In an index of at least ``large``
    passages, a term in a larger share of them than ``common`` finds no candidates by itself.
    """

    k1: float
    b: float
    average_terms: int
    least_rarity: float
    common: float
    large: int


@dataclass(frozen=True, slots=True)
class Routing:
    """How documents are known by what they say of themselves; see :mod:`rag.search.routing`.

    ``first_page``: characters of the first page that are looked at. A word among the first
    ``kind_characters`` of ``kind_share`` of the documents says of what kind they are. From the sum
    ``sure`` of its words' rarities on, a document counts as named for sure; those with at least the
    share ``near`` of the best one's prior are meant together. ``period_share`` of a prior hangs on
    the period, if one is named. A first-page word is a name when it keeps to its documents by
    ``likeness`` beyond chance, 0..1, and weighs ``unspoken`` where the question does not write it
    like a name; ``common_noun`` is what a file name's word weighs that the question writes small
    and without a time ("the lease" may be any lease, "the 2019 lease" is one). ``least_left``: the
    terms that must be left of a question for names and periods to be taken out of it.
    """

    first_page: int
    kind_characters: int
    kind_share: float
    sure: float
    near: float
    period_share: float
    likeness: float
    unspoken: float
    common_noun: float
    least_left: int


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How passages are found; the meaning of each value is told in :mod:`rag.search.retrieve`."""

    candidates: int
    passages: int
    dense_weight: float
    keyword_weight: float
    routing_weight: float
    neighbour_weight: float
    merge_characters: int
    merge_near: float
    open_place: int
    keywords: Keywords
    routing: Routing
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Sentences:
    """How sentences are weighed against a question; see :mod:`rag.answer.weigh`.

    ``near_best`` is the share of the best score that a further quoted sentence must reach.
    """

    meaning: float
    terms: float
    passage: float
    length: float
    kind: float
    near_best: float


@dataclass(frozen=True, slots=True)
class Form:
    """What an answer looks like, and below which confidence (0..1) none is given.

    ``kind_power``: the confidence is multiplied by the fitness of the evidence (0..1: was the kind
    of answer asked for found?) raised to this power.
    """

    evidence_threshold: float
    kind_power: float
    sentences: int
    history_turns: int


@dataclass(frozen=True, slots=True)
class Checking:
    """From which support (0..1) on a claim counts as supported or partly supported.

    The others weigh the evidence of :class:`rag.answer.evidence.Evidence`, each sentence's support
    being 1 / (1 + exp(-(base + weight * figure + ...))).
    """

    supported: float
    partly: float
    base: float
    cover: float
    names: float
    numbers: float
    negation: float
    opposites: float
    absolutes: float


@dataclass(frozen=True, slots=True)
class Specialist:
    """Everything that can change an answer."""

    name: str
    chat: Chat
    prompt: Prompt
    retrieval: Retrieval
    sentences: Sentences
    form: Form
    checking: Checking

    @property
    def hash(self) -> str:
        """SHA-256 over the meaning of this file, in hexadecimal."""
        return fingerprint(self)


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedding model: ``bundled`` or a model folder; precision auto, int8 or fp32.

    The prompts are put before a question or a passage as they stand, exactly once.
    """

    model: str
    precision: str
    query_prompt: str
    passage_prompt: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Passages:
    """How passages are cut: the length aimed at, in characters.

    A heading of at most ``heading_characters`` is embedded before each passage under it; a longer
    one tells little and costs much. 0 embeds none.
    """

    characters: int
    heading_characters: int


@dataclass(frozen=True, slots=True)
class IndexRecipe:
    """What the index depends on; another recipe means another index."""

    name: str
    embedding: Embedding
    passages: Passages

    @property
    def hash(self) -> str:
        """SHA-256 over the meaning of this file, in hexadecimal."""
        return fingerprint(self)


def fingerprint(value: Any) -> str:  # noqa: ANN401 - any of the dataclasses above
    """Return the SHA-256 of a recipe's values, in a form that order and comments do not change."""
    text = json.dumps(asdict(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read(path: Path, kind: type[Recipe]) -> Recipe:
    """Read a specialist or an index recipe from a TOML file.

    Raises:
        BadSetting: the file cannot be read, a key is unknown or missing, or a value's type is wrong.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(
            f"The file {path.name} cannot be read ({error.strerror}).",
            "Check the path in the settings.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"The file {path.name} is not valid TOML: {error}.") from error
    return _build(kind, table, path.name)


def _build(kind: type[Recipe], table: dict[str, Any], where: str) -> Recipe:
    hints = get_type_hints(kind)
    names = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for key in table:
        if key not in names:
            close = difflib.get_close_matches(key, names, n=1)
            raise BadSetting(
                f"{where} has an unknown key “{key}”.",
                f"Did you mean “{close[0]}”?" if close else f"Known are: {', '.join(names)}.",
            )
    missing = [name for name in names if name not in table]
    if missing:
        raise BadSetting(f"{where} lacks “{missing[0]}”.", "Every key must be there.")
    return kind(**{name: _value(hints[name], table[name], f"{where}: {name}") for name in names})


def _value(kind: type, value: object, where: str) -> object:
    if is_dataclass(kind):
        if not isinstance(value, dict):
            raise BadSetting(f"{where} must be a table.")
        return _build(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise BadSetting(f"{where} must be {_WORDS[kind]}, not {value!r}.")
    return value


_WORDS: dict[type, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
