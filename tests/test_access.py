"""The scope of a search: made in one place, from documents of one workspace."""

from __future__ import annotations

import pytest

from rag import access
from rag.errors import Forbidden
from rag.types import Document, Scope, Status, Version, Workspace

PLACE = Workspace(1, "Matter 1", 0.0)


def document(number: int, workspace_id: int) -> Document:
    version = Version(
        number,
        number,
        1,
        "0" * 64,
        1,
        "text/plain",
        Status.READY,
        None,
        1,
        True,
        "",
        1,
        1,
        0.0,
        0.0,
    )
    return Document(number, workspace_id, f"{number}.pdf", version, version)


def test_no_documents_named_is_the_whole_workspace() -> None:
    assert access.scope(PLACE, None) == Scope(1, None)


def test_documents_named_are_the_scope_and_none_of_them_is_nothing() -> None:
    assert access.scope(PLACE, [document(5, 1), document(6, 1)]) == Scope(1, frozenset({5, 6}))
    assert access.scope(PLACE, []) == Scope(1, frozenset())


def test_a_document_of_another_workspace_is_refused() -> None:
    with pytest.raises(Forbidden, match="another workspace"):
        access.scope(PLACE, [document(5, 1), document(6, 2)])


@pytest.mark.parametrize(
    ("wide", "wanted", "narrow"),
    [
        (None, {1, 2}, {1, 2}),
        ({2, 3}, {1, 2}, {2}),
        ({3}, {1, 2}, set()),
        (None, set(), set()),
    ],
)
def test_narrowing_never_widens(wide: set[int] | None, wanted: set[int], narrow: set[int]) -> None:
    scope = Scope(1, None if wide is None else frozenset(wide))
    assert access.narrow(scope, wanted) == Scope(1, frozenset(narrow))
