"""Rows of the pages' table as pages, and back. The text is kept as it is, to the character."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, select

from rag.errors import BadFile, NotFound
from rag.store import packing
from rag.store.database import Database
from rag.store.schema import pages
from rag.types import Page, PageKind

_AT_ONCE = 50


def text_of(connection: Connection, version_id: int, number: int) -> str:
    """Return a page's text without reading its boxes, or raise NotFound."""
    here = (pages.c.version_id == version_id, pages.c.number == number)
    found = connection.scalar(select(pages.c.text).where(*here))
    if found is None:
        raise missing(number)
    return str(found)


def one(connection: Connection, version_id: int, number: int) -> Page:
    """Return a page, counted from 1, or raise NotFound."""
    here = (pages.c.version_id == version_id, pages.c.number == number)
    row = connection.execute(select(pages).where(*here)).one_or_none()
    if row is None:
        raise missing(number)
    return _page(row)


def every(database: Database, version_id: int) -> Iterator[Page]:
    """Yield a version's pages in order, some at a time."""
    last = 0
    while True:
        some = (
            select(pages)
            .where(pages.c.version_id == version_id, pages.c.number > last)
            .order_by(pages.c.number)
            .limit(_AT_ONCE)
        )
        with database.read() as connection:
            found = connection.execute(some).all()
        if not found:
            return
        yield from map(_page, found)
        last = found[-1].number


def missing(number: int) -> NotFound:
    """Return the error for a page that is not there."""
    return NotFound(f"The document has no page {number}.")


def values(version_id: int, page: Page) -> dict[str, Any]:
    """Return a page as a row.

    Raises:
        BadFile: its text has characters that are none (half of a surrogate pair).
    """
    try:
        page.text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadFile(
            f"Page {page.number} has characters that are none.",
            "Save the document anew with the program it was made with.",
        ) from error
    return {
        "version_id": version_id,
        "number": page.number,
        "kind": page.kind,
        "width": page.width,
        "height": page.height,
        "confidence": page.confidence,
        "text": page.text,
        "headings": packing.pack_spans(page.headings),
        "boxes": packing.pack_boxes(page.boxes),
    }


def _page(row: Row[Any]) -> Page:
    return Page(
        number=row.number,
        text=row.text,
        kind=PageKind(row.kind),
        width=row.width,
        height=row.height,
        boxes=packing.unpack_boxes(row.boxes),
        headings=packing.unpack_spans(row.headings),
        confidence=row.confidence,
    )
