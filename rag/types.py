"""The frozen values that travel through Muniment, in the order the data flows.

``bytes → Document → Page → Passage → Hit → Claim → Answer``. Nothing here opens a file, a socket
or a database, and nothing here knows how a value is stored.

Two rules hold everywhere. A page's text is canonical: whatever is cut from it is a pair of offsets
into it, so ``page.text[start:end] == passage.text``. And a page is counted from 1 inside the
product; where a format has no pages (a text file), the document is one page with number 1, and
the doors show it as ``None``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import overload

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""One embedding, shape (dimension,), unit length."""

Vectors = NDArray[np.float32]
"""Embeddings, shape (count, dimension), each row of unit length."""


HUNDREDTHS = 100.0  # steps a point of stored coordinates


class Status(StrEnum):
    """Where a version of a document stands on its way to being searchable."""

    QUEUED = "queued"
    PARSING = "parsing"
    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"


class PageKind(StrEnum):
    """Where a page's text came from."""

    TEXT = "text"
    OCR = "ocr"


class Verdict(StrEnum):
    """What checking a sentence against the lines it cites has shown."""

    SUPPORTED = "supported"
    PARTLY = "partly"
    UNSUPPORTED = "unsupported"
    UNCITED = "uncited"


class Outcome(StrEnum):
    """How an answer ended."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page in PDF points, origin top left, y growing downwards."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class TextBox:
    """Where the characters ``start:end`` of a page's text stand: usually one word."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class Boxes(Sequence[TextBox]):
    """The text boxes of a page as a table, made into values only when they are looked at.

    ``table`` has shape (count, 6): start, end, x0, y0, x1, y1, the last four in HUNDREDTHS.
    """

    table: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.table)

    @overload
    def __getitem__(self, index: int) -> TextBox: ...

    @overload
    def __getitem__(self, index: slice) -> Boxes: ...

    def __getitem__(self, index: int | slice) -> TextBox | Boxes:
        if isinstance(index, slice):
            return Boxes(self.table[index])
        start, end, *corners = self.table[index].tolist()
        return TextBox(start, end, Box(*(corner / HUNDREDTHS for corner in corners)))

    def __iter__(self) -> Iterator[TextBox]:
        for start, end, x0, y0, x1, y1 in self.table.tolist():
            box = Box(x0 / HUNDREDTHS, y0 / HUNDREDTHS, x1 / HUNDREDTHS, y1 / HUNDREDTHS)
            yield TextBox(start, end, box)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True, slots=True)
class Page:
    """One page as read from a file; ``text`` is canonical and never changed afterwards.

    ``width`` and ``height`` are points, 0 where the format has no layout. ``headings`` are spans
    ``(start, end)`` of the text that the format marks as headings. ``confidence`` is the mean OCR
    confidence 0..1, None for a text layer.
    """

    number: int
    text: str
    kind: PageKind = PageKind.TEXT
    width: float = 0.0
    height: float = 0.0
    boxes: Sequence[TextBox] = ()
    headings: tuple[tuple[int, int], ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of one page: the unit that is embedded and found.

    ``heading`` is the text of the nearest heading above it, empty when there is none; it helps
    finding and is never quoted.
    """

    page: int
    start: int
    end: int
    text: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its place in the store."""

    id: int
    document_id: int
    version_id: int
    document: str
    paged: bool
    passage: Passage


@dataclass(frozen=True, slots=True)
class Workspace:
    """A matter or a class: documents that may be searched together, and nothing else with them."""

    id: int
    name: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a document's bytes. ``created_at`` and ``ready_at`` are seconds since 1970."""

    id: int
    document_id: int
    number: int
    sha256: str
    bytes: int
    media_type: str
    status: Status
    reason: str | None
    pages: int
    paged: bool
    title: str
    passages: int
    embedded: int
    created_at: float
    ready_at: float | None


@dataclass(frozen=True, slots=True)
class Document:
    """A named document with its newest version, and the version that search sees, if any."""

    id: int
    workspace_id: int
    name: str
    newest: Version
    searchable: Version | None


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What taking in a file came to. ``already_there`` says that the same bytes were known."""

    document: Document
    already_there: bool
    new_version: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search may see. Only ``rag.access`` makes one (a test holds that).

    ``documents`` are document ids, None for the whole workspace.
    """

    workspace_id: int
    documents: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for: more than a string, so that what was learned can enter as data.

    ``terms`` are weights for terms of :mod:`rag.text.terms` added to the question's own;
    ``priors`` are additions to the score of documents, by document id.
    """

    text: str
    scope: Scope
    vector: Vector | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    priors: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage (or several merged ones, next to each other) that a search found. Rank from 1.

    ``page`` is None where the format has no pages; ``page_number`` is the stored page, from 1.
    """

    rank: int
    document: str
    document_id: int
    version_id: int
    page: int | None
    page_number: int
    start: int
    end: int
    text: str
    score: float
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Search's answer: hits, best first, how sure we are (0..1), and what it took in seconds."""

    hits: tuple[Hit, ...]
    confidence: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Source:
    """One numbered sentence shown to the model: the unit a model cites. Number from 1.

    ``heading`` and ``score`` are those of the hit it stands in.
    """

    number: int
    document: str
    document_id: int
    version_id: int
    page: int | None
    page_number: int
    start: int
    end: int
    text: str
    heading: str = ""
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    """A line of a document that an answer rests on; ``quote`` is our store's own text."""

    number: int
    document: str
    document_id: int
    version_id: int
    page: int | None
    page_number: int
    start: int
    end: int
    quote: str
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A claim held against its cited lines: the verdict, how much of it (0..1), and why."""

    verdict: Verdict
    support: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer with its verdict and the numbers of its citations."""

    text: str
    citations: tuple[int, ...]
    check: Check


@dataclass(frozen=True, slots=True)
class Seconds:
    """What an answer took; ``first_token`` is None where no model spoke."""

    retrieve: float
    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole, as recorded.

    ``model`` says who spoke, ``notice`` what the reader must be told (why it abstained, what
    failed and what to do), ``left_out`` names the passages that did not fit into the context.
    ``nearest`` are the passages found, shown when there is no answer.
    """

    question: str
    standalone: str
    outcome: Outcome
    text: str
    claims: tuple[Claim, ...]
    citations: tuple[Citation, ...]
    nearest: tuple[Hit, ...]
    confidence: float
    model: str
    specialist: str
    recipe: str
    seconds: Seconds
    notice: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Retrieved:
    """First event of an answer: what was searched for and found, and who will speak."""

    standalone: str
    found: Found
    model: str


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the answer's text as it is spoken; markers of citations look like ``[3]``."""

    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A finished sentence with its verdict, and the citations it is the first to use."""

    claim: Claim
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """Last event, always sent: the whole answer."""

    answer: Answer


Event = Retrieved | Token | Checked | Finished


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier question and its answer's text, for making a follow-up stand alone."""

    question: str
    answer: str
