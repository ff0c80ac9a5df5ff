"""Settings: where they come from, and how wrong ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import config
from rag.errors import BadSetting


def test_defaults_environment_and_overrides(tmp_path: Path) -> None:
    assert config.load({}).port == 8501
    assert config.load({"MUNIMENT_PORT": "9000"}).port == 9000
    assert config.load({"MUNIMENT_PORT": "9000"}, port=9001).port == 9001
    assert config.load({"MUNIMENT_TRUST_NETWORK": "yes"}).trust_network
    assert config.load({"MUNIMENT_DATA": str(tmp_path)}).data == tmp_path


def test_a_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    file = tmp_path / "muniment.toml"
    file.write_text("port = 9100\naddress = 'localhost'\n")
    found = config.load({"MUNIMENT_CONFIG": str(file), "MUNIMENT_PORT": "9200"})
    assert (found.port, found.address) == (9200, "localhost")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prot = 1", "Did you mean “port”"),
        ("port = 'many'", "wants a whole number"),
        ("port = 1.5", "wants a whole number"),
        ("trust_network = 'perhaps'", "wants true or false"),
        ("address = 3", "wants text"),
        ("port =", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_hint(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "muniment.toml"
    file.write_text(text)
    with pytest.raises(BadSetting, match=told):
        config.load({"MUNIMENT_CONFIG": str(file)})


def test_a_missing_file_is_told() -> None:
    with pytest.raises(BadSetting, match="cannot be read"):
        config.load({"MUNIMENT_CONFIG": "/nowhere/muniment.toml"})
