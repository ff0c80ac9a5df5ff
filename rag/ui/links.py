"""Links from page to page; everything a page shows stands in its address."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

_PAGES = "pages-by-name"


def register(pages: Mapping[str, st.Page]) -> None:
    """Note the pages of this run, so that any of them can be linked to."""
    st.session_state[_PAGES] = dict(pages)


def link(to: str, label: str, icon: str | None = None, **address: str | int) -> None:
    """Draw a link to a page (``ask``, ``documents``, ``reader``) with what it is to show."""
    query = {name: str(value) for name, value in address.items()}
    st.page_link(st.session_state[_PAGES][to], label=label, icon=icon, query_params=query)


def number(name: str) -> int | None:
    """Return a whole number of the address, None when it is not there or not one."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None  # noqa: PLR2004
