"""The embedding model, written as an ONNX graph straight from its weights.

all-MiniLM-L6-v2 is a BERT of six layers, 384 numbers wide. This file is the whole model: word
and position vectors are added and normalised; six times each token looks at all others (twelve
attention heads) and then passes a small two-layer network, each time added to what it was and
normalised again; the mean over all tokens, scaled to length one, is the text's embedding.

It takes one text at a time, or several of equal length: there is no padding and so no mask. That
is the fastest way on a processor, and a text's vector never depends on its neighbours.

Rounded, the weights of linear layers are whole numbers from -127 to 127 with a scale for each
output, and what is multiplied with them is rounded while running, to 256 steps between its least
and greatest value. All else stays as it is; the word vectors are kept in half precision.

Surprising: the rounded multiplications and the quick bend are operators of onnxruntime alone
(domain ``com.microsoft``), so the graph runs only there. Two of its fused operators are left out,
being slower than what they join: SkipLayerNormalization takes six times as long as an addition and
a normalisation, and QAttention a few hundredths longer than ONNX's own Attention. BERT's "token
type" vector is the same for every token of a single text, so it is added to the position vectors
here, once. Weights are stored (out, in) and multiplied from the right, so transposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

LAYERS = 6
HEADS = 12
WIDTH = 384
EPSILON = 1e-12
OPSET = 23
IR_VERSION = 11
RUNTIME = "com.microsoft"
STEPS = 127

Weights = Mapping[str, NDArray[Any]]


def build(weights: Weights, *, rounded: bool) -> ModelProto:
    """Return the model as a graph from ``ids`` (batch, length) to ``vector`` (batch, 384).

    ``weights`` are the tensors of the safetensors file, by their names there.
    """
    graph = _Graph(weights, rounded=rounded)
    hidden = graph.embeddings("ids")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        hidden = graph.attention(hidden, layer)
        hidden = graph.network(hidden, layer)
    graph.pooled(hidden, "vector")
    return graph.model()


class _Graph:
    """Collects nodes and constants; each method adds a part and returns its output's name."""

    def __init__(self, weights: Weights, *, rounded: bool) -> None:
        self.weights = weights
        self.rounded = rounded
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def embeddings(self, ids: str) -> str:
        """Add the first step: a vector for each word piece plus one for its position."""
        table = self.weights["embeddings.word_embeddings.weight"]
        if self.rounded:
            halves = self.constant("words", table.astype(np.float16))
            found = self.add("Gather", [halves, ids], "words.found")
            words = self.add("Cast", [found], "words.cast", to=TensorProto.FLOAT)
        else:
            words = self.add("Gather", [self.constant("words", table), ids], "words.found")
        types = self.weights["embeddings.token_type_embeddings.weight"]
        positions = self.weights["embeddings.position_embeddings.weight"] + types[0]
        zero = self.constant("zero", np.zeros(1, np.int64))
        length = self.add("Shape", [ids], "length", start=1, end=2)
        places = self.add(
            "Slice", [self.constant("positions", positions), zero, length, zero], "places"
        )
        return self.added(words, places, "embeddings.LayerNorm")

    def attention(self, hidden: str, layer: str) -> str:
        """Add a layer's first half: every token takes up what it needs from all the others."""
        source = f"{layer}.attention.self"
        parts = [f"{source}.{part}" for part in ("query", "key", "value")]
        if self.rounded:
            parts = self.rounded_once(hidden, parts, source)
        else:
            parts = [self.linear(hidden, part) for part in parts]
        seen = self.add("Attention", parts, source, q_num_heads=HEADS, kv_num_heads=HEADS)
        changed = self.linear(seen, f"{layer}.attention.output.dense")
        return self.added(hidden, changed, f"{layer}.attention.output.LayerNorm")

    def network(self, hidden: str, layer: str) -> str:
        """Add a layer's second half: each token by itself through a network 1,536 wide."""
        wide = self.linear(hidden, f"{layer}.intermediate.dense")
        # Rounded, the usual approximation of its bend is exact enough, and quicker.
        if self.rounded:
            active = self.add("FastGelu", [wide], f"{layer}.gelu", RUNTIME)
        else:
            active = self.add("Gelu", [wide], f"{layer}.gelu")
        changed = self.linear(active, f"{layer}.output.dense")
        return self.added(hidden, changed, f"{layer}.output.LayerNorm")

    def pooled(self, hidden: str, name: str) -> str:
        """Add the last step: the mean of all token vectors, scaled to length one."""
        axis = self.constant("tokens.axis", np.ones(1, np.int64))
        mean = self.add("ReduceMean", [hidden, axis], "mean", keepdims=0)
        return self.add("LpNormalization", [mean], name, axis=-1, p=2)

    def added(self, left: str, right: str, norm: str) -> str:
        """Add a sum and its normalisation."""
        both = self.add("Add", [left, right], f"{norm}.sum")
        scale = self.constant(f"{norm}.scale", self.weights[f"{norm}.weight"])
        shift = self.constant(f"{norm}.shift", self.weights[f"{norm}.bias"])
        return self.add("LayerNormalization", [both, scale, shift], norm, axis=-1, epsilon=EPSILON)

    def linear(self, hidden: str, name: str) -> str:
        """Add a linear layer: a multiplication with its weight and an addition of its bias."""
        weight = self.weights[f"{name}.weight"].T
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        if not self.rounded:
            product = self.add(
                "MatMul", [hidden, self.constant(f"{name}.weight", weight)], f"{name}.product"
            )
            return self.add("Add", [product, bias], name)
        inputs = [hidden, *self.whole(weight, name), bias]
        return self.add("DynamicQuantizeMatMul", inputs, name, RUNTIME)

    def rounded_once(self, hidden: str, names: Sequence[str], source: str) -> list[str]:
        """Add linear layers of one input, which is rounded only once for all of them."""
        steps, step, offset = (f"{source}.{part}" for part in ("steps", "step", "offset"))
        self.add_node("DynamicQuantizeLinear", [hidden], [steps, step, offset])
        outputs = []
        for name in names:
            whole, scale, zero = self.whole(self.weights[f"{name}.weight"].T, name)
            bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
            inputs = [steps, whole, step, scale, offset, zero, bias]
            outputs.append(self.add("MatMulIntegerToFloat", inputs, name, RUNTIME))
        return outputs

    def whole(self, weight: NDArray[Any], name: str) -> tuple[str, str, str]:
        """Add a weight as whole numbers; return their name, their scales' and their zeros'."""
        whole, scale = rounded_weight(weight)
        return (
            self.constant(f"{name}.weight", whole),
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero", np.zeros_like(scale, np.int8)),
        )

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant tensor."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        output: str,
        domain: str = "",
        **attributes: float,
    ) -> str:
        """Add a node with one output and return that."""
        self.add_node(operator, inputs, [output], domain, **attributes)
        return output

    def add_node(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str = "",
        **attributes: float,
    ) -> None:
        """Add a node; it is called like its first output."""
        node = helper.make_node(operator, inputs, outputs, outputs[0], None, domain, **attributes)  # type: ignore[arg-type]
        self.nodes.append(node)

    def model(self) -> ModelProto:
        """Return everything added as one model."""
        ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])
        vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", WIDTH])
        return helper.make_model(
            helper.make_graph(self.nodes, "all-MiniLM-L6-v2", [ids], [vector], self.constants),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)],
            ir_version=IR_VERSION,
        )


def rounded_weight(weight: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a weight (in, out) as whole numbers and the scale of each output.

    ``whole * scale`` is the weight to within half a scale. One scale for all outputs would lose
    far more: a mean cosine of 0.955 to the exact vectors instead of 0.994.
    """
    scale = np.abs(weight).max(axis=0) / STEPS
    scale = np.where(scale == 0, 1, scale).astype(np.float32)
    return np.rint(weight / scale).astype(np.int8), scale
