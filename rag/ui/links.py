"""Links from page to page; everything a page shows stands in its address."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

_PAGES = "pages-by-name"
LONGEST_NUMBER = 12


def register(pages: Mapping[str, st.Page]) -> None:
    """Note the pages of this run, so that any of them can be linked to."""
    st.session_state[_PAGES] = dict(pages)


def link(to: str, label: str, icon: str | None = None, **address: str | int) -> None:
    """Draw a link to a page (``ask``, ``documents``, ``reader``) with what it is to show."""
    page = st.session_state[_PAGES][to]
    st.page_link(page, label=label, icon=icon, query_params=_query(address))


def go(to: str, **address: str | int) -> None:
    """Leave for a page, with what it is to show; nothing after this call is done."""
    st.switch_page(st.session_state[_PAGES][to], query_params=_query(address))


def put(**address: str | int) -> None:
    """Say in the address what is shown from now on, and nothing else."""
    st.query_params.from_dict(_query(address))


def number(name: str) -> int | None:
    """Return a whole number of the address, None when it is not there or not one."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER else None


def _query(address: Mapping[str, str | int]) -> dict[str, str]:
    return {name: str(value) for name, value in address.items()}
