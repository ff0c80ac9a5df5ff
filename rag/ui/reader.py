"""Reader: a document's pages as pictures with their text beside them; a citation's lines boxed."""

from __future__ import annotations

import streamlit as st

from rag.errors import MunimentError
from rag.types import Document, Version, Workspace
from rag.ui import evidence, files, links, parts
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
    try:
        _document(workspace, readable)
    except MunimentError as error:
        tell(error)


def _document(workspace: Workspace, readable: list[Document]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="toolbar"):
        document = _pick(workspace, readable)
        version = _version(workspace, document)
        number = min(max(links.number("page") or 1, 1), max(version.pages, 1))
        if version.pages > 1:
            _turn_pages(workspace, document, version, number)
        st.link_button(
            "Original",
            files.original_address(workspace.name, document.id),
            icon=":material/download:",
        )
    _notes(document, version)
    page = assistant().page(workspace.name, document.id, number, version_id=version.id)
    start, end = links.number("start") or 0, links.number("end") or 0
    span = (min(start, len(page.text)), min(max(start, end), len(page.text)))
    label = f"Text of {document.name}, page {number}" if version.paged else document.name
    if page.width:
        picture, text = st.columns([1.3, 1], gap="medium")
        with picture, st.container(key="page-picture"):
            evidence.picture(workspace, document.id, number, span, version.id)
        with text, st.container(key="page-text"):
            parts.page("reader-text", page.text, span, label, wrapped=True)
    else:
        parts.page("reader-text", page.text, span, label)


def _pick(workspace: Workspace, readable: list[Document]) -> Document:
    """Offer the documents; a document is told apart by its id, since names may be long or alike."""
    wanted = links.number("document")
    by_id = {document.id: document for document in readable}
    shown = wanted if wanted in by_id else readable[0].id
    key = f"reader-{workspace.id}-{shown}"

    def changed() -> None:
        links.put(workspace=workspace.name, document=st.session_state[key], page=1)

    st.selectbox(
        "Document",
        list(by_id),
        index=list(by_id).index(shown),
        format_func=lambda identifier: by_id[identifier].name,
        key=key,
        on_change=changed,
        width=420,
    )
    return by_id[shown]


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


def _turn_pages(workspace: Workspace, document: Document, version: Version, number: int) -> None:
    key = f"page-{version.id}-{number}"

    def turn(to: int | None = None) -> None:
        wanted = st.session_state[key] if to is None else to
        links.put(workspace=workspace.name, document=document.id, page=wanted, version=version.id)

    st.button(
        "Previous",
        icon=":material/chevron_left:",
        key="page-back",
        disabled=number <= 1,
        on_click=turn,
        args=(number - 1,),
    )
    st.number_input(
        f"Page (of {version.pages:,})",
        1,
        version.pages,
        number,
        key=key,
        on_change=turn,
        width=130,
    )
    st.button(
        "Next",
        icon=":material/chevron_right:",
        icon_position="right",
        key="page-on",
        disabled=number >= version.pages,
        on_click=turn,
        args=(number + 1,),
    )
