"""Fixtures shared by all tests: settings of a temporary data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import config


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    """Return settings as they ship, with a data folder of this test's own."""
    return config.load({}, data=tmp_path / "data")
