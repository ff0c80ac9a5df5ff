"""The panel beside an answer: the cited line, quoted from the store, and boxed where it stands."""

from __future__ import annotations

import streamlit as st

from rag.answer.prompt import place
from rag.errors import MunimentError
from rag.types import Citation, Hit, Workspace
from rag.ui import links, parts
from rag.ui.door import assistant
from rag.ui.trouble import plain, tell

PICTURE_SCALE = 1.9
"""Pixels a point: sharp in the panel's width on ordinary and on doubled screens."""


def show(workspace: Workspace, citation: Citation | None) -> None:
    """Draw the panel: a citation's line and page, or a word on what will stand here."""
    if citation is None:
        st.html(
            '<div class="panel-empty"><b>The evidence</b><p>Press a number behind a sentence: '
            "the line it rests on appears here, boxed on its page.</p></div>"
        )
        return
    st.markdown(f"**{plain(place(citation.document, citation.page))}**")
    parts.excerpt("evidence-quote", citation.quote, (0, 0), f"Quoted line {citation.number}")
    try:
        _page(workspace, citation)
    except MunimentError as error:
        tell(error)
    reader_link(
        workspace,
        citation.document_id,
        citation.page_number,
        (citation.start, citation.end),
        citation.version_id,
    )


def _page(workspace: Workspace, citation: Citation) -> None:
    door = assistant()
    span = (citation.start, citation.end)
    page = door.page(
        workspace.name, citation.document_id, citation.page_number, version_id=citation.version_id
    )
    if page.width:
        picture(workspace, citation.document_id, page.number, span, citation.version_id)
        return
    cut, inner = parts.around(page.text, span)
    parts.excerpt("evidence-text", cut, inner, f"{citation.document}, the cited line marked")


def picture(
    workspace: Workspace, document_id: int, number: int, span: tuple[int, int], version_id: int
) -> None:
    """Draw a page's picture with a span boxed."""
    drawn = _picture(workspace.name, document_id, number, span, version_id)
    boxed = " with the cited lines boxed" if span[1] > span[0] else ""
    st.image(drawn, width="stretch", alt=f"Page {number}{boxed}")


@st.cache_data(max_entries=64, show_spinner="Drawing the page …")
def _picture(
    workspace: str, document_id: int, number: int, span: tuple[int, int], version_id: int
) -> bytes:
    return assistant().page_picture(
        workspace, document_id, number, version_id=version_id, span=span, scale=PICTURE_SCALE
    )


def reader_link(
    workspace: Workspace, document_id: int, number: int, span: tuple[int, int], version_id: int
) -> None:
    """Link to the place in the reader."""
    links.link(
        "reader",
        "Open in the reader",
        ":material/menu_book:",
        workspace=workspace.name,
        document=document_id,
        page=number,
        start=span[0],
        end=span[1],
        version=version_id,
    )


def nearest(workspace: Workspace, hits: tuple[Hit, ...], key: str, most: int = 3) -> None:
    """Show the passages nearest to a question, for reading when there is no answer."""
    for hit in hits[:most]:
        st.caption(plain(place(hit.document, hit.page)))
        parts.excerpt(f"{key}-{hit.rank}", hit.text, (0, 0), f"Passage {hit.rank}")
        reader_link(
            workspace, hit.document_id, hit.page_number, (hit.start, hit.end), hit.version_id
        )
