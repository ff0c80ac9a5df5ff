"""Write the pages of docs/ that are made from code: ``make docs``; ``--check`` only compares.

``docs/configuration.md`` comes from the table of settings in ``rag/config.py``, and
``docs/terminal.md`` from the command's own parser, so that neither can fall behind. Nothing in
them depends on the machine, the terminal's width or the Python version they were written with.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import cli
from rag.config import CHECKOUT, Settings, variable

DOCS = Path(__file__).resolve().parent.parent / "docs"
MADE = "<!-- Made by `make docs`; change the code instead. -->"

CONFIGURATION = f"""\
# Configuration

{MADE}

These settings say how this machine runs Muniment: where things lie, who is called, how much is
allowed. None of them changes what an answer says; that is the specialist's file
(`data/specialists/default.toml`) and the index recipe's (`data/recipes/default.toml`).

A setting is read from its environment variable, else from the TOML file that `MUNIMENT_CONFIG`
names, else it has its default. In that file the key is the setting's name:

```toml
data = "/srv/muniment"
max_upload_mb = 500
```

An unknown or misspelt key is refused, with a suggestion. Options of the `muniment` command
([terminal.md](terminal.md)) come before both.

| setting | variable | default | meaning |
|---|---|---|---|
"""

CONFIGURATION_END = """
Paths are shown as in a checkout, relative to it. *environment* is the folder of the Python
environment (`.venv`, in a container `/opt/muniment`). Installed elsewhere than in a checkout,
`data` is `~/.local/share/muniment`, and the files that ship with Muniment lie in
*environment*`/share/muniment`.
"""

TERMINAL = f"""\
# The terminal

{MADE}

One command, `muniment`. Where a server runs on the data folder, the command talks to it; where
none does, it opens the folder itself. It prints what was asked for to standard output and all
else to standard error, and exits with 0 when all went well, 1 when something failed, 2 when it was
called wrongly. With `--json` and `--batch` it prints one JSON object a line, in the promised
[formats](formats.md).
"""


def configuration() -> str:
    """Return docs/configuration.md."""
    shipped = Settings()
    rows = [
        f"| `{item.name}` | `{variable(item.name)}` | {_default(getattr(shipped, item.name))} "
        f"| {item.metadata['help']} |\n"
        for item in fields(Settings)
    ]
    return CONFIGURATION + "".join(rows) + CONFIGURATION_END


def _default(value: object) -> str:
    if isinstance(value, Path):
        if value.is_relative_to(sys.prefix):
            return f"*environment*`/{value.relative_to(sys.prefix)}`"
        return f"`{value.relative_to(CHECKOUT) if value.is_relative_to(CHECKOUT) else value}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if value != "" else "empty"


def terminal() -> str:
    """Return docs/terminal.md."""
    return TERMINAL + "".join(_command(cli.parser(), "muniment", ""))


def _command(parser: argparse.ArgumentParser, called: str, told: str) -> Iterator[str]:
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]  # noqa: SLF001 - argparse offers no other way to read a parser
    actions = [
        each
        for each in parser._actions  # noqa: SLF001 - as above
        if each not in groups
        and each.help != argparse.SUPPRESS
        and not isinstance(each, argparse._HelpAction)  # noqa: SLF001 - as above
    ]
    yield f"\n## {called}\n"
    if not groups:
        yield f"\n```\n{' '.join([called, *map(_usage, actions)])}\n```\n"
    description = parser.description or told
    if description:
        yield f"\n{_sentence(description)}\n"
    if actions:
        yield "\n| argument | meaning |\n|---|---|\n"
        yield from (f"| `{_spelling(each)}` | {_meaning(each)} |\n" for each in actions)
    if parser.epilog:
        yield f"\n{parser.epilog.strip()}\n"
    for group in groups:
        helps = {choice.dest: choice.help or "" for choice in group._choices_actions}  # noqa: SLF001 - as above
        for name, child in group.choices.items():
            if name in helps:  # the others are kept for programs, unannounced
                yield from _command(child, f"{called} {name}", helps[name])


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", ":")) else ".")


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper()


def _spelling(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        return value
    return ", ".join(f"{option} {value}".strip() for option in action.option_strings)


def _usage(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        shapes = {"+": f"{value}...", "*": f"[{value}...]", "?": f"[{value}]"}
        return shapes.get(str(action.nargs), value)
    text = f"{action.option_strings[-1]} {value}".strip()
    return text if action.required else f"[{text}]"


def _meaning(action: argparse.Action) -> str:
    text = " ".join((action.help or "").split()) % {"default": action.default, "prog": "muniment"}
    return _sentence(text).replace("|", "\\|") if text else ""


def main() -> int:
    """Write the pages, or with ``--check`` say which of them are out of date."""
    checking = sys.argv[1:] == ["--check"]
    stale = []
    for file, text in (("configuration.md", configuration()), ("terminal.md", terminal())):
        path = DOCS / file
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(file)
        if not checking:
            path.write_text(text, encoding="utf-8")
            print(f"wrote docs/{file}")
    if checking and stale:
        print(f"out of date: {', '.join(stale)}; run `make docs`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
