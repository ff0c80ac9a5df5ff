"""Vectors in Chroma: one collection a workspace, holding ids and vectors and nothing else.

Vectors are a cache: whatever is here can be rebuilt from the
embeddings in SQL, so that losing this folder loses nothing. It knows no passages, documents or
scopes; an id is a number whose meaning the caller knows.

Surprising: deleting an id does not erase its vector from Chroma's files; only a rebuild with
:meth:`VectorStore.forget_deleted` after it does. And a second process on the same folder loses rows
without an error, which the lock on the data folder prevents.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
import numpy as np
from chromadb.errors import ChromaError, InvalidArgumentError, NotFoundError

from rag.errors import DataFolderBusy, DataFolderError, IndexMismatch
from rag.search.connection import connect, hang_up
from rag.search.folder import ChromaFolder, Damaged
from rag.search.turn import Turn
from rag.types import Vector, Vectors

BATCH = 1000
"""Rows sent at once: Chroma refuses more than 5,461."""

PATIENCE = 1.0
"""A search waits so many seconds for the vectors, then it does without them."""

GENTLE_BATCH = 100
"""Rows sent at once by work that others should not notice: some thirty milliseconds."""

_HNSW = {"hnsw": {"space": "cosine", "ef_search": 200}}
_SAME = 0.999
"""Vectors are the same from this cosine on: Chroma brings them to length one once more."""

_REINDEX = "Run “muniment reindex”."
logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")


class RebuildStopped(Exception):
    """A rebuild was left in the middle; the old vectors are as they were."""


class VectorStore:
    """Nearest vectors by cosine, in the data folder or on a Chroma server. Safe in threads."""

    def __init__(self, folder: Path, chroma_url: str = "") -> None:
        self._folder = None if chroma_url else ChromaFolder(folder)
        self._url = chroma_url
        self._client_made: Any = None
        self._collections: dict[int, Any] = {}
        self._lock = Turn()

    def upsert(self, workspace_id: int, ids: Sequence[int], vectors: Vectors) -> None:
        """Store vectors under their ids; a known id gets the new vector."""
        with self._lock.held(), self._errors():
            if len(ids):
                collection = self._collection(workspace_id, make=True)
                self._fill(_names(workspace_id)[0], collection, ids, vectors)

    def query(self, workspace_id: int, vector: Vector, k: int) -> list[tuple[int, float]]:
        """Return the ``k`` nearest ids with their cosine similarity, best first.

        Raises:
            DataFolderBusy: the vectors are being made anew; it takes some seconds.
        """

        def ask(collection: Any) -> list[tuple[int, float]]:  # noqa: ANN401 - a Chroma collection
            found = collection.query(query_embeddings=[vector], n_results=k, include=["distances"])
            pairs = zip(found["ids"][0], found["distances"][0], strict=True)
            return [(int(name), 1.0 - float(distance)) for name, distance in pairs]

        return self._read(workspace_id, ask, [], PATIENCE) if k > 0 else []

    def ids(self, workspace_id: int) -> set[int]:
        """Return every id the workspace has a vector for."""

        def ask(collection: Any) -> set[int]:  # noqa: ANN401 - a Chroma collection
            found: set[int] = set()
            for offset in range(0, collection.count(), BATCH):
                part = collection.get(include=[], limit=BATCH, offset=offset)["ids"]
                found.update(map(int, part))
            return found

        with self._lock.held():
            return self._read(workspace_id, ask, set())

    def differing(self, workspace_id: int, batches: Iterable[tuple[Sequence[int], Vectors]]) -> int:
        """Count the ids whose vector is there but is not the given one, of length one."""
        found = 0
        for ids, vectors in batches:
            found += self._read(workspace_id, partial(_differing, ids, vectors), 0)
        return found

    def delete(self, workspace_id: int, ids: Sequence[int]) -> None:
        """Take vectors out; unknown ids are passed over."""
        with self._lock.held(), self._errors():
            collection = self._collection(workspace_id)
            if collection is not None:
                for at in range(0, len(ids), BATCH):
                    with self._writing(_names(workspace_id)[0], collection):
                        collection.delete(ids=[str(number) for number in ids[at : at + BATCH]])
                self._blank(collection)

    def drop(self, workspace_id: int) -> None:
        """Remove a workspace's collection with its files."""
        with self._lock.held(), self._errors():
            for name in _names(workspace_id):
                self._remove(name)
            self._let_go()

    def rebuild(
        self,
        workspace_id: int,
        batches: Iterable[tuple[Sequence[int], Vectors]],
        stopped: Callable[[], bool] = lambda: False,
        *,
        gently: bool = False,
    ) -> int:
        """Fill a new collection, put it in the old one's place, and return how many it has.

        Searches go on in the old one until then. A crash leaves the old one or the new one.

        Args:
            workspace_id: whose collection it is.
            batches: its ids and vectors; not looked at before nobody else can change them.
            stopped: asked several times a second whether to leave off.
            gently: give way to others: leave off as soon as somebody wants the store's lock, and
                rest as long as work, because Chroma lets no other thread run while it adds.

        Raises:
            RebuildStopped: it left off, and nothing has changed.
        """
        name, building, built = _names(workspace_id)
        with self._lock.held(), self._errors():
            self._recover(workspace_id)
            self._remove(building)
            fresh = self._create(building)
            count = 0
            for ids, vectors in _parts(batches) if gently else batches:
                began = time.monotonic()
                self._fill(building, fresh, ids, vectors)
                count += len(ids)
                if gently:
                    time.sleep(time.monotonic() - began)
                if stopped() or (gently and self._lock.wanted):
                    self._remove(building)
                    self._let_go()
                    raise RebuildStopped
            fresh.modify(name=built)
            self._remove(name)
            fresh.modify(name=name)
            self._let_go()
        return count

    def forget_deleted(self) -> None:
        """Write Chroma's database anew without what was deleted from it: a moment's work.

        A Chroma server's files are its own matter.

        Raises:
            DiskFull: there is no room for it, or the folder cannot be written.
            DataFolderBusy: the database was locked all the time.
        """
        if self._folder is not None:
            with self._lock.held():
                self._folder.rewrite()

    def lost(self, workspace_ids: Iterable[int]) -> list[int]:
        """Return those of the workspaces whose vectors are gone or damaged; to be asked first."""
        with self._lock.held():
            if self._folder is None or self._client_made is not None:
                return []
            try:
                sound = self._folder.sound()
            except Damaged:
                logger.exception("the vectors of every workspace are lost")
                sound = set()
        found = []
        for workspace_id in workspace_ids:
            name, _, built = _names(workspace_id)
            if sound.isdisjoint({name, built}):
                found.append(workspace_id)
        return found

    def discard(self, workspace_ids: Iterable[int]) -> None:
        """Remove what there is of collections that are lost, so that they can be rebuilt.

        All are removed when Chroma cannot open its files.
        """
        with self._lock.held():
            self.start_over_if_unusable()
            for workspace_id in workspace_ids:
                self.drop(workspace_id)
            if self._folder is not None:
                self._folder.trust()

    def usable(self) -> bool:
        """Tell whether Chroma can open its files.

        Raises:
            DataFolderError: the Chroma server does not answer.
        """
        try:
            with self._errors():
                return self._client is not None
        except DataFolderError:
            if self._folder is None:
                raise
            return False

    def start_over_if_unusable(self) -> bool:
        """Remove all of Chroma's files if it cannot open them; each collection is lost then.

        Returns:
            Whether it did.
        """
        with self._lock.held():
            if self.usable():
                return False
            self.close()
            if self._folder is not None:
                self._folder.clear()
            return True

    def close(self) -> None:
        """Let go of the folder or the server."""
        with self._lock.held():
            self._collections.clear()
            if self._client_made is not None:
                self._client_made.close()
                hang_up(self._client_made)
                self._client_made = None

    @property
    def _client(self) -> Any:  # noqa: ANN401 - a Chroma client
        with self._lock.held():
            if self._client_made is None:
                self._client_made = connect(self._folder, self._url)
            return self._client_made

    def _create(self, name: str) -> Any:  # noqa: ANN401 - a Chroma collection
        return self._client.get_or_create_collection(
            name, embedding_function=None, configuration=_HNSW
        )

    def _let_go(self) -> None:
        """Have Chroma close the files of an index that was removed, which it does not by itself.

        Everything is opened anew when it is used next.
        """
        if self._folder is not None:
            self.close()
        self._collections.clear()

    def _collection(self, workspace_id: int, *, make: bool = False, patience: float = -1) -> Any:  # noqa: ANN401
        """Return the workspace's collection, None when there is none and none is to be made."""
        known = self._collections.get(workspace_id)
        if known is None:
            with self._lock.held(patience):
                self._recover(workspace_id)
                name = _names(workspace_id)[0]
                known = self._create(name) if make else self._find(name)
                if known is not None:
                    with self._writing(name, known):
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
        collection = self._find(name)
        if collection is not None:
            self._client.delete_collection(name)
            if self._folder is not None:
                self._folder.removed(collection.id)

    def _read(
        self,
        workspace_id: int,
        ask: Callable[[Any], _Answer],
        nothing: _Answer,
        patience: float = -1,
    ) -> _Answer:
        """Ask the collection; once more with a fresh one when a rebuild swapped it meanwhile."""
        with self._errors():
            for _ in range(3):
                collection = self._collection(workspace_id, patience=patience)
                if collection is None:
                    return nothing
                try:
                    answer = ask(collection)
                except NotFoundError:
                    with self._lock.held():
                        if self._collections.get(workspace_id) is collection:
                            del self._collections[workspace_id]
                except AttributeError:  # what a closed client of Chroma's says
                    if self._collections.get(workspace_id) is collection:
                        raise
                else:
                    self._blank(collection)  # Chroma may have loaded its index anew
                    return answer
            return nothing

    def _fill(self, name: str, collection: Any, ids: Sequence[int], vectors: Vectors) -> None:  # noqa: ANN401
        for at in range(0, len(ids), BATCH):
            part = [str(number) for number in ids[at : at + BATCH]]
            with self._writing(name, collection):
                collection.upsert(ids=part, embeddings=vectors[at : at + BATCH])
            self._blank(collection)

    def _writing(self, name: str, collection: Any) -> AbstractContextManager[None]:  # noqa: ANN401
        return nullcontext() if self._folder is None else self._folder.writing(name, collection.id)

    def _blank(self, collection: Any) -> None:  # noqa: ANN401 - a Chroma collection
        """Blank the remains of this process's memory in a collection's files, if it has any."""
        if self._folder is not None and self._folder.has_remains(collection.id):
            with self._lock.held():
                self._folder.blank(collection.id)

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
        except TimeoutError as error:
            raise DataFolderBusy(
                "The vectors are being made anew.", "Wait some seconds and try again."
            ) from error
        except (ChromaError, Damaged) as error:
            raise DataFolderError(f"The vectors cannot be used ({error}).", _REINDEX) from error


def _parts(
    batches: Iterable[tuple[Sequence[int], Vectors]],
) -> Iterator[tuple[Sequence[int], Vectors]]:
    for ids, vectors in batches:
        for at in range(0, len(ids), GENTLE_BATCH):
            yield ids[at : at + GENTLE_BATCH], vectors[at : at + GENTLE_BATCH]


def _differing(ids: Sequence[int], vectors: Vectors, collection: Any) -> int:  # noqa: ANN401
    held = collection.get(ids=[str(number) for number in ids], include=["embeddings"])
    row = {str(number): at for at, number in enumerate(ids)}
    expected = vectors[[row[name] for name in held["ids"]]]
    cosines = np.sum(expected * np.reshape(held["embeddings"], expected.shape), axis=1)
    return int(np.sum(~(cosines > _SAME)))  # a value that is no number is not the same either


def _names(workspace_id: int) -> tuple[str, str, str]:
    """Return the names of a collection: in use, being filled, and full but not yet in use."""
    name = f"workspace-{workspace_id}"
    return name, f"{name}.building", f"{name}.built"
