"""One open data folder: its parts, wired together. The only place that knows how they fit."""

from __future__ import annotations

from dataclasses import dataclass

from rag.config import Settings
from rag.models.embed import Embedder, open_embedder
from rag.search.retrieve import Retriever
from rag.search.vectors import VectorStore
from rag.specialists import IndexRecipe, Specialist, read
from rag.store.answers import Conversations
from rag.store.catalogue import Catalogue
from rag.store.database import Database, open_database
from rag.store.files import Originals
from rag.store.jobs import Jobs
from rag.store.lock import FolderLock
from rag.store.passages import Passages

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Archive:
    """The parts of an open data folder."""

    settings: Settings
    specialist: Specialist
    recipe: IndexRecipe
    lock: FolderLock
    database: Database
    catalogue: Catalogue
    passages: Passages
    jobs: Jobs
    conversations: Conversations
    originals: Originals
    vectors: VectorStore
    embedder: Embedder
    retriever: Retriever

    def close(self) -> None:
        """Let go of everything; the folder can then be opened by another process."""
        self.vectors.close()
        self.database.close()
        self.lock.release()


def open_archive(settings: Settings) -> Archive:
    """Open a data folder, making or migrating it where needed.

    Raises:
        DataFolderBusy: another process owns the folder.
        DiskFull: it cannot be written.
        BadSetting: the specialist's or the recipe's file is wrong, or a model is missing.
    """
    specialist = read(settings.specialist, Specialist)
    recipe = read(settings.recipe, IndexRecipe)
    lock = FolderLock(settings.data)
    lock.acquire()
    try:
        return _wire(settings, specialist, recipe, lock)
    except BaseException:
        lock.release()
        raise


def _wire(
    settings: Settings, specialist: Specialist, recipe: IndexRecipe, lock: FolderLock
) -> Archive:
    embedder = open_embedder(recipe, settings)
    database = open_database(settings.data)
    catalogue, passages = Catalogue(database), Passages(database)
    originals = Originals(
        settings.data / "originals",
        max_bytes=settings.max_upload_mb * MEGABYTE,
        free_bytes=settings.free_disk_mb * MEGABYTE,
    )
    originals.sweep_partial()
    conversations = Conversations(database)
    conversations.stop_unfinished()
    vectors = VectorStore(settings.data / "vectors", settings.chroma_url)
    return Archive(
        settings=settings,
        specialist=specialist,
        recipe=recipe,
        lock=lock,
        database=database,
        catalogue=catalogue,
        passages=passages,
        jobs=Jobs(database),
        conversations=conversations,
        originals=originals,
        vectors=vectors,
        embedder=embedder,
        retriever=Retriever(passages, vectors, embedder, specialist.retrieval, recipe.hash),
    )
