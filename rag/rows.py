"""The fixed formats that other programs read: one JSON object a document, search, answer or check.

The terminal's batch commands, its ``--json`` and the HTTP interface all print these rows, so that
a program written for one works with the others. Their keys are promised; more may come. The files
of questions and claims that the batch commands read are read here too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rag.errors import BadRequest, MunimentError
from rag.types import (
    Answer,
    Check,
    Checked,
    Citation,
    Claim,
    Document,
    Event,
    Finished,
    Found,
    Hit,
    Outcome,
    Retrieved,
    Token,
    Uploaded,
    Workspace,
)

Row = dict[str, Any]

_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Characters that JSON lets stand and many readers of lines take for the end of one."""


def line(row: Row) -> str:
    """Return a row as JSON on one line, whatever the reader takes for a line's end; valid UTF-8."""
    text = json.dumps(row, ensure_ascii=False).translate(_LINE_ENDS)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_lines(path: Path, keys: Sequence[str]) -> Iterator[Row]:
    """Read the objects of a file of JSON lines, each of which must have these keys.

    Raises:
        BadRequest: the file cannot be read, or a line is not what it should be; its number is told.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, text in enumerate(file, 1):
                if text.strip():
                    yield _read(text, keys, f"Line {number} of {path.name}")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} cannot be read: {error}.") from error


def _read(text: str, keys: Sequence[str], where: str) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{where} is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise BadRequest(f"{where} is not a JSON object.")
    for key in keys:
        if key not in row:
            raise BadRequest(f"{where} lacks “{key}”.")
    return row


def texts(row: Row, key: str) -> list[str]:
    """Return a row's list of texts, empty where it has none.

    Raises:
        BadRequest: something else stands there.
    """
    value = row.get(key) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest(f"“{key}” of “{row['id']}” must be a list of texts.")
    return value


def document_row(document: Document) -> Row:
    """Return what is known of a document: its newest version's state."""
    newest = document.newest
    return {
        "document": document.name,
        "status": newest.status.value,
        "reason": newest.reason,
        "pages": newest.pages,
        "bytes": newest.bytes,
        "sha256": newest.sha256,
        "id": document.id,
        "version": newest.number,
        "media_type": newest.media_type,
        "passages": newest.passages,
        "embedded": newest.embedded,
        "searchable": document.searchable is not None,
    }


def refused_row(name: str, path: Path, error: MunimentError) -> Row:
    """Return the row of a file that was not taken in."""
    return {
        "document": name,
        "status": "failed",
        "reason": str(error),
        "pages": 0,
        "bytes": path.stat().st_size if path.exists() else 0,
        "sha256": None,
    }


def upload_row(uploaded: Uploaded) -> Row:
    """Return what taking in a file came to."""
    return {
        **document_row(uploaded.document),
        "already_there": uploaded.already_there,
        "new_version": uploaded.new_version,
    }


def workspace_row(workspace: Workspace) -> Row:
    """Return a workspace."""
    return {"id": workspace.id, "name": workspace.name, "created_at": workspace.created_at}


def hit_row(hit: Hit) -> Row:
    """Return a hit; ``text`` is the passage, verbatim."""
    return {
        "rank": hit.rank,
        "document": hit.document,
        "page": hit.page,
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "score": round(hit.score, 6),
        "document_id": hit.document_id,
    }


def search_row(identifier: str, found: Found) -> Row:
    """Return the row of a search."""
    return {
        "id": identifier,
        "confidence": round(found.confidence, 6),
        "seconds": round(found.seconds, 4),
        "hits": [hit_row(hit) for hit in found.hits],
    }


def citation_row(citation: Citation) -> Row:
    """Return a citation; boxes are PDF points, origin top left."""
    return {
        "number": citation.number,
        "document": citation.document,
        "page": citation.page,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "boxes": [[box.x0, box.y0, box.x1, box.y1] for box in citation.boxes],
        "document_id": citation.document_id,
    }


def sentence_row(claim: Claim) -> Row:
    """Return a sentence of an answer with its verdict."""
    return {
        "text": claim.text,
        "verdict": claim.check.verdict.value,
        "citations": list(claim.citations),
        "support": round(claim.check.support, 4),
        "reasons": list(claim.check.reasons),
    }


def ask_row(identifier: str, answer: Answer) -> Row:
    """Return the row of an answer.

    ``outcome`` is *answered* or *abstained* and nothing else: an answer that was stopped or failed
    after it had said something counts as answered, with ``problem`` telling what happened.
    """
    answered = answer.outcome is Outcome.ANSWERED or (
        answer.outcome is not Outcome.ABSTAINED and bool(answer.claims)
    )
    failed = answer.outcome in {Outcome.FAILED, Outcome.STOPPED}
    return {
        "id": identifier,
        "outcome": "answered" if answered else "abstained",
        "answer": answer.text,
        "sentences": [sentence_row(claim) for claim in answer.claims],
        "citations": [citation_row(citation) for citation in answer.citations],
        "model": answer.model,
        "seconds": {
            "retrieve": answer.seconds.retrieve,
            "first_token": answer.seconds.first_token,
            "total": answer.seconds.total,
        },
        "confidence": round(answer.confidence, 6),
        "notice": answer.notice,
        "problem": answer.notice if failed else None,
        "left_out": list(answer.left_out),
        "nearest": [hit_row(hit) for hit in answer.nearest],
        "standalone": answer.standalone,
        "specialist": answer.specialist,
        "recipe": answer.recipe,
    }


def check_row(identifier: str, check: Check) -> Row:
    """Return the row of a claim held against given sources."""
    return {
        "id": identifier,
        "verdict": check.verdict.value,
        "support": round(check.support, 6),
        "reasons": list(check.reasons),
    }


def event_row(event: Event, identifier: str = "") -> tuple[str, Row]:
    """Return an event's name and its data, for a stream."""
    if isinstance(event, Retrieved):
        return "retrieved", {
            "standalone": event.standalone,
            "model": event.model,
            **search_row(identifier, event.found),
        }
    if isinstance(event, Token):
        return "token", {"text": event.text}
    if isinstance(event, Checked):
        return "checked", {
            "sentence": sentence_row(event.claim),
            "citations": citation_rows(event.citations),
        }
    if isinstance(event, Finished):
        return "finished", ask_row(identifier, event.answer)
    raise TypeError(event)


def citation_rows(citations: Sequence[Citation]) -> list[Row]:
    """Return the rows of several citations."""
    return [citation_row(citation) for citation in citations]
