"""Opening Chroma and letting go of it, in a folder or on a server."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import chromadb
from chromadb.api.shared_system_client import SharedSystemClient
from chromadb.config import Settings as ChromaSettings

from rag.errors import BadSetting
from rag.search.folder import ChromaFolder

logging.getLogger("chromadb").setLevel(logging.ERROR)


def connect(folder: ChromaFolder | None, url: str) -> Any:  # noqa: ANN401 - a Chroma client
    """Open a folder of this machine, or speak with the server at a URL.

    Raises:
        BadSetting: the URL is none.
        ConnectionError: the server does not answer.
        Damaged: the folder's database cannot be read.
    """
    settings = ChromaSettings(anonymized_telemetry=False)
    if folder is not None:
        folder.open()
        try:
            return chromadb.PersistentClient(path=str(folder.path), settings=settings)
        except Exception:
            SharedSystemClient.clear_system_cache()  # else it hands out the broken one next time
            raise
    address = urlsplit(url)
    if address.scheme not in {"http", "https"} or not address.hostname:
        raise BadSetting(
            f"The setting “chroma_url” is not an address: {url}.",
            "Write it like http://127.0.0.1:8000.",
        )
    secure = address.scheme == "https"
    try:
        return chromadb.HttpClient(
            host=address.hostname,
            port=address.port or (443 if secure else 80),
            ssl=secure,
            settings=settings,
        )
    except ValueError as error:  # what Chroma makes of a refused connection
        raise ConnectionError(str(error)) from error


def hang_up(client: Any) -> None:  # noqa: ANN401 - a Chroma client
    """Close the connections to a server that closing Chroma's client leaves open."""
    for part in (client, getattr(client, "_admin_client", None)):
        session = getattr(getattr(part, "_server", None), "_session", None)
        if session is not None:
            session.close()
