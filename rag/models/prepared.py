"""The bundled model as set-up left it: which files, which precision, and that none was altered.

``python -m rag.models.prepare`` writes a folder with ``model.json`` (the identity), an ONNX file
a precision, and ``tokenizer.json``. This file only reads it; it knows no ONNX.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rag.config import Settings
from rag.errors import BadSetting, ModelMissing
from rag.models import bundled

IDENTITY = "model.json"
FORMAT = 5
"""Raised when the graph writer changes, so that set-up writes the files again."""

REMEDY = "Prepare it again: python -m rag.models.prepare"


@dataclass(frozen=True, slots=True)
class Identity:
    """What was prepared. ``auto`` is the precision measured to serve this machine best.

    ``files`` gives the SHA-256 of each file by name; ``cosine`` the mean and ``worst`` the least
    cosine of int8 vectors to fp32 ones over real sentences; ``gain`` how many times faster int8
    is here. ``sha256`` is that of the weights.
    """

    format: int
    model: str
    sha256: str
    dimension: int
    pooling: str
    auto: str
    cosine: float
    worst: float
    gain: float
    opset: int
    onnx: str
    onnxruntime: str
    machine: str
    files: dict[str, str]

    def text(self) -> str:
        """Return the identity as it is written to ``model.json``."""
        return json.dumps(asdict(self), indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared model's folder and identity."""

    folder: Path
    identity: Identity

    @property
    def tokenizer(self) -> Path:
        """The checked path of the tokenizer's file."""
        return self.checked(bundled.TOKENIZER)

    def precision(self, wanted: str) -> str:
        """Return the precision in use where the recipe says auto, int8 or fp32.

        Raises:
            BadSetting: the word is another, or int8 was found too inexact here.
        """
        if wanted not in {"auto", "int8", "fp32"}:
            raise BadSetting(
                f"The index recipe's precision “{wanted}” is not known.",
                "Write auto, int8 or fp32.",
            )
        name = self.identity.auto if wanted == "auto" else wanted
        if graph_file(name) not in self.identity.files:
            raise BadSetting(
                f"The embedding model in {name} is too inexact on this processor.",
                'Write precision = "auto" into the index recipe.',
            )
        return name

    def checked(self, name: str) -> Path:
        """Return the path of one of the files.

        Raises:
            ModelMissing: it is not there, or its bytes are not those that were prepared.
        """
        path = self.folder / name
        if not path.is_file():
            raise ModelMissing(f"The prepared embedding model lacks its file {name}.", REMEDY)
        if bundled.sha256(path) != self.identity.files.get(name):
            raise ModelMissing(f"The prepared embedding model's file {name} was altered.", REMEDY)
        return path


def graph_file(precision: str) -> str:
    """Return the name of the ONNX file of a precision."""
    return f"{precision}.onnx"


def folder(settings: Settings) -> Path:
    """Return the folder of the prepared model."""
    return settings.models / bundled.NAME


def open_model(settings: Settings) -> Prepared:
    """Return the prepared model.

    Raises:
        ModelMissing: it was never prepared, by an older Muniment, or its identity is damaged.
    """
    path = folder(settings) / IDENTITY
    try:
        identity = Identity(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelMissing(
            f"The bundled embedding model has not been prepared in {settings.models}.", REMEDY
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise ModelMissing(f"The file {path} cannot be read.", REMEDY) from error
    if identity.format != FORMAT or identity.sha256 != bundled.SHA256[bundled.WEIGHTS]:
        raise ModelMissing("The embedding model was prepared by another version.", REMEDY)
    return Prepared(path.parent, identity)
