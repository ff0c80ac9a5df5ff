"""What is deployed holds what docs/deployment.md promises; no docker engine is needed to see it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import pytest
import streamlit.config
import yaml

from rag.config import Settings

ROOT = Path(__file__).resolve().parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STREAMLIT = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$")


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [PIN.match(line) for line in lines if line and not line.startswith("#")]
    assert None not in found, f"{name} has a line that pins nothing"
    return {match[1]: match[2] for match in found if match}


def test_only_the_app_publishes_a_port_and_on_this_machine_unless_told() -> None:
    published = {name: each["ports"] for name, each in SERVICES.items() if "ports" in each}
    assert published == {
        "app": ["${MUNIMENT_PUBLISH:-127.0.0.1}:${MUNIMENT_PORT:-8501}:8501"],
    }


def test_ollama_and_chroma_stand_on_a_network_that_leads_nowhere() -> None:
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert {name: each["networks"] for name, each in SERVICES.items()} == {
        "app": ["inside", "door"],  # `inside` alone could publish no port
        "ollama": ["inside"],
        "chroma": ["inside"],
    }


@pytest.mark.parametrize("service", ["app", "ollama", "chroma"])
def test_a_service_is_pinned_confined_and_watched(service: str) -> None:
    each = SERVICES[service]
    assert re.fullmatch(r"[a-z/]+:\d+\.\d+\.\d+", each["image"])
    assert each["read_only"] is True
    assert each["cap_drop"] == ["ALL"]
    assert each["security_opt"] == ["no-new-privileges:true"]
    assert each["healthcheck"]["test"][0] == "CMD"
    volumes = [mount.partition(":")[0] for mount in each["volumes"]]
    assert len(volumes) == 1
    assert volumes[0] in COMPOSE["volumes"]  # a named volume, nothing of the machine's own folders


def test_chroma_server_and_client_are_of_one_version() -> None:
    server = SERVICES["chroma"]["image"].partition(":")[2]
    assert server == version("chromadb") == pins("constraints.txt")["chromadb"]


def test_the_app_finds_its_neighbours() -> None:
    environment = SERVICES["app"]["environment"]
    assert environment["MUNIMENT_OLLAMA_URL"] == "http://ollama:11434"
    assert environment["MUNIMENT_CHROMA_URL"] == "http://chroma:8000"


def test_the_image_runs_as_nobody_special_with_the_model_inside() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert "\nUSER muniment\n" in final
    assert "rag.models.prepare" in DOCKERFILE.partition("\nUSER ")[0]
    assert "/healthz" in final
    assert "\nVOLUME /data\n" in final
    assert '"serve", "--address", "0.0.0.0", "--trust-network"' in final
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert base
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", base[1])


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    ignored = set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    copied = [source for line in lines for source in line.split()]
    assert "rag" in copied
    assert [each for each in copied if each in ignored or not (ROOT / each).exists()] == []


def test_constraints_are_what_is_installed_and_bring_no_torch() -> None:
    core = pins("constraints.txt")
    heavy = [name for name in core if name.startswith(("torch", "nvidia", "transformers"))]
    assert heavy == []
    # On another Python than the pins' own, some packages are not wanted at all.
    installed = {each.metadata["Name"].lower(): each.version for each in distributions()}
    assert len(core.keys() & installed.keys()) > 100
    assert {name: installed.get(name.lower(), pin) for name, pin in core.items()} == core


@pytest.mark.slow
def test_an_installed_muniment_has_all_it_ships_with(tmp_path: Path) -> None:
    unwanted = shutil.ignore_patterns(".*venv*", ".git", "var", "build", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, tmp_path / "source", ignore=unwanted)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", tmp_path, "."],
        cwd=tmp_path / "source",
        check=True,
        timeout=100,
    )
    (wheel,) = tmp_path.glob("*.whl")
    inside = {each.partition(".data/data/share/muniment/")[2] or each for each in names(wheel)}
    wanted = [".streamlit/config.toml", "app.py", "cli.py"]
    wanted += [
        str(path.relative_to(ROOT))
        for folder in (
            "rag",
            "ingest",
            "data/recipes",
            "data/specialists",
            "data/samples/documents",
        )
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".mako"}
    ]
    places = {
        each.removeprefix("data/").replace(".streamlit/", "streamlit/.streamlit/")
        for each in wanted
    }
    assert sorted(places - inside) == []


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as opened:
        return opened.namelist()


def test_weights_are_pinned_by_hash() -> None:
    for name in ("weights-embedding.txt", "weights-chat.txt"):
        text = (ROOT / "scripts" / name).read_text(encoding="utf-8")
        assert re.search(r"==\d\S* \\\n +--hash=sha256:[0-9a-f]{64}\n$", text)


def test_streamlit_is_told_only_what_it_knows_and_reaches_nobody() -> None:
    known = streamlit.config._config_options_template
    given = dict(_flat(STREAMLIT))
    assert [key for key in given if key not in known] == []
    assert given["browser.gatherUsageStats"] is False
    assert given["browser.serverAddress"] == "localhost"
    assert given["server.fileWatcherType"] == "none"
    assert given["server.enableCORS"] is True
    assert given["server.enableXsrfProtection"] is True
    assert given["client.showErrorLinks"] is False
    assert given["client.allowedOrigins"] == []
    assert given["server.address"] == Settings().address
    assert given["server.maxUploadSize"] == Settings().max_upload_mb
    assert [key for key, value in given.items() if "://" in str(value)] == []


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found


@pytest.mark.parametrize("shade", ["light", "dark"])
def test_text_and_buttons_can_be_read(shade: str) -> None:
    theme = STREAMLIT["theme"][shade]
    grounds = [theme["backgroundColor"], theme["secondaryBackgroundColor"]]
    grounds += [theme["sidebar"]["backgroundColor"]]
    for ground in grounds:
        assert contrast(theme["textColor"], ground) >= 7
        for colour in ("linkColor", "greenColor", "orangeColor", "redColor", "grayColor"):
            assert contrast(theme[colour], ground) >= 4.5, (colour, ground)
        assert contrast(theme["primaryColor"], ground) >= 3  # a shape, not a text
    assert contrast("#ffffff", theme["primaryColor"]) >= 4.5  # what Streamlit writes on buttons


def contrast(one: str, other: str) -> float:
    """Contrast as WCAG 2 defines it, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
