"""Fixtures shared by all tests: settings of a temporary data folder, and an open one at work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as properties

from ingest.engine import Engine, open_engine
from rag import config

NOBODY = "http://127.0.0.1:9"
"""An address where no Ollama answers, so that a test does not depend on this machine's."""

SAMPLES = "Samples"

# No test is timed: a busy machine is no fault of ours. In CI the examples are the same each time.
properties.register_profile("muniment", deadline=None, derandomize=bool(os.environ.get("CI")))
properties.load_profile("muniment")


def settings_for(folder: Path) -> config.Settings:
    """Return settings as they ship, with a data folder at this place and no chat model."""
    return config.load({}, data=folder, ollama_url=NOBODY)


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    """Return settings with a data folder of this test's own."""
    return settings_for(tmp_path / "data")


@pytest.fixture
def engine(settings: config.Settings) -> Iterator[Engine]:
    """Return an open, empty data folder at work."""
    with open_engine(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return an open data folder with the sample documents, read once; not to be changed."""
    with open_engine(settings_for(tmp_path_factory.mktemp("samples"))) as opened:
        opened.assistant.create_workspace(SAMPLES)
        for path in sorted((config.shipped("samples") / "documents").iterdir()):
            with path.open("rb") as stream:
                opened.assistant.upload(SAMPLES, path.name, stream)
        assert opened.worker.wait_idle(120)
        yield opened
