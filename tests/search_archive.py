"""A small archive for the tests of search: real SQLite, real Chroma, the shipped fake embedder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rag import specialists
from rag.access import scope
from rag.config import shipped
from rag.models.embed import FakeEmbedder
from rag.search.retrieve import Retriever
from rag.search.vectors import VectorStore
from rag.store.catalogue import Catalogue
from rag.store.database import open_database
from rag.store.passages import Passages
from rag.types import Document, Found, Page, Passage, Query, Scope

RECIPE = "a" * 64


def retrieval() -> specialists.Retrieval:
    """Return the settings as they ship."""
    path = shipped("specialists") / "default.toml"
    return specialists.read(path, specialists.Specialist).retrieval


class SearchArchive:
    """A data folder with one workspace, filled by hand: one passage a line of a page."""

    def __init__(self, folder: Path, settings: specialists.Retrieval | None = None) -> None:
        self.database = open_database(folder)
        self.catalogue = Catalogue(self.database)
        self.passages = Passages(self.database)
        self.vectors = VectorStore(folder / "vectors")
        self.embedder = FakeEmbedder(dimension=256)
        self.workspace = self.catalogue.create_workspace("Matter")
        self.retriever = Retriever(
            self.passages, self.vectors, self.embedder, settings or retrieval(), RECIPE
        )

    def close(self) -> None:
        """Let go of the folder."""
        self.vectors.close()
        self.database.close()

    def add(
        self, name: str, pages: Sequence[str], *, title: str = "", embed: bool = True
    ) -> Document:
        """Take a document in, ready to be found; without ``embed`` by its words only."""
        content = "\f".join(pages).encode()
        uploaded = self.catalogue.add_upload(
            self.workspace.id, name, hashlib.sha256(content).hexdigest(), len(content), "text/plain"
        )
        version = uploaded.document.newest.id
        self.catalogue.set_parsed(version, title, True, len(pages), "text/plain")
        read = [Page(number, text) for number, text in enumerate(pages, start=1)]
        self.passages.write_parsed(version, read, [cut for page in read for cut in lines(page)])
        if embed:
            missing = self.passages.missing_embeddings(version, RECIPE)
            ids = [number for number, _ in missing]
            vectors = self.embedder.embed([text for _, text in missing])
            self.vectors.upsert(self.workspace.id, ids, vectors)
            self.passages.write_embeddings(RECIPE, ids, vectors)
            self.catalogue.mark_ready(version)
        return self.catalogue.document(self.workspace.id, name)

    def add_all(self, documents: Mapping[str, str]) -> None:
        """Take in documents of one page each."""
        for name, text in documents.items():
            self.add(name, [text])

    def scope(self, *names: str) -> Scope:
        """Return the whole workspace as a scope, or the documents of these names."""
        chosen = [self.catalogue.document(self.workspace.id, name) for name in names]
        return scope(self.workspace, chosen or None)

    def search(self, question: str, *names: str, limit: int = 10) -> Found:
        """Search the workspace, or the documents of these names."""
        return self.retriever.search(Query(question, self.scope(*names)), limit)


def lines(page: Page) -> list[Passage]:
    """Return each line of a page as a passage."""
    found, start = [], 0
    for line in page.text.split("\n"):
        if line.strip():
            found.append(Passage(page.number, start, start + len(line), line))
        start += len(line) + 1
    return found
