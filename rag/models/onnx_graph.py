"""The embedding model, written as an ONNX graph straight from its weights.

all-MiniLM-L6-v2 is a BERT of six layers, 384 numbers wide. This file is the whole model: word
and position vectors are added and normalised; six times each token looks at all others (twelve
attention heads) and then passes a small two-layer network, each time added to what it was and
normalised again; the mean over all tokens, scaled to length one, is the text's embedding.

It takes one text at a time, or several of equal length: there is no padding and so no mask. That
is the fastest way on a processor, and a text's vector never depends on its neighbours.

Surprising: where ONNX has no operator that does a step in one go, one of onnxruntime's own is used
(domain ``com.microsoft``): the graph runs there only. BERT's "token type" vector is the same for
every token of a single text, so it is added to the position vectors here, once. Weights of a
linear layer are stored (out, in) and multiplied from the right, so they are transposed.
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
OPSET = 21
IR_VERSION = 10
RUNTIME = "com.microsoft"

Weights = Mapping[str, NDArray[Any]]


def build(weights: Weights) -> ModelProto:
    """Return the model as a graph from ``ids`` (batch, length) to ``vector`` (batch, 384).

    ``weights`` are the tensors of the safetensors file, by their names there.
    """
    graph = _Graph(weights)
    hidden = graph.embeddings("ids")
    for number in range(LAYERS):
        hidden = graph.attention(hidden, number)
        hidden = graph.network(hidden, number)
    graph.pooled(hidden, "vector")
    return graph.model()


class _Graph:
    """Collects nodes and constants; each method adds a part and returns its output's name."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def embeddings(self, ids: str) -> str:
        """Add the first step: a vector for each word piece plus one for its position."""
        types = self.weights["embeddings.token_type_embeddings.weight"]
        positions = self.weights["embeddings.position_embeddings.weight"] + types[0]
        table = self.constant("words", self.weights["embeddings.word_embeddings.weight"])
        words = self.add("Gather", [table, ids], "embeddings.words")
        length = self.add("Shape", [ids], "length", start=1, end=2)
        zero = self.constant("zero", np.zeros(1, np.int64))
        table = self.constant("positions", positions)
        places = self.add("Slice", [table, zero, length, zero], "embeddings.positions")
        both = self.add("Add", [words, places], "embeddings.sum")
        scale, shift = self.norm("embeddings.LayerNorm")
        return self.add(
            "LayerNormalization", [both, scale, shift], "embeddings", axis=-1, epsilon=EPSILON
        )

    def attention(self, hidden: str, layer: int) -> str:
        """Add a layer's first half: every token takes up what it needs from all the others."""
        source = f"encoder.layer.{layer}.attention."
        name = f"layer{layer}.attention"
        # Query, key and value in one multiplication, so that its input is quantized only once.
        parts = [f"{source}self.{part}." for part in ("query", "key", "value")]
        weight = np.concatenate([self.weights[part + "weight"] for part in parts])
        bias = np.concatenate([self.weights[part + "bias"] for part in parts])
        three = self.add(
            "Add",
            [self.multiply(hidden, weight, f"{name}.qkv"), self.constant(f"{name}.b", bias)],
            f"{name}.three",
        )
        query, key, value = (f"{name}.{part}" for part in ("query", "key", "value"))
        self.add_many("Split", [three], [query, key, value], axis=2, num_outputs=3)
        seen = self.add(
            "MultiHeadAttention", [query, key, value], f"{name}.seen", RUNTIME, num_heads=HEADS
        )
        return self.residual(seen, hidden, f"{source}output", f"{name}.out")

    def network(self, hidden: str, layer: int) -> str:
        """Add a layer's second half: each token by itself through a network 1,536 wide."""
        source = f"encoder.layer.{layer}."
        name = f"layer{layer}.network"
        wide = self.multiply(hidden, self.weights[f"{source}intermediate.dense.weight"], name)
        bias = self.constant(f"{name}.b", self.weights[f"{source}intermediate.dense.bias"])
        active = self.add("BiasGelu", [wide, bias], f"{name}.gelu", RUNTIME)
        return self.residual(active, hidden, f"{source}output", f"{name}.out")

    def residual(self, changed: str, hidden: str, source: str, name: str) -> str:
        """Add a linear layer, what the tokens were before, and a normalisation, in one node."""
        narrow = self.multiply(changed, self.weights[f"{source}.dense.weight"], f"{name}.dense")
        bias = self.constant(f"{name}.dense.b", self.weights[f"{source}.dense.bias"])
        scale, shift = self.norm(f"{source}.LayerNorm")
        return self.add(
            "SkipLayerNormalization",
            [narrow, hidden, scale, shift, bias],
            name,
            RUNTIME,
            epsilon=EPSILON,
        )

    def pooled(self, hidden: str, name: str) -> str:
        """Add the last step: the mean of all token vectors, scaled to length one."""
        axis = self.constant("tokens.axis", np.ones(1, np.int64))
        mean = self.add("ReduceMean", [hidden, axis], "mean", keepdims=0)
        return self.add("LpNormalization", [mean], name, axis=-1, p=2)

    def norm(self, source: str) -> tuple[str, str]:
        """Return the names of a normalisation's scale and shift, adding both as constants."""
        scale = self.constant(f"{source}.scale", self.weights[f"{source}.weight"])
        return scale, self.constant(f"{source}.shift", self.weights[f"{source}.bias"])

    def multiply(self, left: str, weight: NDArray[Any], name: str) -> str:
        """Add a multiplication with a linear layer's weight, stored (out, in)."""
        return self.add("MatMul", [left, self.constant(f"{name}.w", weight.T)], f"{name}.product")

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
        **attributes: object,
    ) -> str:
        """Add a node with one output; the output's name is the node's."""
        self.add_many(operator, inputs, [output], domain, **attributes)
        return output

    def add_many(
        self,
        operator: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        domain: str = "",
        **attributes: object,
    ) -> None:
        """Add a node with any number of outputs."""
        self.nodes.append(
            helper.make_node(
                operator, inputs, outputs, name=outputs[0], domain=domain, **attributes
            )
        )

    def model(self) -> ModelProto:
        """Return everything added as one model."""
        ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])
        vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", WIDTH])
        return helper.make_model(
            helper.make_graph(self.nodes, "all-MiniLM-L6-v2", [ids], [vector], self.constants),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)],
            ir_version=IR_VERSION,
        )
