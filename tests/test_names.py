"""Names from outside are cleaned, never trusted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.errors import BadRequest
from rag.names import LONGEST_DOCUMENT, document_name, workspace_name


@pytest.mark.parametrize(
    ("given_name", "cleaned"),
    [
        ("lease.pdf", "lease.pdf"),
        ("../../etc/passwd", "etc/passwd"),
        ("/abs/olute.txt", "abs/olute.txt"),
        ("C:\\Users\\me\\lease.pdf", "C:/Users/me/lease.pdf"),
        ("<script>alert(1)</script>.pdf", "<script>alert(1)</script>.pdf"),
        ("a\x00b\nc.txt", "a b c.txt"),
        ("invoice\u202efdp.exe", "invoice fdp.exe"),
        ("  spaced   out .md ", "spaced out .md"),
    ],
)
def test_a_document_keeps_its_name_without_tricks(given_name: str, cleaned: str) -> None:
    assert document_name(given_name) == cleaned


@pytest.mark.parametrize("name", ["", "   ", "..", "../..", "\x00", "/", "./."])
def test_a_name_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="no readable name"):
        document_name(name)


def test_a_long_name_keeps_its_ending() -> None:
    name = document_name("x" * 500 + ".pdf")
    assert len(name) == LONGEST_DOCUMENT
    assert name.endswith(".pdf")
    assert "…" in name


def test_long_names_that_begin_alike_stay_apart() -> None:
    folder = "Matters/2024/" + "Harbour Lane and others v. The Estate of Ilse Tarrant/" * 5
    names = {document_name(f"{folder}exhibit {number}.pdf") for number in range(200)}
    assert len(names) == 200


@given(st.text(max_size=400))
def test_whatever_comes_is_refused_or_harmless(name: str) -> None:
    try:
        cleaned = document_name(name)
    except BadRequest:
        return
    assert 0 < len(cleaned) <= LONGEST_DOCUMENT
    assert not cleaned.startswith("/")
    assert ".." not in cleaned.split("/")
    assert cleaned.isprintable()
    assert document_name(cleaned) == cleaned


@pytest.mark.parametrize("name", ["", " ", "...", "x" * 81, "../../x", "a/..", "a\\..\\b"])
def test_a_workspace_needs_a_usable_name(name: str) -> None:
    with pytest.raises(BadRequest):
        workspace_name(name)
