"""How many tokens a second the bundled model embeds, by precision, processes, threads and batch.

``python bench/embed.py [--seconds S]`` embeds passages of our own words, all of 128 tokens, in
every arrangement for a few seconds each. It shows why :mod:`rag.models.onnx_embedder` runs one text
at a time on one core, and :mod:`rag.models.pool` one process a core. Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path[0] = str(CHECKOUT)

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402

from rag import config  # noqa: E402
from rag.models import prepared, tokens  # noqa: E402
from rag.models.probe import TEXTS  # noqa: E402

LENGTH = 128


@dataclass(frozen=True, slots=True)
class Arrangement:
    """One way to embed: how many processes, each with so many threads and texts at once."""

    precision: str
    processes: int
    threads: int
    batch: int


def arrangements(cores: int) -> list[Arrangement]:
    return [
        Arrangement("fp32", cores, 1, 1),
        Arrangement("int8", 1, 1, 1),
        Arrangement("int8", 1, cores, 1),
        Arrangement("int8", 1, cores, 16),
        Arrangement("int8", cores, 1, 1),
        Arrangement("int8", cores, 1, 4),
        Arrangement("int8", cores, 1, 16),
    ]


def run(arrangement: Arrangement, seconds: float) -> float:
    """Embed for some seconds in this process; return tokens a second."""
    model = prepared.open_model(config.load())
    ids = tokens.Reading(model.tokenizer).ids(" ".join(TEXTS))
    rows = np.array([ids[start : start + LENGTH] for start in range(arrangement.batch)], np.int64)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arrangement.threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(
        str(model.checked(prepared.graph_file(arrangement.precision))),
        options,
        providers=["CPUExecutionProvider"],
    )
    session.run(None, {"ids": rows})
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        session.run(None, {"ids": rows})
        done += rows.size
    return done / (time.perf_counter() - start)


def together(arrangement: Arrangement, seconds: float) -> float:
    """Run the arrangement's processes at the same time and return their sum."""
    fields = (arrangement.precision, arrangement.threads, arrangement.batch)
    command = [sys.executable, str(Path(__file__).resolve()), "--one", *map(str, fields)]
    command += ["--seconds", str(seconds)]
    children = [
        subprocess.Popen(  # noqa: S603 - ourselves
            command, stdout=subprocess.PIPE, text=True
        )
        for _ in range(arrangement.processes)
    ]
    return sum(float(child.communicate()[0]) for child in children)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--one", nargs=3, metavar=("PRECISION", "THREADS", "BATCH"))
    given = parser.parse_args()
    if given.one:
        precision, threads, batch = given.one
        print(run(Arrangement(precision, 1, int(threads), int(batch)), given.seconds))
        return 0
    model = prepared.open_model(config.load())
    print("precision  processes x threads  texts at once  tokens/s")
    for item in arrangements(os.cpu_count() or 1):
        if prepared.graph_file(item.precision) in model.identity.files:
            speed = together(item, given.seconds)
            print(
                f"{item.precision:9}  {item.processes:9} x {item.threads:<7}"
                f"  {item.batch:13}  {speed:8.0f}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
