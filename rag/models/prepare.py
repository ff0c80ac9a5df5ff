"""Set-up of the bundled embedding model: from its weights to files that onnxruntime reads.

``python -m rag.models.prepare`` writes the model as an ONNX graph in single precision, rounds it
to eight-bit weights, measures on this machine how exact the rounded one is and how much faster,
and notes all of it in ``model.json``. A second run finds everything in place and ends at once.
No torch, no transformers, no socket.

The rounded model is used only where it stays close to the exact one and where this processor gains
from it (:mod:`rag.models.quantize` has the limits): one without eight-bit instructions does not.
Files are written beside their place and moved there, ``model.json`` last: an interrupted set-up is
noticed and done again.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rag import config
from rag.config import Settings
from rag.errors import DiskFull, ModelMissing, MunimentError
from rag.models import bundled, prepared
from rag.models.prepared import FORMAT, IDENTITY, Identity, graph_file


def prepare(settings: Settings) -> tuple[Identity, bool]:
    """Write the prepared model unless it is in place; return its identity and whether it was.

    Raises:
        ModelMissing: the bundled weights are not installed or were altered.
        DiskFull: the models folder cannot be written.
    """
    there = _in_place(settings)
    if there is not None:
        return there, True
    source = bundled.model_folder()
    weights = bundled.checked_file(source, bundled.WEIGHTS)
    tokenizer = bundled.checked_file(source, bundled.TOKENIZER)
    target = prepared.folder(settings)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=target) as name:
            new = Path(name)
            (new / bundled.TOKENIZER).write_bytes(tokenizer.read_bytes())
            identity = _write(weights, new)
            for file in (*identity.files, IDENTITY):
                _place(new / file, target / file)
            return identity, False
    except OSError as error:
        raise DiskFull(
            f"The models folder {settings.models} cannot be written ({error.strerror}).",
            "Make room, or name another folder with MUNIMENT_MODELS.",
        ) from error


def _in_place(settings: Settings) -> Identity | None:
    try:
        model = prepared.open_model(settings)
        for name in model.identity.files:
            model.checked(name)
    except ModelMissing:
        return None
    return model.identity


def _write(weights: Path, new: Path) -> Identity:
    """Write graphs and identity into the new folder, beside the tokenizer."""
    # Slow to import, and not needed to find that all is in place.
    from rag.models import quantize  # noqa: PLC0415

    exact, rounded = new / graph_file("fp32"), new / graph_file("int8")
    quantize.write_graphs(weights, exact, rounded)
    measured = quantize.measure(exact, rounded, new / bundled.TOKENIZER)
    if not measured.exact_enough:
        rounded.unlink()
    identity = Identity(
        format=FORMAT,
        model=bundled.NAME,
        sha256=bundled.SHA256[bundled.WEIGHTS],
        dimension=quantize.DIMENSION,
        pooling="mean",
        auto=measured.best,
        cosine=round(measured.cosine, 5),
        worst=round(measured.worst, 5),
        gain=round(measured.gain, 2),
        opset=quantize.OPSET,
        machine=f"{platform.system()} {platform.machine()}",
        files={path.name: bundled.sha256(path) for path in sorted(new.iterdir())},
        **quantize.VERSIONS,
    )
    (new / IDENTITY).write_text(identity.text(), encoding="utf-8")
    return identity


def _place(new: Path, target: Path) -> None:
    with new.open("rb") as stream:
        os.fsync(stream.fileno())
    new.replace(target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the model and say what was done; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m rag.models.prepare", description=__doc__)
    parser.add_argument("--models", type=Path, help="folder to write to (MUNIMENT_MODELS)")
    given = parser.parse_args(arguments)
    start = time.perf_counter()
    try:
        settings = config.load(models=given.models)
        identity, there = prepare(settings)
    except MunimentError as error:
        print(error, file=sys.stderr)
        return 1
    where = prepared.folder(settings)
    if there:
        print(f"{identity.model} is already there, in {identity.auto}: {where}")
        return 0
    print(
        f"{identity.model} prepared in {time.perf_counter() - start:.1f} s: {where}\n"
        f"int8 keeps a cosine of {identity.cosine} to fp32 (at worst {identity.worst})"
        f" and is {identity.gain} times as fast here; in use: {identity.auto}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
