"""Answers and parts of them as JSON, and back, exactly: what is kept of an answer for good.

The fields' own types lead the reading, so a value comes back as the very dataclass it was. Knows
no database. Fields added later to a dataclass with a default may be missing in an old record;
fields that are gone are passed over.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rag.types import Answer

Value = TypeVar("Value")


def answer_to_json(answer: Answer) -> str:
    """Return an answer as JSON."""
    return to_json(answer)


def answer_from_json(data: str) -> Answer:
    """Return the answer that :func:`answer_to_json` was given."""
    return from_json(data, Answer)


def to_json(value: Any) -> str:  # noqa: ANN401 - a dataclass of rag.types
    """Return one of the values of :mod:`rag.types` as JSON."""
    # Half surrogate pairs survive as escapes; NumPy's numbers are written as Python's.
    return json.dumps(asdict(value), separators=(",", ":"), default=float)


def from_json(data: str, kind: type[Value]) -> Value:
    """Return the value that :func:`to_json` was given, which was of this kind."""
    return build(kind, json.loads(data))


def build(kind: type[Value], table: Any) -> Value:  # noqa: ANN401 - parsed JSON
    """Return a value of this kind from parsed JSON."""
    value: Value = _value(kind, table)
    return value


def _value(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any type of a field
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        given = {
            item.name: _value(hints[item.name], value[item.name])
            for item in fields(kind)
            if item.name in value
        }
        return kind(**given)
    origin = get_origin(kind)
    if origin is tuple:
        return tuple(_value(get_args(kind)[0], item) for item in value)
    if origin is UnionType:
        inner = next(option for option in get_args(kind) if option is not NoneType)
        return None if value is None else _value(inner, value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
