"""What is written about Muniment holds: generated pages are fresh, links lead somewhere."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import cli
from rag import config, rows
from rag.types import (
    Answer,
    Check,
    Citation,
    Claim,
    Document,
    Found,
    Hit,
    Outcome,
    Seconds,
    Status,
    Verdict,
    Version,
)

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NAMED_FILE = re.compile(
    r"`((?:rag|ingest|tests|bench|scripts|data|docs)/[\w./-]+\.(?:py|toml|md|txt|sh))`"
)
VARIABLE = re.compile(r"\bMUNIMENT_[A-Z_]+\b")
OUTSIDE = {"MUNIMENT_CONFIG", "MUNIMENT_PUBLISH"}
"""Variables that are no setting: the settings file's path, and one that compose alone reads."""


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/make_docs.py", "--check"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [item.name for item in fields(config.Settings) if f"| `{item.name}` |" not in text] == []


def test_every_command_is_documented_with_its_options() -> None:
    text = (ROOT / "docs" / "terminal.md").read_text(encoding="utf-8")
    missing = []
    for command, parser in commands(cli.parser(), "muniment"):
        if f"\n## {command}\n" not in text:
            missing.append(command)
        section = text.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
        missing += [f"{command} {each}" for each in options(parser) if each not in section]
    assert missing == []


def commands(
    parser: argparse.ArgumentParser, called: str
) -> list[tuple[str, argparse.ArgumentParser]]:
    found = [(called, parser)]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                found += commands(action.choices[choice.dest], f"{called} {choice.dest}")
    return found


def options(parser: argparse.ArgumentParser) -> list[str]:
    shown = [each for each in parser._actions if each.help != argparse.SUPPRESS]
    return [option for each in shown for option in each.option_strings if each.dest != "help"]


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    local = [each.partition("#")[0] for each in targets if "://" not in each]
    assert [each for each in local if each and not (page.parent / each).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_files_named_in_a_page_are_there(page: Path) -> None:
    named = NAMED_FILE.findall(page.read_text(encoding="utf-8"))
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_variables_and_make_targets_named_anywhere_exist() -> None:
    known = {config.variable(item.name) for item in fields(config.Settings)} | OUTSIDE
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    files = [*PAGES, ROOT / "Dockerfile", ROOT / "docker-compose.yml", ROOT / "Makefile"]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert set(VARIABLE.findall(text)) <= known, page_name(path)
        named = set(re.findall(r"`make ([a-z-]+)", text)) | set(
            re.findall(r"^ *make ([a-z-]+)$", text, re.MULTILINE)
        )
        assert named <= targets, page_name(path)


def test_every_key_of_a_row_is_documented_under_its_heading() -> None:
    version = Version(
        1, 1, 1, "00", 1, "text/plain", Status.READY, None, 1, False, "", 1, 1, 0.0, 0.0
    )
    hit = Hit(1, "lease.pdf", 1, 1, 2, 2, 0, 4, "text", 1.0)
    found = Found((hit,), 0.5, 0.1)
    citation = Citation(1, "lease.pdf", 1, 1, 2, 2, 0, 4, "text")
    claim = Claim("text", (1,), Check(Verdict.SUPPORTED, 1.0))
    answer = Answer(
        "q", "q", Outcome.ANSWERED, "text", (claim,), (citation,), (hit,), 0.5, "", "", "",
        Seconds(0.1, None, 0.1),
    )  # fmt: skip
    expected = {
        "A search": [rows.search_row("1", found), rows.hit_row(hit)],
        "An answer": [
            rows.ask_row("1", answer),
            rows.sentence_row(claim),
            rows.citation_row(citation),
        ],
        "A check": [rows.check_row("1", claim.check)],
        "A document": [rows.document_row(Document(1, 1, "lease.pdf", version, version))],
    }
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for heading, samples in expected.items():
        section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        missing = [key for row in samples for key in row if f"`{key}`" not in section]
        assert missing == [], heading
