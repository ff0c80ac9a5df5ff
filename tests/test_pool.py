"""The embedder pool: order, repetition, dying children, and that nothing is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag import config, specialists
from rag.config import Settings
from rag.errors import ModelBroke, ModelMissing, ModelOverflow
from rag.models.embed import EmbedderPool, open_embedder
from rag.specialists import IndexRecipe

RECIPE = specialists.read(config.load({}).recipe, IndexRecipe)
TEXTS = [f"Clause {number}: the tenant pays {number * 7} dollars." for number in range(70)]
LONG = ["The tenant keeps the premises in good repair and pays for what breaks. " * 14]

PARENT = """
import time
from rag import config, specialists
from rag.models.embed import EmbedderPool
settings = config.load({})
pool = EmbedderPool(specialists.read(settings.recipe, specialists.IndexRecipe), settings)
pool.embed(["one text"])
print(*pool.pids, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbedderPool]:
    with EmbedderPool(RECIPE, replace(config.load({}), embed_processes=2)) as pool:
        yield pool


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(met: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not met() and time.monotonic() < end:
        time.sleep(0.02)
    return met()


def test_vectors_come_in_order_and_equal_those_of_this_process(
    shared: EmbedderPool, settings: Settings
) -> None:
    texts = [*TEXTS, TEXTS[3], "", TEXTS[3]]
    expected = open_embedder(RECIPE, settings).embed(texts)
    np.testing.assert_array_equal(shared.embed(texts), expected)
    np.testing.assert_array_equal(shared.embed(texts), expected)  # now out of memory
    assert len(shared.pids) == 2


def test_line_breaks_make_no_difference(shared: EmbedderPool, settings: Settings) -> None:
    wrapped = ["one\ntwo  three\t4", "one two\r\nthree 4\n", " a\x00b \x0b\u2003c\n\n", "a\nb"]
    expected = open_embedder(RECIPE, settings).embed(wrapped)
    np.testing.assert_array_equal(shared.embed(wrapped), expected)
    np.testing.assert_array_equal(expected[0], expected[1])


def test_batches_name_every_position_once(shared: EmbedderPool) -> None:
    texts = [f"{text} anew" for text in TEXTS] * 2
    rows: list[int] = []
    for places, vectors in shared.embed_batches(texts):
        assert len(places) == len(vectors)
        rows += places
    assert sorted(rows) == list(range(len(texts)))


def test_nothing_to_embed_starts_nothing(settings: Settings) -> None:
    with EmbedderPool(RECIPE, settings) as pool:
        assert len(pool.embed([])) == 0
        assert list(pool.embed_batches([])) == []
        assert pool.pids == []


def test_an_error_in_a_child_arrives_whole(shared: EmbedderPool) -> None:
    with pytest.raises(ModelOverflow, match="report it"):
        shared.embed(["word " * 300])
    assert len(shared.embed(["still at work"])) == 1


def test_leaving_early_drops_the_rest(shared: EmbedderPool) -> None:
    texts = [f"{text} {number}" for number in range(12) for text in TEXTS]
    batches = shared.embed_batches(texts)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    start = time.monotonic()
    shared.embed(["after that"])
    assert time.monotonic() - start < 60


def test_several_threads_may_use_one(shared: EmbedderPool, settings: Settings) -> None:
    embedder = open_embedder(RECIPE, settings)
    wrong: list[int] = []

    def use(number: int) -> None:
        texts = [f"{text} by {number}" for text in TEXTS[:20]]
        if not np.array_equal(shared.embed(texts), embedder.embed(texts)):
            wrong.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_killed_child_is_replaced_and_its_batch_given_again(settings: Settings) -> None:
    texts = [f"{text} {number}" for number in range(8) for text in TEXTS]
    with EmbedderPool(RECIPE, replace(settings, embed_processes=1)) as pool:
        batches = pool.embed_batches(texts)
        rows = list(next(batches)[0])
        (first,) = pool.pids
        os.kill(first, signal.SIGKILL)
        for places, _ in batches:
            rows += places
        assert sorted(rows) == list(range(len(texts)))
        assert pool.pids != [first]
        (second,) = pool.pids
        os.kill(second, signal.SIGKILL)  # while it waits for work
        assert len(pool.embed(["and on it goes"])) == 1


def test_a_batch_that_kills_every_child_is_given_up(settings: Settings) -> None:
    ending = threading.Event()
    with EmbedderPool(RECIPE, replace(settings, embed_processes=1)) as pool:

        def kill() -> None:
            while not ending.wait(0.005):
                for pid in pool.pids:
                    os.kill(pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            with pytest.raises(ModelBroke, match="several times"):
                pool.embed(LONG)
        finally:
            ending.set()
            killer.join()


def test_idle_children_end_and_come_back(settings: Settings) -> None:
    with EmbedderPool(RECIPE, settings, idle_seconds=0.3) as pool:
        before = pool.embed(TEXTS[:3])
        assert wait_until(lambda: pool.pids == [])
        np.testing.assert_array_equal(pool.embed(TEXTS[:3]), before)


def test_closing_ends_the_children_and_says_so_after(settings: Settings) -> None:
    pool = EmbedderPool(RECIPE, settings)
    batches = pool.embed_batches([f"{text} {n}" for n in range(8) for text in TEXTS])
    next(batches)
    pids = pool.pids
    assert pids
    pool.close()
    assert wait_until(lambda: not any(alive(pid) for pid in pids))
    with pytest.raises(ModelBroke, match="closed"):
        list(batches)
    with pytest.raises(ModelBroke, match="closed"):
        pool.embed(["more"])
    pool.close()


def test_a_missing_model_is_told_by_the_child(settings: Settings, tmp_path: Path) -> None:
    pool = EmbedderPool(RECIPE, replace(settings, models=tmp_path))
    with pool, pytest.raises(ModelMissing, match="prepare"):
        pool.embed(["text"])


def test_questions_are_not_for_the_pool(shared: EmbedderPool) -> None:
    with pytest.raises(ValueError, match="open_embedder"):
        shared.embed(["who?"], question=True)


def test_children_end_when_their_parent_is_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, cwd=config.CHECKOUT
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert pids
        assert all(alive(pid) for pid in pids)
        parent.kill()
        assert wait_until(lambda: not any(alive(pid) for pid in pids))
