"""The rules of the house that import-linter cannot hold: see docs/architecture.md."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOORS = [ROOT / "app.py", ROOT / "cli.py"]
MODULES = DOORS + sorted(
    path for folder in ("rag", "ingest") for path in (ROOT / folder).rglob("*.py")
)
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60
DOOR_LIBRARIES = {"app": {"streamlit"}, "cli": set[str]()}
"""Of the libraries that have one place, which a door may import; import-linter holds the rest."""
ONE_PLACE = {"chromadb", "ollama", "sqlalchemy", "alembic", "streamlit", "torch"} | {
    "sentence_transformers",
    "xllamacpp",
    "onnxruntime",
    "pypdfium2",
    "pypdf",
    "lxml",
}
HEAVY = ("torch", "transformers", "sentence_transformers", "xllamacpp")
ELSEWHERE = re.compile(r"https?://(?!localhost\b|127\.0\.0\.1\b|\[::1\]|\{)[^\s\"'`)>]+")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Return the top-level names a module imports."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def scopes_made(path: Path) -> list[int]:
    """Lines that make one of our scopes, or another one out of one with ``replace``."""
    lines = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            target = node.func
            called = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            changed = ast.unparse(node.args[0]) if called == "replace" and node.args else ""
            if called == "Scope" or changed.rpartition(".")[2] == "scope":
                lines.append(node.lineno)
    return lines


def test_a_scope_is_made_in_access_alone() -> None:
    makers = {name(path) for path in MODULES if scopes_made(path)}
    assert makers == {"rag/access.py"}


@pytest.mark.parametrize("path", DOORS, ids=name)
def test_a_door_imports_no_library_that_has_its_own_place(path: Path) -> None:
    assert imported(path) & ONE_PLACE <= DOOR_LIBRARIES[path.stem]


def test_doors_are_imported_by_nobody() -> None:
    below = [path for path in MODULES if path not in DOORS]
    assert [name(path) for path in below if imported(path) & {"app", "cli"}] == []


def test_httpx_to_models_stays_with_the_models() -> None:
    users = {name(path) for path in MODULES if "httpx" in imported(path)}
    strays = {user for user in users if not user.startswith("rag/models/")}
    # The one calls a running Muniment, the other names what Chroma's client can raise.
    assert strays <= {"rag/client.py", "rag/search/vectors.py"}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_stays_readable(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST_MODULE
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if "migrations" in path.parts:
                continue  # a list of tables, read from top to bottom and never changed
            reason = "# long:" in lines[node.lineno - 1] or "# long:" in lines[node.lineno - 2]
            assert length <= LONGEST_FUNCTION or reason, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_catching_everything_states_its_reason(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node):
            if isinstance(node.body[-1], ast.Raise):
                continue  # it cleans up and lets the error go on
            near = lines[node.lineno - 2 : node.lineno + 1]
            reasons = [re.sub(r"#\s*noqa:\s*[A-Z0-9, ]+(-\s*)?", "#", line) for line in near]
            told = [line.partition("#")[2].strip() for line in reasons if "#" in line]
            assert any(len(text.split()) > 2 for text in told), f"line {node.lineno}"


def _catches_everything(node: ast.ExceptHandler) -> bool:
    kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
    return any(kind is None or getattr(kind, "id", "") in _ALL for kind in kinds)


_ALL = {"Exception", "BaseException"}


def test_torch_and_its_like_have_one_place() -> None:
    users = {name(path) for path in MODULES if imported(path) & (set(HEAVY) - {"xllamacpp"})}
    assert users == {"rag/models/torch_embedder.py"}


def test_every_module_tells_what_it_is_for() -> None:
    silent = [name(path) for path in MODULES if not ast.get_docstring(tree(path))]
    assert [path for path in silent if not path.endswith("__init__.py")] == []


def test_pages_name_no_other_site() -> None:
    pages = [ROOT / "app.py", ROOT / ".streamlit" / "config.toml"]
    pages += [path for path in (ROOT / "rag" / "ui").rglob("*") if path.suffix in {".py", ".css"}]
    found = {name(path): ELSEWHERE.findall(path.read_text(encoding="utf-8")) for path in pages}
    assert {path: sites for path, sites in found.items() if sites} == {}


def test_importing_everything_loads_no_heavy_library(tmp_path: Path) -> None:
    # Stand-ins are put first on the path, so that the test can fail where torch is not installed.
    for library in HEAVY:
        (tmp_path / library).mkdir()
        (tmp_path / library / "__init__.py").touch()
    dotted = [name(path).removesuffix(".py").replace("/", ".") for path in MODULES]
    run_not_imported = ("rag.store.migrations.", "rag.ui.script")
    names = [
        each.removesuffix(".__init__") for each in dotted if not each.startswith(run_not_imported)
    ]
    program = (
        "import importlib, sys\n"
        f"for each in {names!r}:\n    importlib.import_module(each)\n"
        f"print(*[each for each in {HEAVY!r} if each in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
