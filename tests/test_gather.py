"""Which files the terminal takes in, and under which names."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.gather import gather
from rag.errors import BadRequest


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("text")
    return path


def test_files_in_a_folder_are_named_below_it(tmp_path: Path) -> None:
    _file(tmp_path / "in" / "a.txt")
    _file(tmp_path / "in" / "deep" / "a.txt")
    assert [name for name, _ in gather([tmp_path / "in"])] == ["a.txt", "deep/a.txt"]


def test_a_file_by_itself_keeps_its_name(tmp_path: Path) -> None:
    assert [name for name, _ in gather([_file(tmp_path / "x" / "a.txt")])] == ["a.txt"]


def test_names_that_would_meet_are_told_apart(tmp_path: Path) -> None:
    paths = [_file(tmp_path / side / "same" / "a.txt") for side in ("left", "right")]
    assert [name for name, _ in gather(paths)] == ["left/same/a.txt", "right/same/a.txt"]


def test_a_file_named_twice_is_taken_once(tmp_path: Path) -> None:
    path = _file(tmp_path / "in" / "a.txt")
    assert len(gather([path, path.parent])) == 1


def test_hidden_files_are_left_out(tmp_path: Path) -> None:
    _file(tmp_path / "in" / ".hidden" / "b.txt")
    _file(tmp_path / "in" / "a.txt")
    assert [name for name, _ in gather([tmp_path / "in"])] == ["a.txt"]


def test_nothing_found_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No file"):
        gather([tmp_path])
    with pytest.raises(BadRequest, match="no file or folder"):
        gather([tmp_path / "missing"])
