"""Write the bundled model's graphs and measure what rounding costs and gains on this machine.

How a graph is written and rounded is told in :mod:`rag.models.onnx_graph`; here is what decides
whether the rounded one is used.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

from rag.models import onnx_graph
from rag.models.onnx_embedder import OnnxEmbedder
from rag.models.probe import TEXTS
from rag.specialists import Embedding
from rag.types import Vectors

DIMENSION = onnx_graph.WIDTH
OPSET = onnx_graph.OPSET
VERSIONS = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}

LEAST_COSINE = 0.98
"""Mean cosine to the exact vectors that a rounded model must keep."""

LEAST_WORST = 0.95
"""The same for the worst text."""

LEAST_GAIN = 1.15
"""How many times faster the rounded model must be to be worth its inexactness."""

ROUNDS = 3
"""How often the speed is taken; the best counts, for other programs only make it slower."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How the rounded model compares to the exact one on this machine."""

    cosine: float
    worst: float
    gain: float

    @property
    def exact_enough(self) -> bool:
        """Whether the rounded model may be used at all."""
        return self.cosine >= LEAST_COSINE and self.worst >= LEAST_WORST

    @property
    def best(self) -> str:
        """The precision that serves this machine best."""
        return "int8" if self.exact_enough and self.gain >= LEAST_GAIN else "fp32"


def write_graphs(weights: Path, exact: Path, rounded: Path) -> None:
    """Write the exact graph and the rounded one from the model's weights."""
    tensors = load_file(weights)
    onnx.save(onnx_graph.build(tensors, rounded=False), exact)
    onnx.save(onnx_graph.build(tensors, rounded=True), rounded)


def measure(exact: Path, rounded: Path, tokenizer: Path) -> Measured:
    """Compare both graphs over real sentences."""
    recipe = Embedding("bundled", "auto", "", "", 256)
    reference, slow = _embed(OnnxEmbedder(exact, tokenizer, recipe))
    vectors, fast = _embed(OnnxEmbedder(rounded, tokenizer, recipe))
    cosines = np.sum(reference * vectors, axis=1)
    return Measured(float(cosines.mean()), float(cosines.min()), slow / fast)


def _embed(embedder: OnnxEmbedder) -> tuple[Vectors, float]:
    """Return the vectors of the probe's texts and the least processor time they took."""
    best = float("inf")
    for _ in range(ROUNDS):
        # Processor time, not the clock: set-up often shares the machine.
        start = time.process_time()
        vectors = embedder.embed(TEXTS)
        best = min(best, time.process_time() - start)
    return vectors, best
