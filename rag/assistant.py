"""The door: page, interface and terminal all come through here. Check, act, record.

An :class:`Assistant` is one open data folder. Each call names its workspace, is given the scope
that :mod:`rag.access` grants, and reaches the parts wired together in :mod:`rag.archive`. What
needs a file's format (drawing a page's picture) is handed in from outside, because nothing in
``rag`` reads documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from rag import access, doctor
from rag.answer.boxes import line_boxes
from rag.answer.generate import Ask, Parts, generate
from rag.archive import Archive
from rag.errors import BadRequest, NotFound
from rag.models.chat import PATIENT_SECONDS, Choice, choose
from rag.names import document_name, workspace_name
from rag.running import Progress, RunningAnswers
from rag.store.answers import Conversation, Exchange
from rag.store.jobs import INDEX, PARSE
from rag.types import (
    Box,
    Document,
    Event,
    Found,
    Page,
    Query,
    Scope,
    Turn,
    Uploaded,
    Version,
    Workspace,
)

Picture = Callable[[Path, int, float, Sequence[Box]], bytes]
"""Draws a page: file, page from 1, pixels a point, boxes to mark; PNG bytes."""


REPAIR_SECONDS = 120.0
"""The doctor waits so long for the jobs that mending takes before looking again."""

ERASE_SECONDS = 120.0
"""Who closes the folder after deleting waits so long for the last traces to go."""


class Waker(Protocol):
    """Whoever does the jobs: told that there is a new one."""

    def wake(self) -> None:
        """Look for jobs now."""

    def wait_idle(self, timeout: float) -> bool:
        """Wait until there is no job left; False when time ran out."""


class Assistant:
    """An open data folder, with everything that can be asked of it."""

    def __init__(self, archive: Archive, picture: Picture) -> None:
        self._archive = archive
        self._picture = picture
        self._worker: Waker | None = None
        self._running = RunningAnswers(archive.conversations)

    def attach(self, worker: Waker) -> None:
        """Name the worker to be woken when a document comes in."""
        self._worker = worker

    def close(self) -> None:
        """End running answers, keeping what they have said."""
        self._running.close()

    @property
    def archive(self) -> Archive:
        """The parts behind the door, for the pipeline that fills them."""
        return self._archive

    # Workspaces

    def workspaces(self) -> list[Workspace]:
        """List the workspaces by name."""
        return self._archive.catalogue.workspaces()

    def create_workspace(self, name: str) -> Workspace:
        """Make a workspace.

        Raises:
            BadRequest: the name is unusable or taken.
        """
        return self._archive.catalogue.create_workspace(workspace_name(name))

    def delete_workspace(self, name: str) -> None:
        """Delete a workspace with its documents, originals, vectors and conversations."""
        workspace = self._workspace(name)
        for question_id in self._archive.conversations.unfinished(workspace.id):
            self._running.stop(question_id)
        unused = self._archive.catalogue.delete_workspace(workspace.id)
        self._archive.vectors.drop(workspace.id)
        self._erase_originals(unused)

    # Documents

    def upload(self, workspace: str, name: str, stream: BinaryIO) -> Uploaded:
        """Take in a file. When this returns its bytes are safe; reading them comes after.

        Raises:
            BadFile: it broke off. TooLarge, DiskFull: it could not be kept; nothing was changed.
        """
        place = self._workspace(workspace)
        cleaned = document_name(name)
        originals = self._archive.originals
        taken = originals.take(stream)
        try:
            uploaded = self._archive.catalogue.add_upload(
                place.id, cleaned, taken.sha256, taken.size, keep=lambda: originals.keep(taken)
            )
        finally:
            originals.discard(taken)
        self._wake()
        return uploaded

    def documents(self, workspace: str) -> list[Document]:
        """List the documents of a workspace by name."""
        return self._archive.catalogue.documents(self._workspace(workspace).id)

    def document(self, workspace: str, document_id: int) -> Document:
        """Return a document of a workspace."""
        place = self._workspace(workspace)
        return self._archive.catalogue.document_by_id(place.id, document_id)

    def find_document(self, workspace: str, name: str) -> Document:
        """Return a document by its name."""
        return self._archive.catalogue.document(self._workspace(workspace).id, name)

    def versions(self, workspace: str, document_id: int) -> list[Version]:
        """List a document's versions, newest first."""
        return self._archive.catalogue.versions(self.document(workspace, document_id).id)

    def delete_document(self, workspace: str, document_id: int) -> None:
        """Delete a document: rows, passages, keywords, vectors, and its original if unshared."""
        place = self._workspace(workspace)
        deleted = self._archive.catalogue.delete_document(place.id, document_id)
        self._archive.vectors.delete(place.id, deleted.passage_ids)
        self._erase_originals(deleted.hashes)
        self._wake()

    def finish_erasing(self) -> None:
        """Wait a while until what was deleted has left the disk, when nothing else is to be done.

        Whatever is not done by then is done when the folder is open the next time.
        """
        if self._worker is not None and not self._archive.jobs.pending([PARSE, INDEX]):
            self._wake()
            self._worker.wait_idle(ERASE_SECONDS)

    def cancel(self, workspace: str, document_id: int) -> None:
        """Stop reading a document's newest version."""
        self._archive.catalogue.cancel(self.document(workspace, document_id).newest.id)

    def retry(self, workspace: str, document_id: int) -> None:
        """Read a document's newest version again."""
        self._archive.catalogue.retry(self.document(workspace, document_id).newest.id)
        self._wake()

    def original(self, workspace: str, document_id: int) -> tuple[Path, Version]:
        """Return where a document's original bytes lie, and their version."""
        newest = self.document(workspace, document_id).newest
        path = self._archive.originals.path(newest.sha256)
        if not path.is_file():
            raise NotFound("The original of this document is missing.", "Upload it again.")
        return path, newest

    def page(
        self, workspace: str, document_id: int, number: int, *, version_id: int | None = None
    ) -> Page:
        """Return a page, counted from 1, of the searchable version or the one named."""
        version = self._version(workspace, document_id, version_id)
        return self._archive.passages.page(version.id, number)

    def page_picture(
        self,
        workspace: str,
        document_id: int,
        number: int,
        *,
        version_id: int | None = None,
        span: tuple[int, int] = (0, 0),
        scale: float = 1.5,
    ) -> bytes:
        """Draw a page as PNG with the characters of ``span`` boxed; ``scale`` is pixels a point.

        Raises:
            BadRequest: the document's format has no page pictures.
        """
        version = self._version(workspace, document_id, version_id)
        page = self._archive.passages.page(version.id, number)
        if not page.width:
            raise BadRequest("This document has no page pictures.", "Read its text instead.")
        boxes = line_boxes(page, *span)
        return self._picture(self._archive.originals.path(version.sha256), number, scale, boxes)

    # Questions

    def conversations(self, workspace: str) -> list[Conversation]:
        """List a workspace's conversations, the one used last first."""
        return self._archive.conversations.conversations(self._workspace(workspace).id)

    def new_conversation(self, workspace: str) -> int:
        """Begin a conversation and return its id."""
        return self._archive.conversations.start(self._workspace(workspace).id)

    def turns(self, workspace: str, conversation_id: int) -> list[Exchange]:
        """List a conversation's questions and answers as they were asked."""
        place = self._workspace(workspace)
        return self._archive.conversations.turns(place.id, conversation_id)

    def delete_conversation(self, workspace: str, conversation_id: int) -> None:
        """Delete a conversation; a running answer of it is stopped."""
        place = self._workspace(workspace)
        for turn in self._archive.conversations.turns(place.id, conversation_id):
            self._running.stop(turn.question_id)
        self._archive.conversations.delete(place.id, conversation_id)

    def search(
        self,
        workspace: str,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        limit: int = 10,
    ) -> Found:
        """Find the passages nearest to a question, in the workspace or in the documents named."""
        scope = self._scope(workspace, documents)
        return self._archive.retriever.search(Query(_asked(question), scope), limit)

    def ask(
        self,
        workspace: str,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        history: Sequence[Turn] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[Event]:
        """Answer a question as a stream of events; see :func:`rag.answer.generate.generate`."""
        scope = self._scope(workspace, documents)
        asked = Ask(_asked(question), scope, tuple(history), stopped)
        return generate(asked, self._parts())

    def start_answer(
        self, workspace: str, conversation_id: int, question: str, documents: Sequence[str] | None
    ) -> int:
        """Begin an answer in a conversation and return the question's id; it goes on by itself."""
        place = self._workspace(workspace)
        scope = self._scope(workspace, documents)
        conversations = self._archive.conversations
        turns = conversations.turns(place.id, conversation_id)
        history = tuple(
            Turn(turn.question, turn.answer.text) for turn in turns if turn.answer is not None
        )
        question_id = conversations.ask(place.id, conversation_id, _asked(question), documents)
        parts = self._parts()

        def stream(stopped: Callable[[], bool]) -> Iterator[Event]:
            return generate(Ask(_asked(question), scope, history, stopped), parts)

        self._running.start(question_id, stream)
        return question_id

    def stop_answer(self, question_id: int) -> None:
        """End a running answer, keeping what it has said."""
        self._running.stop(question_id)

    def progress(self, question_id: int) -> Progress | None:
        """Return how far a running answer is; None when it is finished (read it then)."""
        return self._running.progress(question_id)

    def choice(self) -> Choice:
        """Tell which model would speak now, and why."""
        return choose(self._archive.settings, self._archive.specialist.chat)

    # Care

    def status(self) -> dict[str, Any]:
        """Tell who would speak, and how many jobs wait."""
        choice = self.choice()
        return {
            "model": choice.label,
            "why": choice.why,
            "pending_jobs": self._archive.jobs.pending(),
            "specialist": self._archive.specialist.hash,
            "recipe": self._archive.recipe.hash,
        }

    def reindex(self, workspace: str | None = None) -> int:
        """Rebuild Chroma from the database without embedding again; return the passages."""
        chosen = self.workspaces() if workspace is None else [self._workspace(workspace)]
        return doctor.reindex(self._archive, [place.id for place in chosen])

    def doctor(self, *, repair: bool = False) -> list[str]:
        """Name every disagreement between originals, database, keywords and vectors."""
        findings = doctor.examine(self._archive)
        if repair and findings:
            doctor.mend(self._archive)
            self._wake()
            if self._worker is not None:
                self._worker.wait_idle(REPAIR_SECONDS)
            findings = doctor.examine(self._archive)
        return findings

    def _parts(self) -> Parts:
        archive = self._archive
        return Parts(
            retriever=archive.retriever,
            page=archive.passages.page,
            embedder=archive.embedder,
            choice=choose(archive.settings, archive.specialist.chat, PATIENT_SECONDS),
            specialist=archive.specialist,
            recipe_hash=archive.recipe.hash,
        )

    def _workspace(self, name: str) -> Workspace:
        return self._archive.catalogue.workspace(workspace_name(name))

    def _scope(self, workspace: str, documents: Sequence[str] | None) -> Scope:
        place = self._workspace(workspace)
        if documents is None:
            return access.scope(place, None)
        catalogue = self._archive.catalogue
        named = dict.fromkeys(documents)
        return access.scope(place, [catalogue.document(place.id, name) for name in named])

    def _version(self, workspace: str, document_id: int, version_id: int | None) -> Version:
        document = self.document(workspace, document_id)
        if version_id is None:
            return document.searchable or document.newest
        for version in self._archive.catalogue.versions(document.id):
            if version.id == version_id:
                return version
        raise NotFound("This version of the document is not there any more.")

    def _erase_originals(self, hashes: Sequence[str]) -> None:
        self._archive.catalogue.erase_originals(hashes, self._archive.originals.delete)

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()


def _asked(question: str) -> str:
    text = " ".join(question.split())
    if not text:
        raise BadRequest("The question is empty.", "Type one.")
    return text
