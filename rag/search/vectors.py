"""Vectors in Chroma: one collection a workspace, holding ids and vectors and nothing else.

The only file that imports chromadb. Vectors are a cache: whatever is here can be rebuilt from the
embeddings in SQL, so that losing this folder loses nothing. It knows no passages, documents or
scopes; an id is a number whose meaning the caller knows.

Surprising: deleting an id does not erase its vector from Chroma's files, only a rebuild does;
Chroma leaves the folder of a removed collection behind, so it is removed here; it writes remains
of this process's memory into the files of a small collection, so they are blanked; and a second
process on the same folder loses rows without an error, which the lock on the data folder prevents.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import chromadb
import httpx
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import ChromaError, InvalidArgumentError, NotFoundError

from rag.errors import BadSetting, DataFolderError, IndexMismatch
from rag.search.blanking import blank, has_remains
from rag.types import Vector, Vectors

BATCH = 1000
"""Rows sent at once: Chroma refuses more than 5,461."""

_HNSW = {"hnsw": {"space": "cosine", "ef_search": 200}}
_REINDEX = "Run “muniment reindex”."
_Answer = TypeVar("_Answer")

logging.getLogger("chromadb").setLevel(logging.ERROR)


class VectorStore:
    """Nearest vectors by cosine, in the data folder or on a Chroma server. Safe in threads."""

    def __init__(self, folder: Path, chroma_url: str = "") -> None:
        self._folder = None if chroma_url else folder
        self._url = chroma_url
        self._client_made: Any = None
        self._collections: dict[int, Any] = {}
        self._folders: dict[UUID, Path] = {}
        self._lock = RLock()

    def upsert(self, workspace_id: int, ids: Sequence[int], vectors: Vectors) -> None:
        """Store vectors under their ids; a known id gets the new vector."""
        with self._lock, self._errors():
            if len(ids):
                self._fill(self._collection(workspace_id, make=True), ids, vectors)

    def query(self, workspace_id: int, vector: Vector, k: int) -> list[tuple[int, float]]:
        """Return the ``k`` nearest ids with their cosine similarity, best first."""

        def ask(collection: Any) -> list[tuple[int, float]]:  # noqa: ANN401 - a Chroma collection
            found = collection.query(query_embeddings=[vector], n_results=k, include=["distances"])
            pairs = zip(found["ids"][0], found["distances"][0], strict=True)
            return [(int(name), 1.0 - float(distance)) for name, distance in pairs]

        return self._read(workspace_id, ask, []) if k > 0 else []

    def ids(self, workspace_id: int) -> set[int]:
        """Return every id the workspace has a vector for."""

        def ask(collection: Any) -> set[int]:  # noqa: ANN401 - a Chroma collection
            found: set[int] = set()
            for offset in range(0, collection.count(), BATCH):
                part = collection.get(include=[], limit=BATCH, offset=offset)["ids"]
                found.update(map(int, part))
            return found

        with self._lock:
            return self._read(workspace_id, ask, set())

    def delete(self, workspace_id: int, ids: Sequence[int]) -> None:
        """Take vectors out; unknown ids are passed over."""
        with self._lock, self._errors():
            collection = self._collection(workspace_id)
            if collection is not None:
                for at in range(0, len(ids), BATCH):
                    collection.delete(ids=[str(number) for number in ids[at : at + BATCH]])
                self._blank(collection)

    def drop(self, workspace_id: int) -> None:
        """Remove a workspace's collection with its files."""
        with self._lock, self._errors():
            for name in _names(workspace_id):
                self._remove(name)
            self._collections.pop(workspace_id, None)
            self._tidy()

    def rebuild(self, workspace_id: int, batches: Iterable[tuple[Sequence[int], Vectors]]) -> int:
        """Fill a new collection, put it in the old one's place, and return how many it has.

        Searches go on in the old one until then. A crash leaves the old one or the new one.
        """
        name, building, built = _names(workspace_id)
        with self._lock, self._errors():
            self._recover(workspace_id)
            self._remove(building)
            fresh = self._create(building)
            count = 0
            for ids, vectors in batches:
                self._fill(fresh, ids, vectors)
                count += len(ids)
            fresh.modify(name=built)
            self._remove(name)
            fresh.modify(name=name)
            self._collections[workspace_id] = fresh
            self._tidy()
        return count

    def close(self) -> None:
        """Let go of the folder or the server."""
        with self._lock:
            self._collections.clear()
            if self._client_made is not None:
                self._client_made.close()
                _hang_up(self._client_made)
                self._client_made = None

    @property
    def _client(self) -> Any:  # noqa: ANN401 - a Chroma client
        with self._lock:
            if self._client_made is None:
                self._client_made = _connect(self._folder, self._url)
                self._tidy()
            return self._client_made

    def _create(self, name: str) -> Any:  # noqa: ANN401 - a Chroma collection
        return self._client.get_or_create_collection(
            name, embedding_function=None, configuration=_HNSW
        )

    def _collection(self, workspace_id: int, *, make: bool = False) -> Any:  # noqa: ANN401
        """Return the workspace's collection, None when there is none and none is to be made."""
        known = self._collections.get(workspace_id)
        if known is None:
            with self._lock:
                self._recover(workspace_id)
                name = _names(workspace_id)[0]
                known = self._create(name) if make else self._find(name)
                if known is not None:
                    known.get(include=[], limit=1)  # loads the index, which may write its files
                    self._blank(known)
                    self._collections[workspace_id] = known
        return known

    def _find(self, name: str) -> Any:  # noqa: ANN401 - a Chroma collection
        with suppress(NotFoundError):
            return self._client.get_collection(name, embedding_function=None)
        return None

    def _recover(self, workspace_id: int) -> None:
        """Finish a swap that a crash cut short."""
        name, _, built = _names(workspace_id)
        finished = self._find(built)
        if finished is not None:
            self._remove(name)
            finished.modify(name=name)

    def _remove(self, name: str) -> None:
        with suppress(NotFoundError):
            self._client.delete_collection(name)

    def _read(self, workspace_id: int, ask: Callable[[Any], _Answer], nothing: _Answer) -> _Answer:
        """Ask the collection; once more with a fresh one when a rebuild swapped it meanwhile."""
        with self._errors():
            for _ in range(2):
                collection = self._collection(workspace_id)
                if collection is None:
                    return nothing
                try:
                    answer = ask(collection)
                except NotFoundError:
                    with self._lock:
                        if self._collections.get(workspace_id) is collection:
                            del self._collections[workspace_id]
                else:
                    self._blank(collection)  # Chroma may have loaded its index anew
                    return answer
            return nothing

    def _fill(self, collection: Any, ids: Sequence[int], vectors: Vectors) -> None:  # noqa: ANN401
        for at in range(0, len(ids), BATCH):
            part = [str(number) for number in ids[at : at + BATCH]]
            collection.upsert(ids=part, embeddings=vectors[at : at + BATCH])
            self._blank(collection)

    def _blank(self, collection: Any) -> None:  # noqa: ANN401 - a Chroma collection
        """Blank the remains of this process's memory in a collection's files, if it has any."""
        if self._folder is None:
            return
        folder = self._folders.get(collection.id)
        if folder is None:
            statement = "SELECT id FROM segments WHERE scope = 'VECTOR' AND collection = ?"
            [name] = self._ask(statement, str(collection.id))
            folder = self._folders[collection.id] = self._folder / name
        with suppress(FileNotFoundError):  # the collection was removed meanwhile
            if has_remains(folder):
                with self._lock:
                    blank(folder)

    def _tidy(self) -> None:
        """Remove the folders of collections that Chroma no longer knows, and blank the others."""
        if self._folder is None or not (self._folder / "chroma.sqlite3").is_file():
            return
        known = self._ask("SELECT id FROM segments")
        for path in self._folder.iterdir():
            if path.is_dir() and _is_segment(path.name):
                if path.name not in known:
                    shutil.rmtree(path, ignore_errors=True)
                elif has_remains(path):
                    blank(path)

    def _ask(self, statement: str, *values: str) -> list[str]:
        """Return the first column of what Chroma's own database says."""
        with closing(sqlite3.connect(f"{self._folder}/chroma.sqlite3")) as connection:
            return [row[0] for row in connection.execute(statement, values)]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say what a layman can do about Chroma's and the network's errors."""
        try:
            yield
        except InvalidArgumentError as error:
            raise IndexMismatch(
                f"The vectors on disk were made by another embedding model ({error}).", _REINDEX
            ) from error
        except (httpx.HTTPError, ConnectionError) as error:
            raise DataFolderError(
                f"The Chroma server at {self._url} does not answer.",
                "Start it, or correct the setting “chroma_url”.",
            ) from error
        except ChromaError as error:
            raise DataFolderError(f"The vectors cannot be used ({error}).", _REINDEX) from error


def _connect(folder: Path | None, url: str) -> Any:  # noqa: ANN401 - a Chroma client
    settings = ChromaSettings(anonymized_telemetry=False)
    if folder is not None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return chromadb.PersistentClient(path=str(folder), settings=settings)
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


def _hang_up(client: Any) -> None:  # noqa: ANN401 - a Chroma client
    """Close the connections to a server that closing Chroma's client leaves open."""
    for part in (client, getattr(client, "_admin_client", None)):
        session = getattr(getattr(part, "_server", None), "_session", None)
        if session is not None:
            session.close()


def _names(workspace_id: int) -> tuple[str, str, str]:
    """Return the names of a collection: in use, being filled, and full but not yet in use."""
    name = f"workspace-{workspace_id}"
    return name, f"{name}.building", f"{name}.built"


def _is_segment(name: str) -> bool:
    with suppress(ValueError):
        return str(UUID(name)) == name
    return False
