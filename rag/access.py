"""May they: the only maker of a search's scope, so that an unscoped search cannot be written.

Knows no database: what it is handed was looked up by the door. Documents of another workspace are
refused here, whoever asked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rag.errors import Forbidden
from rag.types import Document, Scope, Workspace


def scope(workspace: Workspace, documents: Sequence[Document] | None) -> Scope:
    """Return what a search in this workspace may see: these documents, all of them for None.

    No documents at all is a scope in which nothing is found.

    Raises:
        Forbidden: a document is of another workspace.
    """
    if documents is None:
        return Scope(workspace.id)
    for document in documents:
        if document.workspace_id != workspace.id:
            raise Forbidden(
                "A document of another workspace was asked for.",
                "Choose documents of this workspace.",
            )
    return Scope(workspace.id, frozenset(document.id for document in documents))


def narrow(scope: Scope, documents: Iterable[int]) -> Scope:
    """Return a scope of these documents, by id, as far as the given one has them.

    Ids of other workspaces' documents do no harm: the workspace stays the same.
    """
    wanted = frozenset(documents)
    allowed = wanted if scope.documents is None else wanted & scope.documents
    return Scope(scope.workspace_id, allowed)


def narrowed(wide: Scope, documents: Iterable[int]) -> Scope:
    """Return those of the documents that lie in a scope already given: never more than it."""
    wanted = frozenset(documents)
    inside = wanted if wide.documents is None else wanted & wide.documents
    return Scope(wide.workspace_id, inside)
