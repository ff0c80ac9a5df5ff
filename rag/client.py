"""What the terminal works with: the archive in this process, or a running server's interface.

Both give the same rows, so that a command does not know which one it speaks to. The server is
found through the data folder's lock (:mod:`rag.store.lock`), never by guessing an address.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

import httpx

from rag import rows
from rag.assistant import Assistant
from rag.errors import (
    BadFile,
    BadRequest,
    DataFolderBusy,
    DataFolderError,
    Forbidden,
    ModelError,
    MunimentError,
    NotFound,
    TooLarge,
)
from rag.names import workspace_name

CONNECT_SECONDS = 5.0
_KINDS: Mapping[int, type[MunimentError]] = {
    422: BadRequest,
    **{
        kind.status: kind
        for kind in (BadRequest, NotFound, Forbidden, TooLarge, DataFolderError, ModelError)
    },
}


class Desk(Protocol):
    """An archive, as the terminal sees it: names in, rows out."""

    def create_workspace(self, name: str) -> str:
        """Make a workspace unless there is one of that name; return the name it has."""

    def upload(self, workspace: str, name: str, path: Path) -> rows.Row:
        """Take in a file under a name."""

    def documents(self, workspace: str) -> list[rows.Row]:
        """List the documents with their states."""

    def delete(self, workspace: str, name: str) -> None:
        """Delete a document by name."""

    def delete_workspace(self, workspace: str) -> None:
        """Delete a workspace with everything in it."""

    def search(
        self, workspace: str, question: str, documents: Sequence[str] | None, limit: int
    ) -> rows.Row:
        """Find passages."""

    def ask(
        self, workspace: str, question: str, documents: Sequence[str] | None
    ) -> Iterator[tuple[str, rows.Row]]:
        """Answer, event by event; the last one is named ``finished``."""

    def reindex(self, workspace: str | None) -> int:
        """Rebuild vectors; the number of passages."""

    def doctor(self, *, repair: bool) -> list[str]:
        """Name every disagreement; with ``repair``, those that could not be mended."""


class Local:
    """The archive, opened by this process."""

    def __init__(self, assistant: Assistant) -> None:
        self._assistant = assistant

    def create_workspace(self, name: str) -> str:
        """Make a workspace unless there is one of that name; return the name it has."""
        known = _known(name, [workspace.name for workspace in self._assistant.workspaces()])
        return known or self._assistant.create_workspace(name).name

    def upload(self, workspace: str, name: str, path: Path) -> rows.Row:
        """Take in a file under a name."""
        with _opened(path) as stream:
            return rows.upload_row(self._assistant.upload(workspace, name, stream))

    def documents(self, workspace: str) -> list[rows.Row]:
        """List the documents with their states."""
        return [rows.document_row(document) for document in self._assistant.documents(workspace)]

    def delete(self, workspace: str, name: str) -> None:
        """Delete a document by name."""
        document = self._assistant.find_document(workspace, name)
        self._assistant.delete_document(workspace, document.id)
        self._assistant.finish_erasing()

    def delete_workspace(self, workspace: str) -> None:
        """Delete a workspace with everything in it."""
        self._assistant.delete_workspace(workspace)
        self._assistant.finish_erasing()

    def search(
        self, workspace: str, question: str, documents: Sequence[str] | None, limit: int
    ) -> rows.Row:
        """Find passages."""
        found = self._assistant.search(workspace, question, documents=documents, limit=limit)
        return rows.search_row("", found)

    def ask(
        self, workspace: str, question: str, documents: Sequence[str] | None
    ) -> Iterator[tuple[str, rows.Row]]:
        """Answer, event by event."""
        for event in self._assistant.ask(workspace, question, documents=documents):
            yield rows.event_row(event)

    def reindex(self, workspace: str | None) -> int:
        """Rebuild vectors; the number of passages."""
        return self._assistant.reindex(workspace)

    def doctor(self, *, repair: bool) -> list[str]:
        """Name every disagreement."""
        return self._assistant.doctor(repair=repair)


class Remote:
    """A running server's interface, reached on the address its lock file names."""

    def __init__(self, url: str) -> None:
        # No proxy, no redirect: the words of a question go to this server and nowhere else.
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1", timeout=timeout, trust_env=False
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def create_workspace(self, name: str) -> str:
        """Make a workspace unless there is one of that name; return the name it has."""
        known = _known(name, [row["name"] for row in self._call("GET", "/workspaces")])
        return known or str(self._call("POST", "/workspaces", {"name": name})["name"])

    def upload(self, workspace: str, name: str, path: Path) -> rows.Row:
        """Take in a file under a name."""
        with _opened(path) as stream:
            response = self._send(
                "PUT", f"{_at(workspace)}/documents", params={"name": name}, content=stream
            )
        row: rows.Row = response.json()
        return row

    def documents(self, workspace: str) -> list[rows.Row]:
        """List the documents with their states."""
        found: list[rows.Row] = self._call("GET", f"{_at(workspace)}/documents")
        return found

    def delete(self, workspace: str, name: str) -> None:
        """Delete a document by name."""
        matching = [row for row in self.documents(workspace) if row["document"] == name]
        if not matching:
            raise NotFound(f"There is no document “{name}” in “{workspace}”.")
        self._call("DELETE", f"{_at(workspace)}/documents/{matching[0]['id']}")

    def delete_workspace(self, workspace: str) -> None:
        """Delete a workspace with everything in it."""
        self._call("DELETE", _at(workspace))

    def search(
        self, workspace: str, question: str, documents: Sequence[str] | None, limit: int
    ) -> rows.Row:
        """Find passages."""
        body = {"question": question, "documents": _names(documents), "limit": limit}
        row: rows.Row = self._call("POST", f"{_at(workspace)}/search", body)
        return row

    def ask(
        self, workspace: str, question: str, documents: Sequence[str] | None
    ) -> Iterator[tuple[str, rows.Row]]:
        """Answer, event by event."""
        body = {"question": question, "documents": _names(documents)}
        headers = {"Accept": "text/event-stream"}
        path = f"{_at(workspace)}/ask"
        name = ""
        with (
            _answering(),
            self._http.stream("POST", path, json=body, headers=headers) as response,
        ):
            if response.is_error:
                response.read()
                raise _told(response)
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    row = json.loads(line.removeprefix("data: "))
                    if name == "error":
                        raise ModelError(row["message"], row["remedy"])
                    yield name, row
        if name != "finished":
            raise DataFolderError("The server ended in mid-answer.", "Ask again.")

    def reindex(self, workspace: str | None) -> int:
        """Rebuild vectors; the number of passages."""
        return int(self._call("POST", "/reindex", {"workspace": workspace})["passages"])

    def doctor(self, *, repair: bool) -> list[str]:
        """Name every disagreement."""
        findings: list[str] = self._call("POST", "/doctor", {"repair": repair})["findings"]
        return findings

    def _call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        response = self._send(method, path, json=body)
        return response.json() if response.content else None

    def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:  # noqa: ANN401
        with _answering():
            response = self._http.request(method, path, **arguments)
        if response.is_error:
            raise _told(response)
        return response


@contextmanager
def _answering() -> Iterator[None]:
    """Tell a server that cannot be reached, or leaves, in words."""
    try:
        yield
    except httpx.HTTPError as error:
        raise DataFolderBusy(
            "A server holds the data folder but does not answer.",
            "Wait a moment and try again, or restart the server.",
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = path.open("rb")
    except OSError as error:
        raise BadFile(
            f"The file {path} cannot be read ({error.strerror}).", "Check it and try again."
        ) from error
    with stream:
        yield stream


def _known(name: str, names: Sequence[str]) -> str | None:
    """Return the one of the names that is this one but for its case, itself first."""
    wanted = workspace_name(name)
    alike = [known for known in names if known.casefold() == wanted.casefold()]
    return wanted if wanted in alike else next(iter(alike), None)


def _at(workspace: str) -> str:
    return f"/workspaces/{quote(workspace, safe='')}"


def _names(documents: Sequence[str] | None) -> list[str] | None:
    return None if documents is None else list(documents)


def _told(response: httpx.Response) -> MunimentError:
    """Return the error that an answer tells of, of the kind it had on the other side."""
    kind = _KINDS.get(response.status_code, MunimentError)
    try:
        told = response.json()["error"]
        return kind(told["message"], told["remedy"])
    except (ValueError, KeyError, TypeError):
        return kind(f"The server answered {response.status_code}.", response.text[:200])
