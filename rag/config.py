"""How this machine runs Muniment: paths, addresses, limits. Nothing here changes an answer.

One table, :class:`Settings`: each field's metadata holds its help, its default is its default, and
its name gives the environment variable (``data`` → ``MUNIMENT_DATA``) and the key in the optional
TOML file named by ``MUNIMENT_CONFIG``. ``docs/configuration.md`` is generated from it. Reading the
settings touches no file but that one, opens nothing and creates nothing.
"""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from rag.errors import BadSetting

PREFIX = "MUNIMENT_"
CHECKOUT = Path(__file__).resolve().parent.parent


def shipped(folder: str) -> Path:
    """Return a folder that comes with Muniment: ``samples``, ``specialists`` or ``recipes``."""
    beside = CHECKOUT / "data" / folder
    return beside if beside.is_dir() else Path(sys.prefix) / "share" / "muniment" / folder


def _default_data() -> Path:
    if (CHECKOUT / "pyproject.toml").is_file():
        return CHECKOUT / "data" / "var"
    return Path.home() / ".local" / "share" / "muniment"


def _default_models() -> Path:
    return Path(sys.prefix) / "share" / "muniment" / "models"


def _setting(default: Any, text: str) -> Any:  # noqa: ANN401 - a field of any type
    if callable(default):
        return field(default_factory=default, metadata={"help": text})
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of this machine. See the module's docstring for where they come from."""

    data: Path = _setting(
        _default_data, "Folder that holds everything: documents, database, vectors."
    )
    models: Path = _setting(_default_models, "Folder of the prepared models, written at set-up.")
    recipe: Path = _setting(
        lambda: shipped("recipes") / "default.toml",
        "The index recipe: embedding model and how passages are cut.",
    )
    specialist: Path = _setting(
        lambda: shipped("specialists") / "default.toml",
        "The specialist that answers: prompt, chat model, retrieval, thresholds.",
    )
    address: str = _setting("127.0.0.1", "Address the server listens on.")
    port: int = _setting(8501, "Port the server listens on.")
    allowed_hosts: str = _setting(
        "localhost,127.0.0.1,[::1]",
        "Names, separated by commas, under which browsers may call this server.",
    )
    trust_network: bool = _setting(
        False, "Serve another address than loopback though nobody signs in yet."
    )
    max_upload_mb: int = _setting(200, "Largest file taken in, in megabytes.")
    max_text_mb: int = _setting(20, "Most text taken from one document, in megabytes.")
    max_pages: int = _setting(10000, "Most pages read from one document.")
    parse_memory_mb: int = _setting(1500, "Memory that reading one document may use, in megabytes.")
    parse_cpu_seconds: int = _setting(120, "Processor time that reading one document may use.")
    parse_wall_seconds: int = _setting(300, "Time that reading one document may take.")
    embed_processes: int = _setting(
        0, "Processes that embed; 0 for one a processor core, at most four."
    )
    free_disk_mb: int = _setting(200, "Uploads are refused when less than this would stay free.")
    ollama_url: str = _setting("http://127.0.0.1:11434", "Address of the Ollama server.")
    openai_url: str = _setting(
        "", "Address of an OpenAI-compatible server (llama-server, vLLM), ending in /v1."
    )
    openai_key: str = _setting("", "Key for that server, if it wants one.")
    gguf: str = _setting("", "A GGUF chat model on this machine, run inside Muniment.")
    chroma_url: str = _setting(
        "", "Address of a Chroma server; empty keeps the vectors in the data folder."
    )
    first_token_seconds: int = _setting(
        180, "Wait this long for a model's first word (it may be loading)."
    )
    token_seconds: int = _setting(60, "Wait this long for each further word.")


_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def load(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the settings: defaults, then the TOML file, then the environment, then ``overrides``.

    Raises:
        BadSetting: a key is unknown, or a value is not of its setting's type.
    """
    environment = os.environ if environment is None else environment
    given: dict[str, object] = {}
    file = environment.get(PREFIX + "CONFIG")
    if file:
        given.update(_read_file(Path(file)))
    for item in fields(Settings):
        text = environment.get(variable(item.name))
        if text is not None:
            given[item.name] = text
    given.update({name: value for name, value in overrides.items() if value is not None})
    values: dict[str, Any] = {name: _convert(name, value) for name, value in given.items()}
    return replace(Settings(), **values)


def _read_file(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSetting(
            f"The settings file {path} cannot be read ({error.strerror}).",
            "Mend or unset MUNIMENT_CONFIG.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSetting(f"The settings file {path} is not valid TOML: {error}.") from error


def _convert(name: str, value: object) -> object:
    types = {item.name: type(getattr(Settings(), item.name)) for item in fields(Settings)}
    if name not in types:
        close = difflib.get_close_matches(name, types, n=1)
        raise BadSetting(
            f"There is no setting “{name}”.",
            f"Did you mean “{close[0]}”?" if close else "docs/configuration.md lists them all.",
        )
    kind = types[name]
    try:
        return _as(kind, value)
    except (TypeError, ValueError) as error:
        wanted = {bool: "true or false", int: "a whole number"}.get(kind, "text")
        raise BadSetting(f"The setting “{name}” wants {wanted}, not {value!r}.") from error


def _as(kind: type, value: object) -> object:
    if kind is bool:
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text not in _TRUE | _FALSE:
            raise ValueError(text)
        return text in _TRUE
    if kind is int:
        if isinstance(value, (bool, float)):
            raise TypeError(value)
        return int(str(value))
    if issubclass(kind, Path):
        return Path(str(value)).expanduser()
    if not isinstance(value, str):
        raise TypeError(value)
    return value
