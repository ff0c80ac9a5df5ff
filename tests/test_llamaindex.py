"""A workspace under LlamaIndex's own query engine, offline and without its defaults."""

from __future__ import annotations

import asyncio

from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.schema import MetadataMode

from ingest.engine import Engine
from rag.llamaindex import MunimentRetriever

QUESTION = "How much notice must the tenant give?"


def test_nodes_carry_where_they_stand(samples: Engine) -> None:
    found = samples.assistant.search("Samples", QUESTION, limit=4)
    nodes = MunimentRetriever(samples.assistant, "Samples", limit=4).retrieve(QUESTION)
    assert len(nodes) == len(found.hits) == 4
    for node, hit in zip(nodes, found.hits, strict=True):
        assert node.score == hit.score
        assert node.text == hit.text
        assert node.metadata["document"] == hit.document
        assert node.metadata["page"] == hit.page
        assert (node.metadata["start"], node.metadata["end"]) == (hit.start, hit.end)
    assert len({node.node_id for node in nodes}) == 4
    shown = nodes[0].node.get_content(MetadataMode.LLM)
    assert found.hits[0].document in shown
    assert "confidence" not in shown


def test_documents_and_limit_are_kept_to(samples: Engine) -> None:
    names = ["School Handbook 2024-25.pdf"]
    retriever = MunimentRetriever(samples.assistant, "Samples", documents=names, limit=2)
    nodes = retriever.retrieve(QUESTION)
    assert {node.metadata["document"] for node in nodes} == set(names)
    assert len(nodes) <= 2


def test_it_may_be_awaited(samples: Engine) -> None:
    retriever = MunimentRetriever(samples.assistant, "Samples", limit=1)
    assert asyncio.run(retriever.aretrieve(QUESTION)) == retriever.retrieve(QUESTION)


def test_llamaindex_answers_from_our_passages(samples: Engine) -> None:
    speaker = MockLLM()
    engine = RetrieverQueryEngine(
        MunimentRetriever(samples.assistant, "Samples", limit=3),
        get_response_synthesizer(llm=speaker),
    )
    answer = engine.query(QUESTION)
    said = " ".join(str(answer).split())  # the mock says its prompt, which holds our passages
    assert "must give the Landlord not less than six months" in said
    assert answer.source_nodes[0].metadata["document"].startswith("Lease")
