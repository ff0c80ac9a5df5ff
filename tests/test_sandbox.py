"""The sandbox: pages come back whole, limits hold, and nothing that happens there reaches us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ingest import sandbox
from ingest.parsers import DOCX, MARKDOWN, PDF, TEXT, Limits, pdf
from ingest.sandbox import Cancelled, Parsed, frames, read_document
from rag.config import Settings
from rag.errors import BadFile, TooLarge
from tests.made_files import pdf as make_pdf
from tests.made_files import word


def read(path: Path, settings: Settings) -> Parsed:
    return read_document(path, path.name, settings, lambda _done, _total: None, lambda: False)


def children(pid: int) -> list[int]:
    """Return the child processes of a process."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def zygote() -> int:
    sandbox.warm()
    process = sandbox._zygote._process
    assert process is not None
    return process.pid


def test_the_pages_are_those_the_parser_gives(settings: Settings, tmp_path: Path) -> None:
    path = make_pdf(
        tmp_path / "a.pdf", [["HEAD", "", "some words 😀 here"], ["more"]], title="The title"
    )
    seen: list[tuple[int, int]] = []
    parsed = read_document(
        path, "a.pdf", settings, lambda done, total: seen.append((done, total)), lambda: False
    )
    assert parsed.pages == list(pdf.parse(path, Limits(10, 1000)).pages)
    assert parsed.pages[0].boxes
    assert parsed.pages[0].headings
    assert (parsed.media_type, parsed.paged, parsed.title) == (PDF, True, "The title")
    assert seen == [(1, 2), (2, 2)]


def test_each_kind_is_read(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Minutes\nAll were there.", encoding="utf-8")
    (tmp_path / "a.md").write_text("# Handbook\nWelcome.", encoding="utf-8")
    kinds = {
        name: read(tmp_path / name, settings)
        for name in ("a.txt", "a.md", word(tmp_path / "a.docx").name)
    }
    assert {name: parsed.media_type for name, parsed in kinds.items()} == {
        "a.txt": TEXT,
        "a.md": MARKDOWN,
        "a.docx": DOCX,
    }
    assert {name: parsed.title for name, parsed in kinds.items()} == {
        "a.txt": "Minutes",
        "a.md": "Handbook",
        "a.docx": "Engagement letter",
    }
    assert not any(parsed.paged for parsed in kinds.values())


def test_stopping_ends_the_child_at_once(settings: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["some words"]] * 3000)
    done: list[int] = []
    with pytest.raises(Cancelled):
        read_document(
            path, "a.pdf", settings, lambda page, _: done.append(page), lambda: len(done) >= 5
        )
    assert len(done) < 3000
    for _ in range(1000):
        if not children(zygote()):
            break
        time.sleep(0.05)
    assert not children(zygote())


def test_the_wall_limit_holds(settings: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["some words"]])
    with pytest.raises(BadFile, match="took longer"):
        read(path, replace(settings, parse_wall_seconds=-1))


def test_many_at_once_do_not_mix(settings: Settings, tmp_path: Path) -> None:
    paths = [make_pdf(tmp_path / f"{n}.pdf", [[f"document {n}"]] * 20) for n in range(8)]
    found: dict[int, Parsed] = {}

    def work(number: int) -> None:
        found[number] = read(paths[number], settings)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert {page.text for page in found[number].pages} == {f"document {number}"}


def test_a_zygote_that_was_killed_is_started_again(settings: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf")
    first = zygote()
    os.kill(first, signal.SIGKILL)
    for _ in range(3):
        try:
            parsed = read(path, settings)
            break
        except sandbox.ReaderGone:
            continue
    assert len(parsed.pages) == 1
    assert zygote() != first


def test_a_crash_becomes_a_sentence(settings: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["some words"]] * 3000)

    def kill_it(page: int, _total: int) -> None:
        if page == 1:
            for pid in children(zygote()):
                os.kill(pid, signal.SIGSEGV)

    with pytest.raises(BadFile, match="reader crash"):
        read_document(path, "a.pdf", settings, kill_it, lambda: False)
    assert len(read(path, settings).pages) == 3000


def test_the_child_cannot_write_files(settings: Settings, tmp_path: Path) -> None:
    del settings
    victim = tmp_path / "victim"
    code = (
        "import os, sys; from ingest import zygote; zygote._limit(10**9, 5)\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n    os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'x')\n"
        "except OSError as error:\n    print('refused', error.errno)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(victim)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.startswith("refused")
    assert not victim.stat().st_size


def test_nothing_outlives_a_killed_server(settings: Settings, tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", [["some words"]] * 4000)
    code = (
        "import sys; from pathlib import Path; from ingest import sandbox; from rag import config\n"
        "def tell(done, total):\n"
        "    if done == 2: print(sandbox._zygote._process.pid, flush=True)\n"
        "sandbox.read_document(Path(sys.argv[1]), 'a.pdf', config.load({}), tell, lambda: False)"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert server.stdout is not None
    with server, server.stdout:
        pid = int(server.stdout.readline())
        below = [pid, *children(pid)]
        server.kill()
        server.wait()
    for _ in range(1000):
        alive = [one for one in below if Path(f"/proc/{one}/cmdline").exists() and one_runs(one)]
        if not alive:
            break
        time.sleep(0.05)
    assert not alive
    assert settings.parse_wall_seconds > 5


def one_runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2][1] != "Z"
    except OSError:
        return False


def test_a_child_s_lies_are_not_believed() -> None:
    good = {"number": 1, "text": "ab", "width": 1, "height": 1, "headings": []}
    for change in (
        {"number": 2},
        {"text": 5},
        {"text": "a\0"},
        {"text": "a\ud800"},
        {"headings": [[1, 9]]},
        {"headings": [[1]]},
        {"width": "wide"},
    ):
        with pytest.raises(BadFile, match="could not be read"):
            sandbox._page(sandbox.Frame({**good, **change}, b""), 1)
    with pytest.raises(BadFile, match="could not be read"):
        sandbox._page(sandbox.Frame(good, b"123"), 1)
    with pytest.raises(BadFile, match="could not be read"):
        sandbox._taken(bytearray(sandbox.HEADER.pack(2, 0) + b"[]"))
    with pytest.raises(BadFile, match="could not be read"):
        sandbox._taken(bytearray(sandbox.HEADER.pack(1 << 30, 0)))


def test_more_text_than_the_limit(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"many words " * 200_000)
    with pytest.raises(TooLarge, match="more than 1 MB of text"):
        read(path, replace(settings, max_text_mb=1))


def test_frames_end_with_the_last_one(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf")
    request = {
        "kind": "parse", "path": str(path), "name": "a.pdf",
        "pages": 9, "characters": 999, "memory": 10**9, "cpu": 9,
    }  # fmt: skip
    assert len(list(frames(request, 30, lambda: False))) == 2
