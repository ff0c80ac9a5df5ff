"""How long a search takes with 50,000 passages, beside what a user would do without us.

``python bench/search.py [--documents FOLDER] [--questions FILE] [--passages N] [--limit N]`` cuts
and embeds the passages of real PDFs once (20 quarterly reports), then writes them under new names
and years until there are N: each copy's figures are changed and its vectors turned a little at
random (a cosine of about 0.98 to the original), so that no two documents are the same. The real
questions over these reports are then asked, each once after a warming-up, by our search (routing,
keywords, vectors, neighbours, confidence) and by a plain query of the same collection in Chroma,
the question embedded in both. Printed are p50 and p95 in milliseconds, their ratio, and memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

CHECKOUT = Path(__file__).resolve().parent.parent
# Run as a script, this file's own folder comes first; the packages lie one above.
sys.path[0] = str(CHECKOUT)

from ingest import sandbox  # noqa: E402
from ingest.chunk import passages as cut  # noqa: E402
from rag import config, specialists  # noqa: E402
from rag.access import scope  # noqa: E402
from rag.models.embed import EmbedderPool, open_embedder, open_tokens  # noqa: E402
from rag.search.retrieve import Retriever  # noqa: E402
from rag.search.vectors import VectorStore  # noqa: E402
from rag.store.catalogue import Catalogue  # noqa: E402
from rag.store.database import open_database  # noqa: E402
from rag.store.passages import Passages  # noqa: E402
from rag.types import Page, Passage, Query, Vectors, Workspace  # noqa: E402

EVALS = CHECKOUT.parent / "shared" / "evals" / "sec-10q"
TURN = 0.2
SEED = 7


class Original:
    """One real document, cut and embedded."""

    def __init__(self, path: Path, pages: list[Page], passages: list[Passage]) -> None:
        self.path = path
        self.pages = pages
        self.passages = passages
        self.vectors: Vectors = np.zeros((0, 0), np.float32)


def originals(
    paths: Sequence[Path], settings: config.Settings, recipe: specialists.IndexRecipe
) -> list[Original]:
    """Read, cut and embed the real documents."""
    tokens = open_tokens(recipe, settings)
    found = []
    for path in paths:
        parsed = sandbox.read_document(path, path.name, settings, lambda *_: None, lambda: False)
        found.append(Original(path, parsed.pages, cut(parsed.pages, tokens, recipe)))
    with EmbedderPool(recipe, settings) as pool:
        for original in found:
            texts = [f"{p.heading}\n{p.text}".strip() for p in original.passages]
            original.vectors = pool.embed(texts)
    return found


def copies(found: Sequence[Original], wanted: int) -> Iterator[tuple[str, Original]]:
    """Yield the originals, then changed copies of them, until there are enough passages."""
    chance, numbers = random.Random(SEED), np.random.default_rng(SEED)  # noqa: S311
    count, turn = 0, 0
    while count < wanted:
        for original in found:
            copy = original if turn == 0 else _changed(original, chance, numbers)
            yield f"{turn:02d} {original.path.name}" if turn else original.path.name, copy
            count += len(copy.passages)
            if count >= wanted:
                return
        turn += 1


def _changed(original: Original, chance: random.Random, numbers: np.random.Generator) -> Original:
    def other(match: re.Match[str]) -> str:
        return "".join(chance.choice("123456789") for _ in match.group())

    pages = [replace(p, text=re.sub(r"\d", other, p.text), boxes=()) for p in original.pages]
    texts = {page.number: page.text for page in pages}
    passages = [replace(p, text=texts[p.page][p.start : p.end]) for p in original.passages]
    changed = Original(original.path, pages, passages)
    noise = numbers.standard_normal(original.vectors.shape).astype(np.float32)
    noise *= TURN / np.sqrt(original.vectors.shape[1])
    turned = original.vectors + noise
    changed.vectors = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return changed


def fill(
    catalogue: Catalogue,
    passages: Passages,
    vectors: VectorStore,
    workspace: Workspace,
    recipe_hash: str,
    documents: Iterator[tuple[str, Original]],
) -> int:
    """Write documents as ingest does, and return how many passages there are."""
    count = 0
    for name, document in documents:
        digest = hashlib.sha256(name.encode()).hexdigest()
        uploaded = catalogue.add_upload(workspace.id, name, digest, 1, "application/pdf")
        version = uploaded.document.newest.id
        catalogue.set_parsed(version, "", True, len(document.pages), "application/pdf")
        passages.write_parsed(version, document.pages, document.passages)
        ids = [stored.id for stored in passages.passages(version)]
        vectors.upsert(workspace.id, ids, document.vectors)
        passages.write_embeddings(recipe_hash, ids, document.vectors)
        catalogue.mark_ready(version)
        count += len(ids)
    return count


def timed(ask: Callable[[str], object], questions: Sequence[str]) -> list[float]:
    """Return the milliseconds of each question, after three that do not count."""
    for question in questions[:3]:
        ask(question)
    found = []
    for question in questions:
        began = time.perf_counter()
        ask(question)
        found.append((time.perf_counter() - began) * 1000)
    return found


def main() -> None:
    """Fill an archive, ask it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, default=EVALS / "documents")
    parser.add_argument("--questions", type=Path, default=EVALS / "questions.jsonl")
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--limit", type=int, default=0, help="use only so many documents")
    given = parser.parse_args()
    paths = sorted(given.documents.glob("*.pdf"))[: given.limit or None]
    lines = given.questions.read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line)["question"] for line in lines]
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), paths, questions, given.passages)


def measure(folder: Path, paths: Sequence[Path], questions: Sequence[str], wanted: int) -> None:
    """Measure in an empty folder."""
    settings = config.load({}, data=folder)
    recipe = specialists.read(settings.recipe, specialists.IndexRecipe)
    specialist = specialists.read(settings.specialist, specialists.Specialist)
    read = originals(paths, settings, recipe)
    sandbox.close()
    database = open_database(folder)
    catalogue, passages = Catalogue(database), Passages(database)
    vectors = VectorStore(folder / "vectors")
    workspace = catalogue.create_workspace("bench")
    count = fill(catalogue, passages, vectors, workspace, recipe.hash, copies(read, wanted))
    del read
    embedder = open_embedder(recipe, settings)
    retriever = Retriever(passages, vectors, embedder, specialist.retrieval, recipe.hash)
    everything = scope(workspace, None)
    ours = timed(lambda text: retriever.search(Query(text, everything), 10), questions)
    plain = timed(
        lambda text: vectors.query(workspace.id, embedder.embed([text], question=True)[0], 10),
        questions,
    )
    alone = timed(lambda text: embedder.embed([text], question=True), questions)
    show(count, len(catalogue.documents(workspace.id)), ours, plain, alone)
    vectors.close()
    database.close()


def show(
    count: int, documents: int, ours: list[float], plain: list[float], alone: list[float]
) -> None:
    """Print the table."""
    print(f"{count:,} passages in {documents} documents, {len(ours)} questions")
    print(f"{'milliseconds':34s}{'p50':>8s}{'p95':>8s}")
    for name, found in (
        ("our search", ours),
        ("plain Chroma query (dense only)", plain),
        ("of both: embedding the question", alone),
    ):
        print(f"{name:34s}{np.percentile(found, 50):8.1f}{np.percentile(found, 95):8.1f}")
    print(f"ratio of the medians: {np.median(ours) / np.median(plain):.1f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process, filling included: {peak:,.0f} MB")


if __name__ == "__main__":
    main()
