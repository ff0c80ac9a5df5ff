"""Whether a data folder agrees with itself: originals, database, keyword index, Chroma.

The database is the truth. Chroma can always be rebuilt from it, keywords can be made again, an
embedding that was lost is computed again; an original that is gone or damaged cannot be mended and
is named until somebody uploads it again or deletes the document.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from rag.archive import Archive
from rag.errors import DataFolderError
from rag.store.consistency import Consistency
from rag.store.jobs import RESTORE
from rag.types import Document

logger = logging.getLogger(__name__)


def examine(archive: Archive) -> list[str]:
    """Name every disagreement, each as a sentence; an empty list is good health."""
    found = Consistency(archive.database).examine(archive.recipe.hash)
    counted = (
        (len(found.without_keywords), "cannot be found by their words"),
        (len(found.keywords_of_nothing), "are in the keyword index but belong to no document"),
    )
    return [
        *found.sentences,
        *(f"{count} passages {trouble}." for count, trouble in counted if count),
        *(
            f"{_called(archive, version_id)} has passages without an embedding."
            for version_id in found.unembedded_versions
        ),
        *_originals(archive),
        *_vectors(archive),
    ]


def mend(archive: Archive) -> None:
    """Mend what can be mended; what cannot is found again by :func:`examine`."""
    consistency = Consistency(archive.database)
    consistency.mend(archive.recipe.hash, archive.originals.verify)
    unneeded = sorted(set(archive.originals.hashes()) - archive.catalogue.needed_hashes())
    archive.catalogue.erase_originals(unneeded, archive.originals.delete)
    archive.vectors.start_over_if_unusable()
    known = [workspace.id for workspace in archive.catalogue.workspaces()]
    reindex(archive, [number for number in known if _vector_trouble(archive, number)])


def heal(archive: Archive) -> None:
    """Have vectors that are lost or damaged made anew; to be called before anything uses them.

    They are a copy of what the database holds, so nothing is lost. Until the worker has made them
    anew, search goes by words alone in workspaces too large to compare every vector.
    """
    known = [workspace.id for workspace in archive.catalogue.workspaces()]
    lost = archive.vectors.lost(known)
    if lost and not archive.vectors.usable():
        lost = known
    for workspace_id in lost:
        logger.warning("the vectors of workspace %d are made anew", workspace_id)
        archive.jobs.enqueue_once(RESTORE, {"workspace_id": workspace_id})
    if lost:
        archive.vectors.discard(lost)


def reindex(archive: Archive, workspace_ids: Sequence[int]) -> int:
    """Make collections anew from the database, all of them when Chroma's files are damaged.

    Returns:
        The number of vectors.
    """
    if archive.vectors.start_over_if_unusable():
        workspace_ids = [workspace.id for workspace in archive.catalogue.workspaces()]
    count = sum(_rebuild(archive, workspace_id) for workspace_id in workspace_ids)
    if workspace_ids:
        archive.vectors.forget_deleted()
    return count


def _rebuild(archive: Archive, workspace_id: int) -> int:
    batches = archive.passages.embeddings_of_workspace(workspace_id, archive.recipe.hash)
    return archive.vectors.rebuild(workspace_id, batches)


def _documents(archive: Archive) -> Iterator[Document]:
    for workspace in archive.catalogue.workspaces():
        yield from archive.catalogue.documents(workspace.id)


def _called(archive: Archive, version_id: int) -> str:
    for document in _documents(archive):
        if document.searchable is not None and document.searchable.id == version_id:
            return f"“{document.name}”"
    return "A version that was replaced"


def _originals(archive: Archive) -> Iterator[str]:
    stored = set(archive.originals.hashes())
    names: dict[str, str] = {}
    for document in _documents(archive):
        for version in archive.catalogue.versions(document.id):
            names.setdefault(version.sha256, document.name)
    for sha256, name in sorted(names.items(), key=lambda item: item[1]):
        if sha256 not in stored:
            yield f"The original of “{name}” is missing. Upload it again."
        elif not archive.originals.verify(sha256):
            yield f"The original of “{name}” is damaged. Upload the same file again."
    stray = len(stored - archive.catalogue.needed_hashes())
    if stray:
        yield f"{stray} stored originals belong to no document."


def _vectors(archive: Archive) -> Iterator[str]:
    if not archive.vectors.usable():
        yield "Chroma's files are damaged; the vectors are to be made anew."
        return
    for workspace in archive.catalogue.workspaces():
        for trouble in _vector_trouble(archive, workspace.id):
            yield f"In “{workspace.name}” {trouble}."


def _vector_trouble(archive: Archive, workspace_id: int) -> list[str]:
    expected = Consistency(archive.database).expected_vectors(workspace_id, archive.recipe.hash)
    try:
        held = archive.vectors.ids(workspace_id)
        batches = archive.passages.embeddings_of_workspace(workspace_id, archive.recipe.hash)
        differing = archive.vectors.differing(workspace_id, batches)
    except DataFolderError:
        logger.warning("the vectors of workspace %d cannot be read", workspace_id, exc_info=True)
        return ["the vectors cannot be read"]
    missing, strange = len(expected.needed - held), len(held - expected.allowed)
    if archive.jobs.has(RESTORE, {"workspace_id": workspace_id}):
        missing = 0  # they are on their way
    found = []
    if missing:
        found.append(f"{missing} passages have no vector in Chroma")
    if strange:
        found.append(f"Chroma holds {strange} vectors of no passage")
    if differing:
        found.append(f"Chroma holds {differing} vectors that are not those of their passages")
    return found
