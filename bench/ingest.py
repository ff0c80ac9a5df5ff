"""How fast documents become searchable, beside LlamaIndex's default pipeline, in one run.

``python bench/ingest.py [--documents FOLDER] [--limit N] [--rival-python PYTHON]`` takes all
documents of a folder into an empty data folder, as an upload does, and prints pages a second until
all are searchable by keyword and until all are searchable whole, with peak and idle memory of all
processes. Then the rival does the same with the same embedding model (bench/rivals/llamaindex.py),
then we once more, and the ratio is printed. Without the rival's environment (bench/rivals/requirements.txt in
.venv-rival) only our side is measured.

Memory is the proportional set size of the process and all its children: pages they share count
once. Before the clock starts each side embeds one word, which opens its model; those of our child
processes that this does not start, start within.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

CHECKOUT = Path(__file__).resolve().parent.parent
# Run as a script, this file's own folder comes first, and in it this file hides the package.
sys.path[0] = str(CHECKOUT)

from ingest.engine import open_engine  # noqa: E402
from rag import config  # noqa: E402
from rag.models import bundled  # noqa: E402
from rag.models.pool import IDLE_SECONDS  # noqa: E402
from rag.types import Status  # noqa: E402

DOCUMENTS = CHECKOUT.parent / "shared" / "evals" / "sec-10q" / "documents"
RIVAL_PYTHON = CHECKOUT / ".venv-rival" / "bin" / "python"
RIVAL = CHECKOUT / "bench" / "rivals" / "llamaindex.py"
MEGABYTE = 1024
SAMPLED_SECONDS = 3.0
"""Between two looks at the memory: each walks through all the pages of all processes."""


class Memory:
    """Watches the memory of a process and its descendants, in kilobytes."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def now(self) -> int:
        """Return what the processes hold now."""
        return sum(_proportional(pid) for pid in [self.pid, *_descendants(self.pid)])

    def _watch(self) -> None:
        while not self.stopped.wait(SAMPLED_SECONDS):
            self.peak = max(self.peak, self.now())

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()


def _busy(pid: int) -> float:
    """Return the processor seconds of a process, its descendants and those that have ended."""
    ticks = 0
    for one in [pid, *_descendants(pid)]:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(word) for word in task.read_text().split()]
        except OSError:
            continue
        for child in children:
            found += [child, *_descendants(child)]
    return found


def _proportional(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        return 0  # it has just ended
    return 0


def ours(documents: Path, *, idle: bool) -> dict[str, float]:
    """Take all documents in and return what it took."""
    files = sorted(path for path in documents.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory(prefix="muniment-bench-") as folder:
        settings = config.load(data=Path(folder))
        with open_engine(settings) as engine, Memory(os.getpid()) as memory:
            opened = memory.now()
            assistant = engine.assistant
            assistant.create_workspace("warm")
            assistant.upload("warm", "warm.txt", io.BytesIO(b"warm"))
            assert engine.worker.wait_idle(60)
            assistant.create_workspace("bench")
            busy = _busy(os.getpid())
            start = time.perf_counter()
            for file in files:
                with file.open("rb") as stream:
                    assistant.upload("bench", str(file.relative_to(documents)), stream)
            uploaded = time.perf_counter() - start
            keyword = 0.0
            while True:
                rows = assistant.documents("bench")
                if not keyword and all(row.searchable for row in rows):
                    keyword = time.perf_counter() - start
                if all(row.newest.status in {Status.READY, Status.FAILED} for row in rows):
                    break
                time.sleep(0.2)
            whole = time.perf_counter() - start
            busy = _busy(os.getpid()) - busy
            failed = [row.name for row in rows if row.newest.status is Status.FAILED]
            assert not failed, failed
            assert all(row.newest.embedded == row.newest.passages > 0 for row in rows)
            peak, after = memory.peak, memory.now()
            if idle:
                time.sleep(IDLE_SECONDS + 5)
            return {
                "documents": len(rows),
                "pages": sum(row.newest.pages for row in rows),
                "passages": sum(row.newest.passages for row in rows),
                "uploaded": uploaded,
                "keyword": keyword,
                "seconds": whole,
                "busy": busy,
                "opened": opened,
                "peak": peak,
                "after": after,
                "idle": memory.now() if idle else 0,
            }


def rival(python: Path, documents: Path) -> dict[str, float]:
    """Let LlamaIndex do the same and return what it took."""
    with tempfile.TemporaryDirectory(prefix="rival-bench-") as store:
        command = [python, RIVAL, documents, bundled.model_folder(), store]
        with (
            subprocess.Popen(  # noqa: S603 - our own script
                [*map(str, command)], stdout=subprocess.PIPE, text=True
            ) as process,
            Memory(process.pid) as memory,
        ):
            output, _ = process.communicate()
            assert process.returncode == 0, f"the rival ended with {process.returncode}"
        row: dict[str, Any] = json.loads(output.splitlines()[-1])
        return row | {"peak": memory.peak}


@contextmanager
def _chosen(documents: Path, limit: int | None) -> Iterator[Path]:
    """Give the folder, or one with its first files only."""
    if limit is None:
        yield documents
        return
    with tempfile.TemporaryDirectory(prefix="few-") as folder:
        files = sorted(path for path in documents.rglob("*") if path.is_file())
        for file in files[:limit]:
            target = Path(folder) / file.relative_to(documents)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        yield Path(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = DOCUMENTS if DOCUMENTS.is_dir() else config.shipped("samples")
    parser.add_argument("--documents", type=Path, default=default)
    parser.add_argument("--limit", type=int, help="take only so many files")
    parser.add_argument("--rival-python", type=Path, default=RIVAL_PYTHON)
    parser.add_argument("--no-idle", action="store_true", help="do not wait for idle memory")
    given = parser.parse_args()
    with _chosen(given.documents, given.limit) as documents:
        first = ours(documents, idle=not given.no_idle)
        _tell_ours(first)
        if not given.rival_python.is_file():
            print(f"No rival: {given.rival_python} is not there (see --rival-python).")
            return 0
        theirs = rival(given.rival_python, documents)
        _tell_rival(theirs, first["documents"])
        # The rival takes minutes; a machine that slows down meanwhile must not favour either.
        second = ours(documents, idle=False)
        _tell_ours(second)
    seconds = (first["seconds"] + second["seconds"]) / 2
    ratio = first["pages"] / seconds / (theirs["pages"] / theirs["seconds"])
    print(
        f"Ratio: {ratio:.2f} times as many pages a second (ours: the mean of both times),"
        f" {ratio / theirs['coverage']:.1f} times as much text embedded"
    )
    return 0


def _tell_ours(mine: dict[str, float]) -> None:
    pages = mine["pages"]
    print(
        f"Muniment: {mine['documents']} documents, {pages} pages, {mine['passages']} passages\n"
        f"  stored safely        {mine['uploaded']:8.1f} s\n"
        f"  found by keyword     {mine['keyword']:8.1f} s  {pages / mine['keyword']:6.1f} pages/s\n"
        f"  fully searchable     {mine['seconds']:8.1f} s  {pages / mine['seconds']:6.1f} pages/s"
        f"  ({mine['busy']:.0f} s of processor time)\n"
        f"  memory: open {mine['opened'] / MEGABYTE:.0f} MB, peak {mine['peak'] / MEGABYTE:.0f} MB,"
        f" done {mine['after'] / MEGABYTE:.0f} MB"
        + (f", idle {mine['idle'] / MEGABYTE:.0f} MB" if mine["idle"] else ""),
        flush=True,
    )


def _tell_rival(theirs: dict[str, float], documents: float) -> None:
    missing = documents - theirs["documents"]
    print(
        f"LlamaIndex default: {theirs['documents']} documents"
        + (f" ({missing} it could not read)" if missing else "")
        + f", {theirs['pages']} pages, {theirs['chunks']} chunks\n"
        f"  searchable           {theirs['seconds']:8.1f} s"
        f"  {theirs['pages'] / theirs['seconds']:6.1f} pages/s"
        f"  (reading alone {theirs['reading']:.1f} s)\n"
        f"  embedded {theirs['coverage']:.0%} of the text; the model ignored the rest of each chunk\n"
        f"  memory: peak {theirs['peak'] / MEGABYTE:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
