"""Documents: take files in by drag and drop, see how far each is, open or delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from rag.errors import MunimentError
from rag.types import Document, Status, Version, Workspace
from rag.ui import links, samples
from rag.ui.door import assistant, settings
from rag.ui.trouble import plain

REFRESH_SECONDS = 1.0
ROWS_A_SCREEN = 25
MOST_LINES = 3
UNSETTLED = {Status.QUEUED, Status.PARSING, Status.INDEXING}

WORDS = {
    Status.QUEUED: ("Waiting", "gray", ":material/schedule:"),
    Status.PARSING: ("Reading", "blue", ":material/menu_book:"),
    Status.INDEXING: ("Found by its words, not yet by meaning", "blue", ":material/bolt:"),
    Status.READY: ("Ready", "green", ":material/check:"),
    Status.FAILED: ("Not read", "red", ":material/error:"),
}


def show(workspace: Workspace | None) -> None:
    """Draw the page."""
    if workspace is None:
        st.title("Documents")
        st.write("Name a workspace on the left first, or look at ours.")
        samples.offer("documents-sample")
        return
    st.title("Documents")
    _upload(workspace)
    waiting = any(
        document.newest.status in UNSETTLED for document in assistant().documents(workspace.name)
    )
    # The list refreshes itself only while something is being read.
    st.fragment(_list, run_every=REFRESH_SECONDS if waiting else None)(workspace, waiting=waiting)
    _delete_workspace(workspace)


def _upload(workspace: Workspace) -> None:
    turn = st.session_state.setdefault("upload-turn", 0)
    limit = settings().max_upload_mb
    files = st.file_uploader(
        f"Drop PDF, Word (DOCX), Markdown or text files here, up to {limit} MB each",
        accept_multiple_files=True,
        key=f"upload-{workspace.id}-{turn}",
    )
    for kind, text in st.session_state.pop("upload-news", []):
        (st.success if kind == "good" else st.warning)(text)
    if not files:
        return
    news = []
    bar = st.progress(0.0, "Taking files in …")
    for count, file in enumerate(files, 1):
        news.append(_take_in(workspace, file))
        bar.progress(count / len(files), f"Taken in {count} of {len(files)}")
    # A fresh uploader lets go of the files it holds in memory.
    st.session_state["upload-turn"] = turn + 1
    st.session_state["upload-news"] = _summed_up(news)
    st.rerun()


def _take_in(workspace: Workspace, file: Any) -> tuple[str, str]:  # noqa: ANN401 - Streamlit's file
    name = plain(file.name)
    try:
        uploaded = assistant().upload(workspace.name, file.name, file)
    except MunimentError as error:
        return "bad", f"**{name}** was not taken in. {plain(str(error))}"
    if uploaded.already_there:
        known = plain(uploaded.document.name)
        return "known", f"**{name}** is here already (as {known}); it was not stored twice."
    if uploaded.new_version:
        return "good", (
            f"**{name}** is a new version ({uploaded.document.newest.number}). The one before "
            "stays searchable until this one is ready."
        )
    return "good", f"**{name}** is safe."


def _summed_up(news: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Tell each thing that needs attention, and the plain successes in one line."""
    good = [item for item in news if item[0] == "good"]
    if len(good) > MOST_LINES:
        good = [("good", f"{len(good)} files are safe and are being read.")]
    return good + [item for item in news if item[0] != "good"]


def _list(workspace: Workspace, *, waiting: bool) -> None:
    documents = assistant().documents(workspace.name)
    if waiting and all(document.newest.status not in UNSETTLED for document in documents):
        st.rerun()
    if not documents:
        st.info("No documents yet. Drop some above.")
        return
    _overview(documents)
    shown = _filtered(documents)
    for document in shown:
        _row(workspace, document)


def _overview(documents: Sequence[Document]) -> None:
    ready = sum(document.newest.status is Status.READY for document in documents)
    failed = sum(document.newest.status is Status.FAILED for document in documents)
    settled = ready + failed
    text = f"{ready} of {len(documents)} ready"
    if failed:
        text += f", {failed} not read"
    st.progress(settled / len(documents), text)


def _filtered(documents: Sequence[Document]) -> Sequence[Document]:
    if len(documents) <= ROWS_A_SCREEN:
        return documents
    wanted, where = st.columns([3, 1], vertical_alignment="bottom")
    text = wanted.text_input("Show names with", key="document-filter").casefold()
    found = [document for document in documents if text in document.name.casefold()]
    screens = max(1, -(-len(found) // ROWS_A_SCREEN))
    screen = where.number_input("Screen", 1, screens, key="document-screen") if screens > 1 else 1
    return found[(int(screen) - 1) * ROWS_A_SCREEN : int(screen) * ROWS_A_SCREEN]


def _row(workspace: Workspace, document: Document) -> None:
    newest = document.newest
    with st.container(border=True, key=f"document-{document.id}"):
        name, state, actions = st.columns([4, 3, 2.4], vertical_alignment="center")
        with name:
            st.markdown(f"**{plain(document.name)}**")
            st.caption(plain(_facts(newest)))
        with state:
            word, color, icon = WORDS[newest.status]
            st.badge(word, color=color, icon=icon)  # type: ignore[arg-type]
            if newest.status is Status.INDEXING and newest.passages:
                st.progress(newest.embedded / newest.passages)
            if newest.reason:
                st.caption(plain(newest.reason))
            if newest.status in UNSETTLED and newest.number > 1 and document.searchable:
                st.caption(f"Version {document.searchable.number} answers until then.")
        with actions, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
            _actions(workspace, document)


def _facts(version: Version) -> str:
    parts = [_size(version.bytes)]
    if version.paged and version.pages:
        parts.insert(0, f"{version.pages} page{'s' if version.pages > 1 else ''}")
    if version.number > 1:
        parts.append(f"version {version.number}")
    return " · ".join(parts)


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000 or unit == "MB":  # noqa: PLR2004 - a thousand
            return f"{count:.0f} {unit}"
        count = round(count / 1000)
    raise AssertionError(count)


def _actions(workspace: Workspace, document: Document) -> None:
    door = assistant()
    status = document.newest.status
    if document.searchable is not None:
        links.link("reader", "Open", workspace=workspace.name, document=document.id, page=1)
    if status in UNSETTLED and st.button("Cancel", key=f"cancel-{document.id}", type="tertiary"):
        door.cancel(workspace.name, document.id)
        st.rerun()
    if status is Status.FAILED and st.button("Retry", key=f"retry-{document.id}", type="tertiary"):
        door.retry(workspace.name, document.id)
        st.rerun()
    with st.popover("Delete", type="tertiary"):
        st.write("Delete this document, every version of it, and what was found in it?")
        st.caption("Answers that quote it keep their text, but its pages cannot be opened.")
        if st.button("Delete it", key=f"delete-{document.id}", type="primary"):
            door.delete_document(workspace.name, document.id)
            st.rerun()


def _delete_workspace(workspace: Workspace) -> None:
    st.space("medium")
    with st.popover("Delete this workspace"):
        st.write(
            "Delete the workspace with all its documents and conversations? This cannot be undone."
        )
        typed = st.text_input("Type its name to be sure", key="delete-workspace-name")
        if st.button("Delete everything in it", type="primary", disabled=typed != workspace.name):
            assistant().delete_workspace(workspace.name)
            st.session_state.pop("picked-workspace", None)
            st.session_state.pop("last-workspace", None)
            st.query_params.clear()
            st.rerun()
