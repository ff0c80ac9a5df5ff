"""The sample workspace: an invented law office's and school's documents, one click away."""

from __future__ import annotations

import streamlit as st

from rag.config import shipped
from rag.ui.door import assistant

SAMPLE_WORKSPACE = "Sample office and school"
EXAMPLES = (
    "How much notice must the tenant give?",
    "How many adults are needed on an overnight trip?",
    "How long must confidential information be kept secret?",
)


def offer(key: str) -> None:
    """Draw the button that opens the sample workspace, making it where it is not there yet."""
    if st.button("Open the sample workspace", key=key, type="primary"):
        open_sample()


def open_sample() -> None:
    """Make the sample workspace if needed, take its documents in, and show it."""
    door = assistant()
    if SAMPLE_WORKSPACE not in {workspace.name for workspace in door.workspaces()}:
        door.create_workspace(SAMPLE_WORKSPACE)
    for path in sorted((shipped("samples") / "documents").iterdir()):
        with path.open("rb") as stream:
            door.upload(SAMPLE_WORKSPACE, path.name, stream)
    st.session_state.pop("picked-workspace", None)
    st.query_params.clear()
    st.query_params["workspace"] = SAMPLE_WORKSPACE
    st.rerun()
