"""Counting a text in the embedding model's own tokens, with each token's place in the text.

A model reads a limited number of tokens and ignores the rest in silence; whoever cuts passages
must therefore count as the model does. Spans are character offsets of the text as given, in order;
the tokens a model adds by itself (start, end) are left out. Characters that the model's normaliser
drops (control characters, some accents on their own) belong to no token; a character that it takes
apart (a Korean syllable) may belong to several, whose spans then overlap.

A model like BERT reads each word by itself, and a few thousand words make up most of any text; so
what a word's tokens are is kept, which is twice as fast. Models that look across spaces are given
the whole text.

Surprising: words that stand for a model's own marks, such as ``[SEP]``, are read as plain text
here, so that a document cannot steer the model with them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from rag.config import Settings
from rag.errors import BadSetting
from rag.models import prepared
from rag.specialists import Embedding, IndexRecipe

MARKS = 2
"""Tokens a model adds around a text: a start and an end."""

_KNOWN_WORDS = 8_192
_LONGEST_KNOWN = 40
_WORD = re.compile(r"[^ \n\t\xa0]+")
"""What stands between white space that every such model takes for white space."""

_Pieces = tuple[list[int], list[tuple[int, int]]]

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


class Reading:
    """Reads texts as a model does, from its ``tokenizer.json``. Safe in threads."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = read_tokenizer(path)
        self.word_by_word = _is_word_by_word(self.tokenizer)
        self._known = lru_cache(maxsize=_KNOWN_WORDS)(self._read)
        marks = encode(self.tokenizer, "").ids
        self._first, self._last = marks[:1], marks[1:]

    def ids(self, text: str) -> list[int]:
        """Return the tokens' numbers, with the model's own marks around them."""
        if not self.word_by_word:
            return list(encode(self.tokenizer, text).ids)
        found = list(self._first)
        for match in _WORD.finditer(text):
            found += self._word(match.group())[0]
        return found + self._last

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return the character span of each token, marks and empty ones left out."""
        if not self.word_by_word:
            return self._read(text)[1]
        found = []
        for match in _WORD.finditer(text):
            at = match.start()
            for start, end in self._word(match.group())[1]:
                found.append((at + start, at + end))
        return found

    def _word(self, word: str) -> _Pieces:
        return self._known(word) if len(word) <= _LONGEST_KNOWN else self._read(word)

    def _read(self, text: str) -> _Pieces:
        read = encode(self.tokenizer, text, marks=False)
        return read.ids, [span for span in read.offsets if span[0] < span[1]]


class ModelTokens:
    """The tokens of an embedding model."""

    def __init__(self, path: Path, embedding: Embedding) -> None:
        self._reading = Reading(path)
        self.spans = self._reading.spans
        prompt = embedding.passage_prompt
        taken = len(self._reading.ids(prompt)) - MARKS if prompt else 0
        self.limit = embedding.max_tokens - MARKS - taken


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


def _is_word_by_word(tokenizer: Tokenizer) -> bool:
    kinds = (BertNormalizer, BertPreTokenizer, WordPiece)
    parts = (tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.model)
    bert = all(isinstance(part, kind) for part, kind in zip(parts, kinds, strict=True))
    return bert and len(encode(tokenizer, "").ids) == MARKS


def encode(tokenizer: Tokenizer, text: str, *, marks: bool = True) -> Encoding:
    """Return a text's tokens; half a character (a lone surrogate) is read as a question mark."""
    try:
        return tokenizer.encode(text, add_special_tokens=marks)
    except (TypeError, UnicodeEncodeError):  # which of them depends on the version
        whole = text.encode("utf-8", "replace").decode("utf-8")
        return tokenizer.encode(whole, add_special_tokens=marks)
