"""The frame of every page: which pages there are, the workspace picker, and warnings.

What a page shows is told by its address (workspace, conversation, document, page), so a refresh, a
bookmark or a link sent to a colleague shows the same.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from rag.errors import MunimentError
from rag.types import Workspace
from rag.ui import ask, documents, links, reader
from rag.ui.door import assistant, settings
from rag.ui.trouble import tell

STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")
PICKED = "picked-workspace"


def show() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Muniment", page_icon="🗝️", layout="wide")
    st.html(f"<style>{STYLE}</style>")
    pages = {
        "ask": st.Page(_ask, title="Ask", icon=":material/forum:", url_path="ask", default=True),
        "documents": st.Page(
            _documents, title="Documents", icon=":material/folder_open:", url_path="documents"
        ),
        "reader": st.Page(_reader, title="Reader", icon=":material/menu_book:", url_path="reader"),
    }
    links.register(pages)
    chosen = st.navigation(list(pages.values()), position="hidden")
    with st.sidebar:
        st.html(
            '<div class="brand"><span>Muniment</span><small>answers with their lines</small></div>'
        )
        workspace = _pick_workspace()
        for page in pages.values():
            st.page_link(page, query_params=_carried(workspace))
    st.session_state["workspace"] = workspace
    _trusting()
    try:
        chosen.run()
    except MunimentError as error:
        tell(error)


def _ask() -> None:
    ask.show(st.session_state["workspace"])


def _documents() -> None:
    documents.show(st.session_state["workspace"])


def _reader() -> None:
    reader.show(st.session_state["workspace"])


def _carried(workspace: Workspace | None) -> dict[str, str]:
    return {"workspace": workspace.name} if workspace else {}


def _pick_workspace() -> Workspace | None:
    known = assistant().workspaces()
    if not known:
        _new_workspace(expanded=True)
        return None
    names = [workspace.name for workspace in known]
    wanted = st.query_params.get("workspace") or st.session_state.get("last-workspace")
    if st.session_state.get(PICKED) not in names:
        st.session_state[PICKED] = wanted if wanted in names else names[0]
    elif "workspace" in st.query_params and st.query_params["workspace"] in names:
        st.session_state[PICKED] = st.query_params["workspace"]
    name = st.selectbox(
        "Workspace",
        names,
        key=PICKED,
        on_change=_changed,
        help="A matter or a class: its documents are searched together, and nothing else with them.",
    )
    st.session_state["last-workspace"] = name
    st.query_params["workspace"] = name
    _new_workspace(expanded=False)
    return next(workspace for workspace in known if workspace.name == name)


def _changed() -> None:
    st.query_params.clear()
    st.query_params["workspace"] = st.session_state[PICKED]


def _new_workspace(*, expanded: bool) -> None:
    box = st.container() if expanded else st.popover("New workspace", width="stretch")
    with box, st.form("new-workspace", clear_on_submit=True, border=False):
        name = st.text_input(
            "Name of the new workspace", placeholder="e.g. Larch Street lease", max_chars=80
        )
        made = st.form_submit_button("Create workspace", width="stretch")
    if made:
        try:
            workspace = assistant().create_workspace(name)
        except MunimentError as error:
            tell(error)
            return
        open_workspace(workspace.name)


def open_workspace(name: str) -> None:
    """Show another workspace from its beginning."""
    st.session_state.pop(PICKED, None)
    st.query_params.clear()
    st.query_params["workspace"] = name
    st.rerun()


def _trusting() -> None:
    if settings().trust_network:
        st.warning(
            "Open to the network: everyone who can reach this address can read, add and delete "
            "everything here. Nobody signs in."
        )
