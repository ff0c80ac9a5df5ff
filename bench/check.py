"""Fit the weights of checking and print the figures, by cross-validation.

``python bench/check.py FOLDER...`` reads ``claims.jsonl`` of each folder (rows of ``id``, ``claim``,
``sources``, ``label``, ``group``), takes the evidence of every claim and fits one logistic formula
for all. Claims of one text stay together in a fold. The first folder weighs twice as much as all
the others together, since its claims are written freely; the groups of the others weigh alike. It
prints the areas under the curve left out and fitted, and the lines for the specialist's
``[checking]`` table, the base moved so that 0.5 parts the supported claims best. It writes nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rag.answer.evidence import weigh
from rag.answer.lines import Lines, statements

FIGURES = ("cover", "names", "numbers", "negation", "opposites", "absolutes")
FOLDS = 5
REPEATS = 10
RIDGE = 2.0
PSEUDO_CLAIMS = 700.0
FIRST_FOLDER_WEIGHT = 2.0

Array = NDArray[np.float64]


class Claims(NamedTuple):
    """The claims of all sets: figures of the worst sentence, truth, weight, group, text."""

    figures: Array
    supported: Array
    weight: Array
    group: NDArray[np.str_]
    text: NDArray[np.int64]


def main(folders: list[str]) -> None:
    """Fit, print."""
    claims = _read([Path(folder) for folder in folders])
    left_out = np.mean([_left_out(claims, seed) for seed in range(REPEATS)], axis=0)
    weights = _fit(claims, np.ones(len(claims.supported), dtype=bool))
    fitted = _areas(_logits(claims.figures, weights), claims)
    for group, one, two in zip(_groups(claims), left_out, fitted, strict=True):
        print(f"support_auc {group}: left out {one:.3f}, fitted {two:.3f}")
    weights[-1] -= _threshold(_logits(claims.figures, weights), claims)
    for name, value in zip((*FIGURES, "base"), weights, strict=True):
        print(f"{name} = {value:.2f}")


def _read(folders: list[Path]) -> Claims:
    rows: list[dict[str, Any]] = []
    weights: list[float] = []
    for place, folder in enumerate(folders):
        lines = (folder / "claims.jsonl").read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        sizes = {g: sum(r["group"] == g for r in found) for g in {r["group"] for r in found}}
        share = FIRST_FOLDER_WEIGHT if place == 0 else 1 / max(1, len(folders) - 1)
        weights += [share / len(sizes) / sizes[row["group"]] for row in found]
        rows += found
    weight = np.array(weights)
    numbers: dict[str, int] = {}
    texts = [numbers.setdefault(" ".join(row["sources"])[:300], len(numbers)) for row in rows]
    return Claims(
        np.array([_figures(row["claim"], row["sources"]) for row in rows]),
        np.array([float(row["label"] == "supported") for row in rows]),
        weight * PSEUDO_CLAIMS / weight.sum(),
        np.array([row["group"] for row in rows]),
        np.array(texts),
    )


def _figures(claim: str, sources: list[str]) -> list[float]:
    lines = Lines(sources)
    found = [weigh(sentence, lines) for sentence in statements([claim])]
    worst = [min(item.cover for item in found)]
    return worst + [max(getattr(item, name) for item in found) for name in FIGURES[1:]]


def _fit(claims: Claims, chosen: NDArray[np.bool_]) -> Array:
    """Return the weights and, last, the base: ridge-penalised logistic regression by Newton."""
    figures, truth, weight = (part[chosen] for part in claims[:3])
    middle, spread = figures.mean(axis=0), figures.std(axis=0) + 1e-9
    design = np.c_[(figures - middle) / spread, np.ones(len(figures))]
    penalty = np.diag([RIDGE] * len(FIGURES) + [1e-6])
    found = np.zeros(design.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-design @ found))
        slope = design.T @ (weight * (chance - truth)) + penalty @ found
        curve = (design * (weight * chance * (1 - chance))[:, None]).T @ design + penalty
        found -= np.linalg.solve(curve, slope)
    scaled = found[:-1] / spread
    return np.append(scaled, found[-1] - scaled @ middle)


def _logits(figures: Array, weights: Array) -> Array:
    return np.asarray(figures @ weights[:-1] + weights[-1], dtype=np.float64)


def _threshold(support: Array, claims: Claims) -> float:
    """Return the logit that parts the supported best; the base takes it up, so that 0.5 does."""
    recalls = []
    for limit in np.linspace(-3, 3, 121):
        right = ((support >= limit) == (claims.supported == 1)) * claims.weight
        sides = [right[claims.supported == side].sum() for side in (0, 1)]
        totals = [claims.weight[claims.supported == side].sum() for side in (0, 1)]
        recalls.append((sum(a / b for a, b in zip(sides, totals, strict=True)), float(limit)))
    return max(recalls)[1]


def _left_out(claims: Claims, seed: int) -> list[float]:
    texts = np.unique(claims.text)
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(texts))[claims.text]
    support = np.zeros(len(fold))
    for number in range(FOLDS):
        weights = _fit(claims, fold != number)
        support[fold == number] = _logits(claims.figures[fold == number], weights)
    return _areas(support, claims)


def _groups(claims: Claims) -> list[str]:
    return [str(group) for group in dict.fromkeys(claims.group)]


def _areas(support: Array, claims: Claims) -> list[float]:
    """Return for each group the area under the curve: chance that a supported claim ranks first."""
    found = []
    for group in _groups(claims):
        inside = claims.group == group
        right = support[inside & (claims.supported == 1)][:, None]
        wrong = support[inside & (claims.supported == 0)][None, :]
        found.append(float(((right > wrong) + 0.5 * (right == wrong)).mean()))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
