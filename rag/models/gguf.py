"""What a GGUF model file says of itself: its name, its context, and whether it can be talked to.

Reads the header only; knows nothing of weights. The layout is that of ggml's ``docs/gguf.md``,
versions 2 and 3: magic, version, counts, then key, type and value for each entry.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from rag.errors import ModelMissing

MOST_ENTRIES = 10_000
LONGEST_TEXT = 10_000_000
MOST_ITEMS = 5_000_000
_FORMATS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_TEXT, _ARRAY = 8, 9


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A model file that can chat; ``context`` is what it was made for, in tokens, 0 if untold."""

    path: Path
    name: str
    context: int


def chat_model(path: Path) -> ChatModel:
    """Read a model file's header.

    Raises:
        ModelMissing: there is no such file, it is no GGUF file, or has no chat template of its own.
    """
    try:
        state = path.stat()
        return _chat_model(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise ModelMissing(
            f"The model file {path} cannot be read ({error.strerror}).",
            "Check the setting “gguf”: it is the path of a GGUF file on this machine.",
        ) from error


@lru_cache(maxsize=8)
def _chat_model(path: Path, _changed: int, size: int) -> ChatModel:
    try:
        with path.open("rb") as file:
            entries = _entries(file, size)
    except (struct.error, ValueError) as error:
        raise ModelMissing(
            f"The file {path.name} is no GGUF model, or is damaged.",
            "Download or copy it again, and compare its size and SHA-256 with the source's.",
        ) from error
    if not entries.get("tokenizer.chat_template"):
        raise ModelMissing(
            f"The model {path.name} has no chat template, so it cannot be spoken with reliably.",
            "Take an “instruct” or “chat” variant of the model: its file has one.",
        )
    context = entries.get(f"{entries.get('general.architecture')}.context_length", 0)
    return ChatModel(path, path.stem, context if isinstance(context, int) else 0)


def _entries(file: BinaryIO, size: int) -> dict[str, object]:
    magic, version, _tensors, count = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version not in {2, 3} or count > MOST_ENTRIES:
        raise ValueError(magic)
    entries: dict[str, object] = {}
    for _ in range(count):
        key = _text(file)
        entries[key] = _value(file, _number(file, "I"))
        if file.tell() > size:
            raise ValueError(key)
    return entries


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _TEXT:
        return _text(file)
    if kind == _ARRAY:
        _skip_array(file)
        return None
    if kind not in _FORMATS:
        raise ValueError(kind)
    return _number(file, _FORMATS[kind])


def _skip_array(file: BinaryIO) -> None:
    kind, count = _number(file, "I"), _number(file, "Q")
    if count > MOST_ITEMS:
        raise ValueError(count)
    skip: Callable[[BinaryIO], None] = _skip_array if kind == _ARRAY else _skip_text
    if kind in {_TEXT, _ARRAY}:
        for _ in range(count):
            skip(file)
    elif kind in _FORMATS:
        file.seek(count * struct.calcsize("<" + _FORMATS[kind]), 1)
    else:
        raise ValueError(kind)


def _skip_text(file: BinaryIO) -> None:
    file.seek(_length(file), 1)


def _text(file: BinaryIO) -> str:
    length = _length(file)
    data = file.read(length)
    if len(data) < length:
        raise ValueError(length)
    return data.decode(errors="replace")


def _length(file: BinaryIO) -> int:
    length = _number(file, "Q")
    if length > LONGEST_TEXT:
        raise ValueError(length)
    return length


def _number(file: BinaryIO, form: str) -> int:
    form = "<" + form
    value: int = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return value
