"""Errors on a page: a sentence and what to do, never a stack trace."""

from __future__ import annotations

import logging

import streamlit as st

from rag.errors import MunimentError

logger = logging.getLogger(__name__)


def tell(error: MunimentError) -> None:
    """Show what happened and what to do."""
    st.error(plain(str(error)))


def plain(text: str) -> str:
    """Return text so that Streamlit's Markdown shows it as it is: no link, picture or markup."""
    return "".join(f"\\{character}" if character in _MARKUP else character for character in text)


_MARKUP = set("\\`*_{}[]()<>#+-.!|~$:^=@/&")


def on_script_error(error: Exception) -> bool:
    """Show an error that a page did not expect as a sentence; the log has the rest."""
    if isinstance(error, MunimentError):
        tell(error)
        return True
    logger.error("a page failed", exc_info=error)
    st.error(
        "Something unexpected happened on this page. Your documents and answers are safe. "
        "Load the page again; if it stays, the server’s log has the details."
    )
    return True
