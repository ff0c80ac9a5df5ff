"""A document's way from stored bytes to being found: parse, then index. Read this first.

``parse`` reads the original in the sandbox, cuts its pages into passages and writes both in one
transaction; from then on they are found by keyword. ``index`` gives the passages their vectors and
makes the version ready. ``erase`` takes away what deleting left outside the database, and ``renew``
what Chroma keeps of vectors it was told to delete; ``restore`` makes lost ones anew. The worker
(:mod:`rag.worker`) calls them, one job at a time each, and sees to retries and failures.

SQL is the truth. Vectors are kept there, some at a time, as they are made, so an interrupted
``index`` goes on where it was; only then do they go to the vector store, whole; and only then does
one transaction make the version ready. Whatever crashes in between, the job is still there and
doing it again changes nothing. A document deleted or cancelled meanwhile is noticed, and what was
put into the vector store for it is taken out again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import numpy as np

from ingest import sandbox
from ingest.chunk import passages as cut
from rag.config import Settings
from rag.errors import BadRequest, NotFound
from rag.models.embed import EmbedderPool, Tokens, model_identity
from rag.search.vectors import RebuildStopped, VectorStore
from rag.specialists import IndexRecipe
from rag.store.catalogue import Catalogue
from rag.store.files import Originals
from rag.store.jobs import ERASE, INDEX, PARSE, RENEW, RESTORE, Interrupted, Job, Jobs
from rag.store.passages import Passages
from rag.types import Vectors, Version
from rag.worker import Handler

WRITTEN_AT_ONCE = 128
"""Vectors written in one transaction: about a second's work of two processor cores."""

log = logging.getLogger(__name__)


class Pipeline:
    """What is done with a document after it was taken in; each method is a kind of job."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        passages: Passages,
        jobs: Jobs,
        originals: Originals,
        vectors: VectorStore,
        pool: EmbedderPool,
        tokens: Tokens,
        recipe: IndexRecipe,
        settings: Settings,
    ) -> None:
        self._catalogue = catalogue
        self._passages = passages
        self._jobs = jobs
        self._originals = originals
        self._vectors = vectors
        self._pool = pool
        self._tokens = tokens
        self._recipe = recipe
        self._settings = settings

    def handlers(self) -> dict[str, Handler]:
        """Return what does a job, by its kind."""
        return {
            PARSE: self.parse,
            INDEX: self.index,
            ERASE: self.erase,
            RENEW: self.renew,
            RESTORE: self.restore,
        }

    def parse(self, job: Job) -> None:
        """Read a version's original and write its pages and passages; then it waits for vectors.

        Raises:
            BadFile, TooLarge: it cannot be read, in words for a layman.
            Interrupted: the job is not wanted any more, or the worker stops.
        """
        version, name = self._version(job)
        began = time.monotonic()
        try:
            parsed = sandbox.read_document(
                self._originals.path(version.sha256),
                name,
                self._settings,
                lambda _done, _total: None,
                job.stopped,
            )
        except sandbox.Cancelled as error:
            raise Interrupted from error
        found = cut(parsed.pages, self._tokens, self._recipe)
        _unless_stopped(job)
        try:
            self._catalogue.set_parsed(
                version.id, parsed.title, parsed.paged, len(parsed.pages), parsed.media_type
            )
            self._passages.write_parsed(version.id, parsed.pages, found)
        except (NotFound, BadRequest) as error:
            raise self._unwanted(job, error) from error
        seconds = time.monotonic() - began
        log.info("read %d pages, %d passages in %.1f s", len(parsed.pages), len(found), seconds)

    def index(self, job: Job) -> None:
        """Give a version's passages their vectors and make it ready.

        Raises:
            ModelError: the embedding model cannot do its part.
            Interrupted: the job is not wanted any more, or the worker stops.
        """
        version, _ = self._version(job)
        workspace_id = self._catalogue.workspace_of(version.id)
        self._embed(version, job)
        put: list[int] = []
        try:
            for ids, vectors in self._passages.embeddings(version.id, self._recipe.hash):
                _unless_stopped(job)
                put += ids
                self._vectors.upsert(workspace_id, ids, vectors)
            self._catalogue.mark_ready(version.id)
        except (NotFound, BadRequest, Interrupted) as error:
            self._take_back(workspace_id, put)
            raise self._unwanted(job, error) from error

    def erase(self, job: Job) -> None:
        """Take away vectors and originals that nothing in the database needs any more."""
        workspace_id = int(job.payload["workspace_id"])
        if job.payload["drop"]:
            self._vectors.drop(workspace_id)
        else:
            self._vectors.delete(workspace_id, job.payload["passage_ids"])
        self._catalogue.erase_originals(job.payload["hashes"], self._originals.delete)

    def renew(self, job: Job) -> None:
        """Make a workspace's vectors anew, so that those of deleted passages leave the disk.

        What Chroma's own database has of them goes with a second job, which names no workspace: if
        there is no room for that yet, the first need not be done again.

        Raises:
            Interrupted: somebody else needs the vectors, or the worker stops.
            DiskFull, DataFolderBusy: the database could not be rewritten.
        """
        if job.payload["workspace_id"] is None:
            self._vectors.forget_deleted()
        else:
            self._rebuild(job, gently=True)
            self._jobs.enqueue_once(RENEW, {"workspace_id": None})

    def restore(self, job: Job) -> None:
        """Make a workspace's vectors anew because they are lost.

        Raises:
            Interrupted: the worker stops.
        """
        self._rebuild(job, gently=False)

    def _rebuild(self, job: Job, *, gently: bool) -> None:
        workspace_id = int(job.payload["workspace_id"])
        if not self._is_there(workspace_id):
            return
        batches = self._passages.embeddings_of_workspace(workspace_id, self._recipe.hash)
        try:
            self._vectors.rebuild(workspace_id, batches, job.stopped, gently=gently)
        except RebuildStopped as error:
            raise Interrupted from error

    def _version(self, job: Job) -> tuple[Version, str]:
        if job.version_id is None:
            raise NotFound("This job names no document.")
        version = self._catalogue.version(job.version_id)
        workspace_id = self._catalogue.workspace_of(version.id)
        document = self._catalogue.document_by_id(workspace_id, version.document_id)
        return version, document.name

    def _embed(self, version: Version, job: Job) -> None:
        """Make the vectors that are missing, and keep each batch as soon as it is there."""
        recipe = self._recipe
        missing = self._passages.missing_embeddings(
            version.id, recipe.hash, heading_characters=recipe.passages.heading_characters
        )
        if not missing:
            return
        if self._passages.recipe_identity(recipe.hash) is None:
            self._passages.record_recipe(recipe.hash, model_identity(recipe, self._settings))
        made = self._pool.embed_batches([text for _, text in missing])
        for rows, vectors in _gathered(made, WRITTEN_AT_ONCE):
            _unless_stopped(job)
            self._passages.write_embeddings(recipe.hash, [missing[row][0] for row in rows], vectors)

    def _take_back(self, workspace_id: int, ids: list[int]) -> None:
        """Remove what was put into the vector store for a version that is not to be ready."""
        if self._is_there(workspace_id):
            self._vectors.delete(workspace_id, ids)
        else:
            self._vectors.drop(workspace_id)

    def _is_there(self, workspace_id: int) -> bool:
        return any(workspace.id == workspace_id for workspace in self._catalogue.workspaces())

    def _unwanted(self, job: Job, error: Exception) -> Exception:
        """Return what to raise: a job that was called off is no failure."""
        return Interrupted() if job.stopped() or not self._jobs.alive(job.id) else error


def _gathered(
    batches: Iterator[tuple[list[int], Vectors]], least: int
) -> Iterator[tuple[list[int], Vectors]]:
    """Join batches until each but the last has so many rows: a transaction costs like many rows."""
    rows: list[int] = []
    parts: list[Vectors] = []
    for some, vectors in batches:
        rows += some
        parts.append(vectors)
        if len(rows) >= least:
            yield rows, np.concatenate(parts)
            rows, parts = [], []
    if rows:
        yield rows, np.concatenate(parts)


def _unless_stopped(job: Job) -> None:
    if job.stopped():
        raise Interrupted
