"""Counting a text in the embedding model's own tokens, with each token's place in the text.

A model reads a limited number of tokens and ignores the rest in silence; whoever cuts passages
must therefore count as the model does. Spans are character offsets of the text as given, in order;
the tokens a model adds by itself (start, end) are left out. Characters that the model's normaliser
drops (control characters, some accents on their own) belong to no token; a character that it takes
apart (a Korean syllable) may belong to several, whose spans then overlap.

Surprising: words that stand for a model's own marks, such as ``[SEP]``, are read as plain text
here, so that a document cannot steer the model with them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

from tokenizers import Encoding, Tokenizer

from rag.config import Settings
from rag.errors import BadSetting
from rag.models import prepared
from rag.specialists import Embedding, IndexRecipe

MARKS = 2
"""Tokens a model adds around a text: a start and an end."""

BUNDLED = "bundled"
"""The recipe's word for the model that comes with Muniment."""


class Tokens(Protocol):
    """Counts in an embedder's tokens. ``limit`` is the room for one text, marks taken off."""

    @property
    def limit(self) -> int:
        """The most tokens a text may have so that all of it is embedded."""
        ...

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the character span of each token of ``text``."""
        ...


class FakeTokens:
    """Words and single marks of punctuation as tokens: deterministic, and needs no model."""

    def __init__(self, limit: int = 254) -> None:
        self.limit = limit

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the span of each word and each mark of punctuation."""
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


class ModelTokens:
    """The tokens of a model, from its ``tokenizer.json``."""

    def __init__(self, path: Path, embedding: Embedding) -> None:
        self.tokenizer = read_tokenizer(path)
        prompt = self.count(embedding.passage_prompt)
        self.limit = embedding.max_tokens - MARKS - prompt

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the character span of each token; empty ones are left out."""
        spans: list[tuple[int, int]] = encode(self.tokenizer, text, marks=False).offsets
        return [span for span in spans if span[0] < span[1]]

    def count(self, text: str) -> int:
        """Return how many tokens the text has, marks left out."""
        return len(encode(self.tokenizer, text, marks=False).ids) if text else 0


def open_tokens(recipe: IndexRecipe, settings: Settings) -> Tokens:
    """Return the tokens of the recipe's embedding model.

    Raises:
        ModelMissing: the bundled model was not prepared.
        BadSetting: the recipe's model folder lacks a ``tokenizer.json``.
    """
    embedding = recipe.embedding
    if embedding.model == BUNDLED:
        return ModelTokens(prepared.open_model(settings).tokenizer, embedding)
    path = Path(embedding.model).expanduser() / "tokenizer.json"
    if not path.is_file():
        raise BadSetting(
            f"The embedding model's folder {path.parent} has no tokenizer.json.",
            "Name a sentence-transformers folder that has one, or “bundled”, in the index recipe.",
        )
    return ModelTokens(path, embedding)


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer of a ``tokenizer.json``, without its own cutting and padding."""
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def encode(tokenizer: Tokenizer, text: str, *, marks: bool = True) -> Encoding:
    """Return a text's tokens; half a character (a lone surrogate) is read as a question mark."""
    try:
        return tokenizer.encode(text, add_special_tokens=marks)
    except (TypeError, UnicodeEncodeError):  # which of them depends on the version
        whole = text.encode("utf-8", "replace").decode("utf-8")
        return tokenizer.encode(whole, add_special_tokens=marks)
