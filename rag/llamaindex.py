"""A workspace as a LlamaIndex retriever, for programs that are built with that library.

    retriever = MunimentRetriever(assistant, "Matter 12", limit=8)
    engine = RetrieverQueryEngine.from_args(retriever, llm=...)

Nodes carry in their metadata the document, the page (None where the format has none), the offsets
of their text in that page, and the confidence of the search. It knows only the door: anything with
the ``search`` of :class:`rag.assistant.Assistant` will do, so that the same walls stand around it.
Nothing here touches LlamaIndex's global settings, whose defaults call a service on the internet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from rag.types import Found, Hit


class Searches(Protocol):
    """Something that searches a workspace: the assistant."""

    def search(
        self,
        workspace: str,
        question: str,
        *,
        documents: Sequence[str] | None = None,
        limit: int = 10,
    ) -> Found:
        """Return the best hits of a question, best first."""
        ...


class MunimentRetriever(BaseRetriever):
    """Retrieves from one workspace, or from some documents of it.

    Args:
        assistant: the door, :class:`rag.assistant.Assistant`.
        workspace: the name of the workspace.
        documents: names of documents to keep to, None for all.
        limit: how many nodes to return at most.
    """

    def __init__(
        self,
        assistant: Searches,
        workspace: str,
        *,
        documents: Sequence[str] | None = None,
        limit: int = 10,
    ) -> None:
        super().__init__()
        self._assistant = assistant
        self._workspace = workspace
        self._documents = documents
        self._limit = limit

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = self._assistant.search(
            self._workspace,
            query_bundle.query_str,
            documents=self._documents,
            limit=self._limit,
        )
        return [
            NodeWithScore(node=_node(hit, found.confidence), score=hit.score) for hit in found.hits
        ]


def _node(hit: Hit, confidence: float) -> TextNode:
    """Return a hit as a node; its id is the same whenever the same place is found."""
    metadata = {
        "document": hit.document,
        "page": hit.page,
        "start": hit.start,
        "end": hit.end,
        "score": hit.score,
        "confidence": confidence,
    }
    return TextNode(
        id_=f"{hit.version_id}:{hit.page_number}:{hit.start}-{hit.end}",
        text=hit.text,
        metadata=metadata,
        start_char_idx=hit.start,
        end_char_idx=hit.end,
        excluded_embed_metadata_keys=list(metadata),
        excluded_llm_metadata_keys=["start", "end", "score", "confidence"],
    )
