"""Documents: take files in by drag and drop, see how far each is, open or delete them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from rag.errors import MunimentError
from rag.types import Document, Status, Version, Workspace
from rag.ui import evidence, links, parts, samples
from rag.ui.door import assistant, settings
from rag.ui.trouble import tell

REFRESH_SECONDS = 1.0
ROWS_A_SCREEN = 100
UNSETTLED = {Status.QUEUED, Status.PARSING, Status.INDEXING}
NEWS = "documents-news"

WORDS = {
    Status.QUEUED: "Waiting",
    Status.PARSING: "Being read",
    Status.INDEXING: "Found by words so far",
    Status.READY: "Ready",
    Status.FAILED: "Not read",
}


def show(workspace: Workspace | None) -> None:
    """Draw the page."""
    if workspace is None:
        st.title("Documents")
        st.write("Name a workspace on the left first, or look at ours.")
        samples.offer("documents-sample")
        return
    st.title("Documents")
    error = st.session_state.pop(NEWS, None)
    if error is not None:
        tell(error)
    parts.upload(f"upload-{workspace.id}", workspace.name, settings().max_upload_mb)
    waiting = any(
        document.newest.status in UNSETTLED for document in assistant().documents(workspace.name)
    )
    # The list refreshes itself only while something is being read.
    st.fragment(_list, run_every=REFRESH_SECONDS if waiting else None)(workspace, waiting=waiting)
    _delete_workspace(workspace)


def _list(workspace: Workspace, *, waiting: bool) -> None:
    documents = assistant().documents(workspace.name)
    if waiting and all(document.newest.status not in UNSETTLED for document in documents):
        st.rerun()
    if not documents:
        st.html('<p class="list-empty">No documents yet. What you drop above is listed here.</p>')
        return
    shown = _filtered(documents)
    event = parts.listing(f"listing-{workspace.id}", [_row(document) for document in shown])
    if event is not None:
        _do(workspace, event)


def _do(workspace: Workspace, event: parts.Event) -> None:
    door = assistant()
    if event.name == "open":
        links.go("reader", workspace=workspace.name, document=event.value, page=1)
    acts = {"cancel": door.cancel, "retry": door.retry, "delete": door.delete_document}
    if event.name not in acts:
        return
    try:
        acts[event.name](workspace.name, event.value)
    except MunimentError as error:
        st.session_state[NEWS] = error
    if event.name == "delete":
        evidence.forget()
    st.rerun()


def _overview(documents: Sequence[Document]) -> str:
    ready = sum(document.newest.status is Status.READY for document in documents)
    failed = sum(document.newest.status is Status.FAILED for document in documents)
    left = len(documents) - ready - failed
    many = "document" if len(documents) == 1 else "documents"
    said = [f"{len(documents)} {many}"]
    if left:
        said.append(f"{left} still being read")
    if failed:
        said.append(f"{failed} not read")
    return " · ".join(said)


def _filtered(documents: Sequence[Document]) -> Sequence[Document]:
    with st.container(
        horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"
    ):
        st.markdown(f"**{_overview(documents)}**", width="content")
        if len(documents) <= ROWS_A_SCREEN // 4:
            return documents
        text = st.text_input(
            "Show names with",
            key="document-filter",
            placeholder="Find by name",
            label_visibility="collapsed",
            width=260,
        ).casefold()
    found = [document for document in documents if text in document.name.casefold()]
    screens = max(1, -(-len(found) // ROWS_A_SCREEN))
    if screens == 1:
        return found
    screen = min(int(st.pagination(screens, key="document-screen") or 1), screens)
    return found[(screen - 1) * ROWS_A_SCREEN : screen * ROWS_A_SCREEN]


def _row(document: Document) -> dict[str, Any]:
    newest = document.newest
    unsettled = newest.status in UNSETTLED
    note = newest.reason or ""
    if unsettled and document.searchable is not None and newest.number > document.searchable.number:
        note = f"Version {document.searchable.number} answers until this one is ready."
    return {
        "id": document.id,
        "name": document.name,
        "facts": _facts(newest),
        "state": newest.status.value,
        "word": WORDS[newest.status],
        "progress": _progress(newest),
        "note": note,
        "can_open": document.searchable is not None,
        "can_cancel": unsettled,
        "can_retry": newest.status is Status.FAILED,
    }


def _progress(version: Version) -> float | None:
    """Return how far reading is, 0..1; negative when it cannot be told, None when it is over."""
    if version.status is Status.PARSING:
        return -1.0
    if version.status is Status.INDEXING:
        return version.embedded / version.passages if version.passages else -1.0
    return None


def _facts(version: Version) -> str:
    parts = [_size(version.bytes)]
    if version.paged and version.pages:
        parts.insert(0, f"{version.pages:,} page{'s' if version.pages > 1 else ''}")
    if version.number > 1:
        parts.append(f"version {version.number}")
    return " · ".join(parts)


def _size(count: int) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000 or unit == "MB":  # noqa: PLR2004 - a thousand
            return f"{count:,.0f} {unit}"
        count = max(1, round(count / 1000))
    raise AssertionError(count)


def _delete_workspace(workspace: Workspace) -> None:
    st.space("medium")
    with st.popover(
        "Delete this workspace", type="tertiary", icon=":material/delete:", key="delete-workspace"
    ):
        st.write(
            "Delete the workspace with all its documents and conversations? This cannot be undone."
        )
        typed = st.text_input("Type its name to be sure", key="delete-workspace-name")
        if st.button("Delete everything in it", type="primary", disabled=typed != workspace.name):
            assistant().delete_workspace(workspace.name)
            evidence.forget()
            st.session_state.pop("picked-workspace", None)
            st.session_state.pop("last-workspace", None)
            st.query_params.clear()
            st.rerun()
