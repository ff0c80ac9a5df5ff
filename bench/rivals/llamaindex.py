"""LlamaIndex's default pipeline, timed: run by bench/ingest.py in an environment of its own.

``python bench/rivals/llamaindex.py DOCUMENTS MODEL STORE`` reads the documents with
SimpleDirectoryReader, cuts them with the default SentenceSplitter, embeds with the model folder
through sentence-transformers and writes to a Chroma store on disk: every setting its own default,
torch with as many threads as it likes. Importing and opening the model are not timed. Prints one
line of JSON: seconds, documents, pages, chunks, and the share of the chunks' tokens that the model
read. A document its reader fails on is left out by LlamaIndex with a warning.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

# No name may be looked up: everything is on this machine.
os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}

import chromadb
from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.schema import MetadataMode, TextNode
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore
from transformers import AutoTokenizer


def main() -> None:
    documents, model, store = (Path(argument) for argument in sys.argv[1:4])
    embedder = HuggingFaceEmbedding(model_name=str(model))
    embedder.get_text_embedding("warm")
    client = chromadb.PersistentClient(str(store))
    collection = client.create_collection("bench")
    context = StorageContext.from_defaults(vector_store=ChromaVectorStore(collection))
    start = time.perf_counter()
    pages = SimpleDirectoryReader(str(documents), recursive=True).load_data()
    read = time.perf_counter() - start
    VectorStoreIndex.from_documents(pages, storage_context=context, embed_model=embedder)
    seconds = time.perf_counter() - start
    stored = collection.get(include=["metadatas"])["metadatas"] or []
    contents = [json.loads(str(row["_node_content"])) for row in stored]
    texts = collection.get(include=["documents"])["documents"] or []
    nodes = [
        TextNode.model_validate(content | {"text": text})
        for content, text in zip(contents, texts, strict=True)
    ]
    row = {
        "seconds": seconds,
        "reading": read,
        "documents": len({page.metadata["file_path"] for page in pages}),
        "pages": len(pages),
        "chunks": len(nodes),
        "coverage": _coverage(nodes, model),
    }
    print(json.dumps(row))


def _coverage(nodes: list[TextNode], model: Path) -> float:
    """Return the share of the embedded texts' tokens within the model's limit."""
    limit = int(json.loads((model / "sentence_bert_config.json").read_text())["max_seq_length"])
    tokenizer = AutoTokenizer.from_pretrained(str(model))
    counts = [
        len(tokenizer(node.get_content(MetadataMode.EMBED), verbose=False)["input_ids"])
        for node in nodes
    ]
    return sum(min(count, limit) for count in counts) / max(1, sum(counts))


if __name__ == "__main__":
    main()
