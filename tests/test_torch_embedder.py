"""Model folders run by torch: the errors everywhere, the vectors where the extra is installed."""

from __future__ import annotations

import importlib.util
import socket
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag import config, specialists
from rag.config import Settings
from rag.errors import BadSetting, ModelOverflow
from rag.models import bundled, prepared, torch_embedder
from rag.models.embed import (
    EmbedderPool,
    TorchEmbedder,
    model_identity,
    open_embedder,
    open_tokens,
)
from rag.models.onnx_embedder import OnnxEmbedder
from rag.models.probe import TEXTS
from rag.specialists import IndexRecipe

DEFAULT = specialists.read(config.load({}).recipe, IndexRecipe)
LONG = "The parties keep the books at their own offices. " * 60


def recipe_of(folder: Path, **changes: str | int) -> IndexRecipe:
    embedding = replace(DEFAULT.embedding, model=str(folder), **changes)  # type: ignore[arg-type]
    return replace(DEFAULT, embedding=embedding)


def test_a_missing_folder_is_named(settings: Settings, tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path / "gone")
    with pytest.raises(BadSetting, match="gone is not there"):
        open_embedder(recipe, settings)
    with pytest.raises(BadSetting, match="gone is not there"):
        model_identity(recipe, settings)


def test_a_name_is_not_looked_up_anywhere(settings: Settings) -> None:
    with pytest.raises(BadSetting, match="sentence-transformers/all-MiniLM-L6-v2 is not there"):
        open_embedder(recipe_of(Path("sentence-transformers/all-MiniLM-L6-v2")), settings)


def test_another_folder_is_no_model(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match=r"modules\.json"):
        open_embedder(recipe_of(tmp_path), settings)


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="the extra is installed"
)
def test_without_the_extra_the_remedy_is_told(settings: Settings) -> None:
    with pytest.raises(BadSetting, match=r"muniment\[models\]"):
        open_embedder(recipe_of(bundled.model_folder()), settings)


def test_identity_is_read_without_torch(settings: Settings) -> None:
    identity = model_identity(recipe_of(bundled.model_folder()), settings)
    assert identity["dimension"] == 384
    assert identity["pooling"] == "mean_tokens"
    assert identity["precision"] == "fp32"
    assert identity["max_tokens"] == 256
    assert len(str(identity["sha256"])) == 64


def test_identity_changes_with_a_file(tmp_path: Path) -> None:
    for name in ("modules.json", "config.json"):
        (tmp_path / name).write_text("{}")
    before = torch_embedder.identity(tmp_path)
    assert torch_embedder.identity(tmp_path) == before
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    assert torch_embedder.identity(tmp_path)["sha256"] != before["sha256"]


@pytest.fixture(scope="module")
def embedder() -> TorchEmbedder:
    pytest.importorskip("sentence_transformers")
    opened = open_embedder(recipe_of(bundled.model_folder()), config.load({}))
    assert isinstance(opened, TorchEmbedder)
    return opened


@pytest.mark.models
def test_our_graph_gives_the_same_vectors(embedder: TorchEmbedder, settings: Settings) -> None:
    model = prepared.open_model(settings)
    reference = embedder.embed(TEXTS)
    for name, least in (("fp32", 0.9999), ("int8", 0.98)):
        if prepared.graph_file(name) in model.identity.files:
            path = model.checked(prepared.graph_file(name))
            ours = OnnxEmbedder(path, model.tokenizer, DEFAULT.embedding).embed(TEXTS)
            cosines = np.sum(ours * reference, axis=1)
            assert cosines.mean() >= least, name
            assert cosines.min() >= least - 0.03, name
            assert name != "fp32" or cosines.min() >= 0.9999


@pytest.mark.models
def test_the_same_rules_hold(embedder: TorchEmbedder, settings: Settings) -> None:
    rows = embedder.embed(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(embedder.embed(TEXTS[5:6])[0], rows[5], atol=1e-5)
    with pytest.raises(ModelOverflow):
        embedder.embed([LONG])
    assert embedder.embed([LONG], question=True).shape == (1, 384)
    assert len(embedder.embed([])) == 0
    recipe = recipe_of(bundled.model_folder(), query_prompt="query: ")
    prompted = open_embedder(recipe, settings)
    np.testing.assert_allclose(
        prompted.embed(["notice"], question=True), embedder.embed(["query: notice"]), atol=1e-5
    )


@pytest.mark.models
def test_more_tokens_than_the_model_reads_are_refused(settings: Settings) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(BadSetting, match="max_tokens = 256"):
        open_embedder(recipe_of(bundled.model_folder(), max_tokens=512), settings)


@pytest.mark.models
def test_the_pool_runs_it_in_one_child(embedder: TorchEmbedder, settings: Settings) -> None:
    recipe = recipe_of(bundled.model_folder())
    assert open_tokens(recipe, settings).limit == 254
    with EmbedderPool(recipe, settings) as pool:
        np.testing.assert_allclose(pool.embed(TEXTS), embedder.embed(TEXTS), atol=1e-5)
        assert len(pool.pids) == 1


@pytest.mark.models
def test_no_socket_is_opened(settings: Settings) -> None:
    pytest.importorskip("sentence_transformers")
    opened: list[str] = []
    sys.addaudithook(lambda event, _: opened.append(event) if event == "socket.connect" else None)
    open_embedder(recipe_of(bundled.model_folder()), settings).embed(["a text"])
    assert opened == []
    with socket.socket() as probe, pytest.raises(OSError):  # noqa: PT011 - the hook does see one
        probe.connect(("127.0.0.1", 1))
    assert opened == ["socket.connect"]
