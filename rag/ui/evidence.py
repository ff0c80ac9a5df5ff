"""The panel beside an answer: the cited line, quoted from the store, and boxed where it stands."""

from __future__ import annotations

import io

import streamlit as st
from PIL import Image

from rag.answer.boxes import line_boxes
from rag.answer.prompt import place
from rag.errors import MunimentError
from rag.types import Citation, Page, Workspace
from rag.ui import links, parts
from rag.ui.door import assistant
from rag.ui.trouble import tell

PICTURE_SCALE = 1.9
"""Pixels a point: sharp in the panel's width on ordinary and on doubled screens."""

SHARE = 0.42
"""How much of a page's height the panel shows around the cited lines."""

MARGIN = 26.0
"""Points kept around the text where a picture is cropped."""

PICTURES_KEPT = 48
PICTURES_SECONDS = 900


def show(workspace: Workspace, citation: Citation | None, *, asked: bool) -> None:
    """Draw the panel: a citation's line and page, or a word on what will stand here."""
    if citation is None:
        told = (
            "This answer cites no line. The passages that were found stand beside it; each of "
            "them opens in the reader."
            if asked
            else "Each sentence of an answer carries the number of the line it rests on. That "
            "line appears here, quoted, and boxed on its page."
        )
        st.html(f'<div class="panel-empty"><b>The evidence</b><p>{told}</p></div>')
        return
    parts.quote("evidence-quote", place(citation.document, citation.page), citation.quote)
    try:
        _page(workspace, citation)
    except MunimentError as error:
        tell(error)
        return
    links.link(
        "reader",
        "Open in the reader",
        ":material/menu_book:",
        workspace=workspace.name,
        document=citation.document_id,
        page=citation.page_number,
        start=citation.start,
        end=citation.end,
        version=citation.version_id,
    )


def _page(workspace: Workspace, citation: Citation) -> None:
    span = (citation.start, citation.end)
    page = assistant().page(
        workspace.name, citation.document_id, citation.page_number, version_id=citation.version_id
    )
    if page.width:
        drawn = _picture(
            workspace.id, workspace.name, citation.document_id, page.number, span,
            citation.version_id, around=True,
        )  # fmt: skip
        with st.container(key="evidence-picture"):
            st.image(
                drawn, width="stretch", output_format="PNG", alt=_alternative(page.number, span)
            )
    else:
        parts.context("evidence-text", page.text, span, "The cited line in its surroundings")


def picture(
    workspace: Workspace, document_id: int, number: int, span: tuple[int, int], version_id: int
) -> None:
    """Draw a page's picture, whole, with a span boxed."""
    drawn = _picture(
        workspace.id, workspace.name, document_id, number, span, version_id, around=False
    )
    st.image(drawn, width="stretch", output_format="PNG", alt=_alternative(number, span))


def forget() -> None:
    """Let go of all pictures kept: something was deleted that may be in them."""
    _picture.clear()


def _alternative(number: int, span: tuple[int, int]) -> str:
    return f"Page {number}" + (", the cited lines boxed" if span[1] > span[0] else "")


# The workspace's and the version's ids are never given twice, so a name taken again shows nothing
# of what had it before.
@st.cache_data(max_entries=PICTURES_KEPT, ttl=PICTURES_SECONDS, show_spinner=False)
def _picture(
    workspace_id: int,  # noqa: ARG001 - a part of the key
    workspace: str,
    document_id: int,
    number: int,
    span: tuple[int, int],
    version_id: int,
    *,
    around: bool,
) -> bytes:
    door = assistant()
    drawn = door.page_picture(
        workspace, document_id, number, version_id=version_id, span=span, scale=PICTURE_SCALE
    )
    if not around:
        return drawn
    return _cropped(drawn, door.page(workspace, document_id, number, version_id=version_id), span)


def _cropped(drawn: bytes, page: Page, span: tuple[int, int]) -> bytes:
    """Cut a page's picture to the cited lines and what stands around them."""
    lines = line_boxes(page, *span)
    if not lines:
        return drawn
    top, bottom = min(box.y0 for box in lines), max(box.y1 for box in lines)
    height = max(page.height * SHARE, bottom - top + 4 * MARGIN)
    upper = min(max(0.0, (top + bottom - height) / 2), max(0.0, page.height - height))
    left = max(0.0, min(word.box.x0 for word in page.boxes) - MARGIN)
    right = min(page.width, max(word.box.x1 for word in page.boxes) + MARGIN)
    with Image.open(io.BytesIO(drawn)) as whole:
        scale = whole.width / page.width
        area = (left, upper, right, min(page.height, upper + height))
        part = whole.crop(tuple(round(value * scale) for value in area))  # type: ignore[arg-type]
    stream = io.BytesIO()
    part.save(stream, "PNG")
    return stream.getvalue()
