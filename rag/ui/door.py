"""Where the pages find the assistant: the server hands it over once, when it has opened."""

from __future__ import annotations

from rag.assistant import Assistant
from rag.config import Settings
from rag.errors import DataFolderError


class _Door:
    def __init__(self) -> None:
        self.assistant: Assistant | None = None
        self.settings: Settings | None = None


_DOOR = _Door()


def connect(assistant: Assistant | None, settings: Settings | None) -> None:
    """Hand the assistant to the pages; None when the server closes."""
    _DOOR.assistant = assistant
    _DOOR.settings = settings


def assistant() -> Assistant:
    """Return the assistant.

    Raises:
        DataFolderError: the server is starting or closing.
    """
    if _DOOR.assistant is None:
        raise DataFolderError("The server is starting.", "Wait a moment and load the page again.")
    return _DOOR.assistant


def settings() -> Settings:
    """Return this machine's settings, as the server was started with them."""
    return _DOOR.settings or Settings()
