"""Reader: a document's pages as pictures with their text beside them; a citation's lines boxed."""

from __future__ import annotations

import streamlit as st

from rag.errors import MunimentError
from rag.types import Document, Version, Workspace
from rag.ui import evidence, links, parts
from rag.ui.door import assistant
from rag.ui.trouble import plain, tell


def show(workspace: Workspace | None) -> None:
    """Draw the page."""
    if workspace is None:
        st.title("Reader")
        st.write("Choose or make a workspace on the left first.")
        return
    readable = [
        document
        for document in assistant().documents(workspace.name)
        if document.searchable is not None
    ]
    if not readable:
        st.title("Reader")
        st.write("No document of this workspace can be read yet.")
        links.link(
            "documents", "Go to the documents", ":material/folder_open:", workspace=workspace.name
        )
        return
    document = _pick(workspace, readable)
    try:
        _document(workspace, document)
    except MunimentError as error:
        tell(error)


def _pick(workspace: Workspace, readable: list[Document]) -> Document:
    wanted = links.number("document")
    names = [document.name for document in readable]
    index = next((i for i, document in enumerate(readable) if document.id == wanted), 0)
    chosen = st.selectbox("Document", names, index=index, key=f"reader-{workspace.id}-{wanted}")
    document = readable[names.index(chosen)]
    if document.id != wanted:
        _go(document, 1)
        if wanted is not None:
            st.rerun()
    return document


def _go(document: Document, page: int) -> None:
    for name in ("start", "end", "version"):
        st.query_params.pop(name, None)
    st.query_params["document"] = str(document.id)
    st.query_params["page"] = str(page)


def _document(workspace: Workspace, document: Document) -> None:
    version = _version(workspace, document)
    number = min(max(links.number("page") or 1, 1), max(version.pages, 1))
    if version.pages > 1:
        number = _turn_pages(document, version, number)
    page = assistant().page(workspace.name, document.id, number, version_id=version.id)
    start, end = links.number("start") or 0, links.number("end") or 0
    span = (min(start, len(page.text)), min(max(start, end), len(page.text)))
    _notes(document, version)
    label = f"Text of {document.name}, page {number}" if version.paged else document.name
    if page.width:
        picture, text = st.columns([1.25, 1], gap="large")
        with picture:
            evidence.picture(workspace, document.id, number, span, version.id)
        with text:
            parts.excerpt("reader-text", page.text, span, label, tall=True)
    else:
        parts.excerpt("reader-text", page.text, span, label, tall=True)


def _version(workspace: Workspace, document: Document) -> Version:
    wanted = links.number("version")
    if wanted is None:
        return document.searchable or document.newest
    for version in assistant().versions(workspace.name, document.id):
        if version.id == wanted:
            return version
    return document.searchable or document.newest


def _notes(document: Document, version: Version) -> None:
    if document.searchable is not None and version.id != document.searchable.id:
        st.warning(
            plain(
                f"This is version {version.number}, as it was cited. "
                f"The document is now at version {document.searchable.number}."
            )
        )


def _turn_pages(document: Document, version: Version, number: int) -> int:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        back = st.button("Previous page", icon=":material/chevron_left:", disabled=number <= 1)
        wanted = int(
            st.number_input(
                f"Page (of {version.pages})",
                1,
                version.pages,
                number,
                key=f"page-{version.id}-{number}",
                width=160,
            )
        )
        onward = st.button(
            "Next page",
            icon=":material/chevron_right:",
            icon_position="right",
            disabled=number >= version.pages,
        )
    wanted = number - 1 if back else number + 1 if onward else wanted
    if wanted != number:
        _go(document, wanted)
        st.query_params["version"] = str(version.id)
        st.rerun()
    return number
