"""Specialists and index recipes: strict files, hashed by their meaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag.config import shipped
from rag.errors import BadSetting
from rag.specialists import IndexRecipe, Specialist, read

DEFAULT = shipped("specialists") / "default.toml"
RECIPE = shipped("recipes") / "default.toml"


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = DEFAULT.read_text()
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new, 1))
    return path


def test_the_shipped_files_are_read() -> None:
    assert read(DEFAULT, Specialist).chat.client == "auto"
    assert read(RECIPE, IndexRecipe).embedding.model == "bundled"
    assert len(read(DEFAULT, Specialist).hash) == 64


def test_the_hash_is_over_the_meaning(tmp_path: Path) -> None:
    before = read(DEFAULT, Specialist).hash
    commented = _changed(tmp_path, "[chat]", "# a remark\n[chat]")
    assert read(commented, Specialist).hash == before
    warmer = _changed(tmp_path, "temperature = 0.0", "temperature = 0.5")
    assert read(warmer, Specialist).hash != before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("temperature =", "temprature =", "Did you mean “temperature”"),
        ("seed = 7\n", "", "lacks “seed”"),
        ("seed = 7", "seed = 'seven'", "must be a whole number"),
        ("think = false", "think = 0", "must be true or false"),
        ("[chat]", "[chatt]", "Did you mean “chat”"),
        ("[chat]", "[chat", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(BadSetting, match=told):
        read(_changed(tmp_path, old, new), Specialist)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(BadSetting, match="cannot be read"):
        read(Path("nowhere.toml"), Specialist)
