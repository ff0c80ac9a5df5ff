"""Which files the terminal was given, and under which names they enter a workspace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rag.errors import BadRequest


def gather(paths: Iterable[Path]) -> list[tuple[str, Path]]:
    """Return ``(name, file)`` for every file named or lying in a named folder, sorted by name.

    A file in a folder is named by its path below that folder, a file given by itself by its name.
    Names that would meet are told apart by the folders they lie in. Hidden files are left out.

    Raises:
        BadRequest: a path is not there, or no file was found.
    """
    found: dict[Path, str] = {}
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                below = file.relative_to(path)
                if file.is_file() and not any(part.startswith(".") for part in below.parts):
                    found.setdefault(file.resolve(), below.as_posix())
        elif path.is_file():
            found.setdefault(path.resolve(), path.name)
        else:
            raise BadRequest(f"There is no file or folder {path}.")
    if not found:
        raise BadRequest("No file was found there.")
    return sorted((name, path) for path, name in _told_apart(found).items())


def _told_apart(found: dict[Path, str]) -> dict[Path, str]:
    """Put folders before names that meet, one more at a time, until each stands for one file."""
    names = dict(found)
    while True:
        counts = Counter(names.values())
        meeting = [path for path, name in names.items() if counts[name] > 1]
        if not meeting:
            return names
        for path in meeting:
            names[path] = "/".join(path.parts[-len(Path(names[path]).parts) - 1 :])
