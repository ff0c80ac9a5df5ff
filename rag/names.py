"""Names that come from outside: of documents and workspaces. Shown as text, never used as paths.

Originals are stored by their hash, so a name cannot lead anywhere; it is cleaned all the same, so
that it can be read, typed and told apart: no control characters, no ``..``, no leading slash.
"""

from __future__ import annotations

import hashlib
import unicodedata

from rag.errors import BadRequest

LONGEST_DOCUMENT = 200
LONGEST_WORKSPACE = 80
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that cannot be seen: controls, direction marks, line separators."""


def document_name(name: str) -> str:
    """Return a document's name, cleaned: the relative path it came with, without tricks.

    One that is too long is cut, and ends with a few letters that depend on all of it.

    Raises:
        BadRequest: nothing readable is left.
    """
    parts = [_readable(part) for part in name.replace("\\", "/").split("/")]
    kept = [part for part in parts if part not in {"", ".", ".."}]
    cleaned = "/".join(kept)
    if not cleaned:
        raise BadRequest("This file has no readable name.", "Rename it and try again.")
    if len(cleaned) <= LONGEST_DOCUMENT:
        return cleaned
    stem, dot, suffix = cleaned.rpartition(".")
    ending = dot + suffix if stem and len(suffix) <= 10 else ""  # noqa: PLR2004 - a file's ending
    # Files deep in the same folders begin alike; cut short they must not pass for one another.
    told_apart = f"… {hashlib.sha256(cleaned.encode()).hexdigest()[:8]}{ending}"
    return cleaned[: LONGEST_DOCUMENT - len(told_apart)] + told_apart


def workspace_name(name: str) -> str:
    """Return a workspace's name, cleaned.

    Raises:
        BadRequest: it is empty, too long, only dots, or looks like a way out of a folder: servers
            refuse addresses with such a name in them, so it could be made and never be reached.
    """
    cleaned = _readable(name)
    if not cleaned.strip("."):
        raise BadRequest("A workspace needs a name.", "Type one, such as the matter's or class's.")
    if ".." in cleaned.replace("\\", "/").split("/"):
        raise BadRequest("A workspace cannot have “..” between slashes.", "Leave it out.")
    if len(cleaned) > LONGEST_WORKSPACE:
        raise BadRequest(
            f"A workspace's name may have {LONGEST_WORKSPACE} characters.", "Choose a shorter one."
        )
    return cleaned


def _readable(text: str) -> str:
    normal = unicodedata.normalize("NFC", text)
    shown = "".join(
        " " if unicodedata.category(character) in HIDDEN else character for character in normal
    )
    return " ".join(shown.split())
