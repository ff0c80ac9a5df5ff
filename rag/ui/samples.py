"""The sample workspace: an invented law office's and school's documents, one click away."""

from __future__ import annotations

import streamlit as st

from rag.config import shipped
from rag.errors import MunimentError
from rag.ui.door import assistant
from rag.ui.trouble import tell

NEWS = "sample-news"
SAMPLE_WORKSPACE = "Sample office and school"
EXAMPLES = (
    "How much notice must the tenant give?",
    "How many adults are needed on an overnight trip?",
    "How long must confidential information be kept secret?",
)


def offer(key: str) -> None:
    """Draw the button that opens the sample workspace, making it where it is not there yet."""
    st.button("Open the sample workspace", key=key, type="primary", on_click=open_sample)
    error = st.session_state.pop(NEWS, None)
    if error is not None:
        tell(error)


def open_sample() -> None:
    """Make the sample workspace if needed, take its documents in, and show it.

    A callback: it runs to its end whatever is pressed meanwhile.
    """
    door = assistant()
    try:
        if SAMPLE_WORKSPACE not in {workspace.name for workspace in door.workspaces()}:
            door.create_workspace(SAMPLE_WORKSPACE)
        for path in sorted((shipped("samples") / "documents").iterdir()):
            with path.open("rb") as stream:
                door.upload(SAMPLE_WORKSPACE, path.name, stream)
    except MunimentError as error:
        st.session_state[NEWS] = error
        return
    st.session_state.pop("picked-workspace", None)
    st.query_params.from_dict({"workspace": SAMPLE_WORKSPACE})
