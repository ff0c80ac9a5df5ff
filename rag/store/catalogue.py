"""Which workspaces, documents and versions there are, and where each stands.

A document is a name in a workspace; its versions are the bytes that came under that name. Knows
nothing of files on the disk nor of the vectors. Surprising: a document becomes searchable (by
keyword) as soon as a first version is parsed, but a ready version is given up only for a newer one
that is ready too; and a cancelled version refuses every later word about its progress.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from rag.errors import BadRequest, NotFound
from rag.store import erasing, jobs, progress, rows
from rag.store.database import Database
from rag.store.erasing import Deleted
from rag.store.schema import documents, versions, workspaces
from rag.types import Document, Status, Uploaded, Version, Workspace

UNKNOWN_TYPE = "application/octet-stream"


class Catalogue:
    """The catalogue of a data folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # Workspaces

    def create_workspace(self, name: str) -> Workspace:
        """Make a workspace.

        Raises:
            BadRequest: the name is taken.
        """
        row = insert(workspaces).values(name=name, created_at=time.time()).returning(*workspaces.c)
        try:
            with self._database.write() as connection:
                return rows.workspace(connection.execute(row).one())
        except IntegrityError as error:
            raise _taken(name) from error

    def workspaces(self) -> list[Workspace]:
        """List the workspaces by name."""
        with self._database.read() as connection:
            found = connection.execute(select(workspaces).order_by(workspaces.c.name))
            return [rows.workspace(row) for row in found]

    def workspace(self, name: str) -> Workspace:
        """Return the workspace of this name, or raise NotFound."""
        with self._database.read() as connection:
            row = connection.execute(
                select(workspaces).where(workspaces.c.name == name)
            ).one_or_none()
        if row is None:
            raise NotFound(f"There is no workspace “{name}”.", "Check the name, or create it.")
        return rows.workspace(row)

    def rename_workspace(self, workspace_id: int, name: str) -> Workspace:
        """Give a workspace another name.

        Raises:
            BadRequest: the name is taken.
        """
        change = update(workspaces).where(workspaces.c.id == workspace_id).values(name=name)
        try:
            with self._database.write() as connection:
                row = connection.execute(change.returning(*workspaces.c)).one_or_none()
        except IntegrityError as error:
            raise _taken(name) from error
        if row is None:
            raise NotFound("The workspace is not there any more.")
        return rows.workspace(row)

    def delete_workspace(self, workspace_id: int) -> list[str]:
        """Delete a workspace and all in it; return the hashes of originals nobody needs now."""
        with self._database.write() as connection:
            deleted = erasing.workspace(connection, workspace_id)
        erasing.scrub_if_small(self._database)
        return deleted.hashes

    # Documents

    def add_upload(
        self,
        workspace_id: int,
        name: str,
        sha256: str,
        size: int,
        media_type: str = UNKNOWN_TYPE,
        *,
        keep: Callable[[], None] | None = None,
    ) -> Uploaded:
        """Enter an original: document, version and job, in one transaction.

        The same bytes under any name, as that document's newest version, are already there; they
        are queued again only if reading them has failed. A known name gets a new version.
        ``keep`` puts the original into its place. It is called within the transaction, so that
        :meth:`erase_originals` cannot take it, as nobody's, before the version is entered.

        Raises:
            NotFound: the workspace is gone.
        """
        with self._database.write() as connection:
            _require_workspace(connection, workspace_id)
            if keep is not None:
                keep()
            known = progress.with_bytes(connection, workspace_id, name, sha256)
            if known is not None:
                if known.newest.status == Status.FAILED:
                    progress.retry(connection, known.newest)
                    known = _document(connection, documents.c.id == known.id)
                return Uploaded(known, already_there=True, new_version=False)
            document_id, number = progress.next_number(connection, workspace_id, name)
            values = {
                "document_id": document_id,
                "number": number,
                "sha256": sha256,
                "bytes": size,
                "media_type": media_type,
                "status": Status.QUEUED,
                "created_at": time.time(),
            }
            added = connection.execute(insert(versions).values(values).returning(versions.c.id))
            jobs.enqueue(connection, jobs.PARSE, added.scalar_one(), {})
            document = _document(connection, documents.c.id == document_id)
        return Uploaded(document, already_there=False, new_version=number > 1)

    def documents(self, workspace_id: int) -> list[Document]:
        """List a workspace's documents by name."""
        with self._database.read() as connection:
            return rows.documents(connection, documents.c.workspace_id == workspace_id)

    def document(self, workspace_id: int, name: str) -> Document:
        """Return a document by its name, or raise NotFound."""
        with self._database.read() as connection:
            here = (documents.c.workspace_id == workspace_id) & (documents.c.name == name)
            return _document(connection, here, name)

    def document_by_id(self, workspace_id: int, document_id: int) -> Document:
        """Return a document of this workspace by its id, or raise NotFound."""
        with self._database.read() as connection:
            here = (documents.c.workspace_id == workspace_id) & (documents.c.id == document_id)
            return _document(connection, here)

    def delete_document(self, workspace_id: int, document_id: int) -> Deleted:
        """Delete a document with all its versions, so that no word of it stays in the database.

        The last traces leave a database file of more than 64 MB with its erase job, not before.

        Raises:
            NotFound: this workspace has no such document.
        """
        with self._database.write() as connection:
            deleted = erasing.document(connection, workspace_id, document_id)
        erasing.scrub_if_small(self._database)
        return deleted

    # Versions

    def version(self, version_id: int) -> Version:
        """Return a version, or raise NotFound."""
        with self._database.read() as connection:
            return progress.version(connection, version_id)

    def versions(self, document_id: int) -> list[Version]:
        """List a document's versions, newest first."""
        with self._database.read() as connection:
            found = connection.execute(
                select(versions)
                .where(versions.c.document_id == document_id)
                .order_by(versions.c.number.desc())
            )
            return [rows.version(row) for row in found]

    def workspace_of(self, version_id: int) -> int:
        """Return the id of the workspace a version is in, or raise NotFound."""
        with self._database.read() as connection:
            return progress.workspace_of(connection, version_id)

    def set_status(self, version_id: int, status: Status, reason: str | None = None) -> None:
        """Say where a version stands; ``reason`` is for the reader, of a failure above all.

        Raises:
            NotFound: it is gone. BadRequest: it was cancelled.
        """
        with self._database.write() as connection:
            progress.wanted_version(connection, version_id)
            progress.set_values(connection, version_id, status=status, reason=reason)

    def set_parsed(
        self, version_id: int, title: str, paged: bool, pages: int, media_type: str
    ) -> None:
        """Note what reading a version has told of it.

        Raises:
            NotFound: it is gone. BadRequest: it was cancelled.
        """
        with self._database.write() as connection:
            progress.wanted_version(connection, version_id)
            progress.set_values(
                connection, version_id, title=title, paged=paged, pages=pages, media_type=media_type
            )

    def mark_ready(self, version_id: int) -> list[int]:
        """Make a version ready and the one that search sees; return the versions it supersedes.

        Their passages are removed in the same transaction, and an erase job is put down for their
        vectors; their pages stay, for answers that cite them. A version that was overtaken by a
        newer, ready one is itself the superseded one. Its index job is done with.

        Raises:
            NotFound: it is gone. BadRequest: it was cancelled.
        """
        with self._database.write() as connection:
            version = progress.wanted_version(connection, version_id)
            progress.set_values(
                connection, version_id, status=Status.READY, reason=None, ready_at=time.time()
            )
            jobs.drop(connection, version_id, jobs.INDEX)
            return progress.show_ready(connection, version)

    def cancel(self, version_id: int) -> None:
        """Give up reading a version; a ready one stays as it is. What was read is removed."""
        with self._database.write() as connection:
            version = progress.version(connection, version_id)
            if version.status == Status.READY:
                return
            jobs.drop(connection, version_id)
            passage_ids = erasing.content_of(connection, version_id)
            if passage_ids:
                workspace_id = progress.workspace_of(connection, version_id)
                erasing.vectors_later(connection, workspace_id, passage_ids, [])
            progress.set_values(
                connection,
                version_id,
                status=Status.FAILED,
                reason=progress.CANCELLED,
                cancelled=True,
            )

    def retry(self, version_id: int) -> None:
        """Read a failed or cancelled version again, from where it failed."""
        with self._database.write() as connection:
            version = progress.version(connection, version_id)
            if version.status == Status.FAILED:
                progress.retry(connection, version)

    # Originals

    def needed_hashes(self) -> set[str]:
        """Return the hash of every original that some version needs."""
        with self._database.read() as connection:
            return set(connection.scalars(select(versions.c.sha256).distinct()))

    def erase_originals(self, hashes: Sequence[str], remove: Callable[[str], object]) -> list[str]:
        """Call ``remove`` for those of the hashes that no version needs; return them.

        No upload can come in between looking and removing. As the end of erasing, the last traces
        of what was deleted leave the database file too, once no more is to be erased.
        """
        with self._database.write() as connection:
            gone = erasing.unneeded(connection, hashes)
            for sha256 in gone:
                remove(sha256)
            more = jobs.waiting(connection, jobs.ERASE)
        if not more:
            erasing.scrub(self._database)
        return gone


def _require_workspace(connection: Connection, workspace_id: int) -> None:
    if connection.scalar(select(workspaces.c.id).where(workspaces.c.id == workspace_id)) is None:
        raise NotFound("The workspace is not there any more.")


def _document(connection: Connection, which: ColumnElement[bool], name: str = "") -> Document:
    found = rows.documents(connection, which)
    if not found:
        called = f" “{name}”" if name else ""
        raise NotFound(f"There is no document{called} in this workspace.")
    return found[0]


def _taken(name: str) -> BadRequest:
    return BadRequest(f"There is a workspace “{name}” already.", "Choose another name.")
