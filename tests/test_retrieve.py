"""Search over a real store: what is found, what never is, and what each part of a query does."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.engine import Engine
from rag.errors import ModelUnavailable
from rag.search.retrieve import WHOLE, Retriever
from rag.types import Query, Scope, Vectors
from tests.search_archive import RECIPE, SearchArchive, retrieval

LEASE = """Lease of Suite 3, Ropewalk House.
The rent is 1,200 pounds a month, payable in advance.
The tenant must give the landlord six months' written notice.
The landlord repairs the roof and the outer walls.
No dogs or other animals are kept on the premises."""
HANDBOOK = """School handbook.
Pupils arrive before half past eight.
Parents send a written notice when a pupil is ill.
Dogs are not allowed in the school yard."""


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SearchArchive]:
    made = SearchArchive(tmp_path)
    yield made
    made.close()


def test_the_passage_that_answers_comes_first(archive: SearchArchive) -> None:
    archive.add_all({"lease.txt": LEASE, "handbook.txt": HANDBOOK})
    found = archive.search("How much notice must the tenant give?")
    assert "six months' written notice" in found.hits[0].text
    assert [hit.rank for hit in found.hits] == list(range(1, len(found.hits) + 1))
    scores = [hit.score for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert found.seconds > 0


def test_every_hit_is_a_slice_of_its_page(archive: SearchArchive) -> None:
    archive.add("a.txt", [LEASE, HANDBOOK])
    for question in ("notice", "dogs kept on the premises", "rent roof landlord walls"):
        hits = archive.search(question).hits
        assert hits
        for hit in hits:
            page = archive.passages.page_text(hit.version_id, hit.page_number)
            assert page[hit.start : hit.end] == hit.text


def test_an_empty_question_or_archive_finds_nothing(archive: SearchArchive) -> None:
    assert archive.search("notice").hits == ()
    assert archive.search("notice").confidence == 0
    archive.add("lease.txt", [LEASE])
    assert archive.search("  ").hits == ()
    assert archive.search("notice", limit=0).hits == ()


@pytest.mark.parametrize("question", ['"', "a AND (b", "NEAR(x y", "* OR", "':;--", "\ud800"])
def test_a_question_is_never_syntax(archive: SearchArchive, question: str) -> None:
    archive.add("lease.txt", [LEASE])
    assert archive.search(question).confidence < 0.3


def test_a_filter_by_document_loses_no_hit_however_many_fit_better(
    archive: SearchArchive,
) -> None:
    archive.add("small.txt", ["The cat slept.\nThe notice is on the door."])
    for number in range(4):
        archive.add(
            f"big {number}.txt", ["\n".join(f"notice notice {number} {n}" for n in range(400))]
        )
    found = archive.search("notice", "small.txt")
    assert {hit.document for hit in found.hits} == {"small.txt"}
    assert "on the door" in found.hits[0].text


def test_a_scope_too_large_to_be_scored_whole_gives_the_same_best(archive: SearchArchive) -> None:
    many = [f"Paragraph {n} speaks of the harbour and its boats." for n in range(WHOLE * 2)]
    many[411] = "The lighthouse keeper is paid 31 crowns."
    archive.add("harbour.txt", ["\n".join(many)])
    archive.add("other.txt", [LEASE])
    assert "31 crowns" in archive.search("What is the lighthouse keeper paid?").hits[0].text


def test_only_the_searchable_version_is_found(archive: SearchArchive) -> None:
    archive.add("lease.txt", ["The notice is six months."])
    archive.add("lease.txt", ["The notice is nine months."])
    texts = [hit.text for hit in archive.search("notice months").hits]
    assert texts == ["The notice is nine months."]


def test_a_parsed_document_is_found_by_its_words_before_it_has_vectors(
    archive: SearchArchive,
) -> None:
    archive.add("lease.txt", [LEASE], embed=False)
    assert "roof" in archive.search("Who repairs the roof?").hits[0].text
    archive.add("handbook.txt", [HANDBOOK])
    assert "roof" in archive.search("Who repairs the roof?").hits[0].text


def test_another_workspace_is_never_searched(archive: SearchArchive) -> None:
    archive.add("lease.txt", [LEASE])
    other = archive.catalogue.create_workspace("Other")
    assert archive.retriever.search(Query("notice", Scope(other.id)), 10).hits == ()


def test_no_documents_at_all_is_a_scope_without_hits(archive: SearchArchive) -> None:
    archive.add("lease.txt", [LEASE])
    nothing = Scope(archive.workspace.id, frozenset())
    assert archive.retriever.search(Query("notice", nothing), 10).hits == ()


def test_given_terms_change_the_order(archive: SearchArchive) -> None:
    archive.add("a.txt", ["Animals are kept outside.", "Dogs bark at night."])
    plain = Query("animals", archive.scope())
    taught = dataclasses.replace(plain, terms={"dog": 5.0})
    assert "Animals" in archive.retriever.search(plain, 1).hits[0].text
    assert "Dogs" in archive.retriever.search(taught, 1).hits[0].text


def test_given_priors_change_the_order(archive: SearchArchive) -> None:
    archive.add_all({"a.txt": "The notice is long.", "b.txt": "A notice."})
    first, second = archive.search("notice").hits
    pushed = Query("notice", archive.scope(), priors={second.document_id: 2.0})
    assert archive.retriever.search(pushed, 1).hits[0].document_id == second.document_id
    assert first.document_id != second.document_id


def test_a_given_vector_takes_the_place_of_the_questions_own(archive: SearchArchive) -> None:
    archive.add("a.txt", ["Animals are kept outside.", "Boats lie in the harbour."])
    boats = archive.embedder.embed(["Boats lie in the harbour."])[0]
    plain = Query("outside harbour", archive.scope())
    with_vector = dataclasses.replace(plain, vector=boats)
    assert "Boats" in archive.retriever.search(with_vector, 1).hits[0].text
    away = dataclasses.replace(plain, vector=np.asarray(-boats))
    assert "Animals" in archive.retriever.search(away, 1).hits[0].text


class _Failing:
    def embed(self, texts: Sequence[str], *, question: bool = False) -> Vectors:
        raise ModelUnavailable(f"no model for {len(texts)} texts, question: {question}")


def test_a_failed_embedder_leaves_the_keywords_and_says_so(
    archive: SearchArchive, caplog: pytest.LogCaptureFixture
) -> None:
    archive.add("lease.txt", [LEASE])
    retriever = Retriever(archive.passages, archive.vectors, _Failing(), retrieval(), RECIPE)
    with caplog.at_level(logging.WARNING):
        found = retriever.search(Query("Who repairs the roof?", archive.scope()), 3)
    assert "roof" in found.hits[0].text
    assert "only keywords" in caplog.text


def test_a_question_that_names_a_document_is_answered_from_it(archive: SearchArchive) -> None:
    archive.add("2019 Lease Harbour Street.txt", ["Lease.\nThe rent is 900 a month, in advance."])
    archive.add("2021 Lease Mill Lane.txt", ["Lease.\nThe rent is 1,100 a month, in advance."])
    assert "900" in archive.search("What is the rent under the 2019 lease?").hits[0].text
    assert "1,100" in archive.search("What is the rent for Mill Lane?").hits[0].text
    assert "1,100" in archive.search("What is the rent in the latest lease?").hits[0].text


def test_a_comparison_shares_the_hits_between_the_documents(archive: SearchArchive) -> None:
    rent = "The rent is due. The rent is paid monthly."
    archive.add("Alpha Lease.txt", ["\n".join(f"{rent} {n} rent" for n in range(20))])
    archive.add("Beta Lease.txt", ["Terms of the lease follow.", "Payment of rent is yearly."])
    archive.add("Gamma.txt", ["Something else entirely, about boats."])
    best = archive.search("Compare the rent of Alpha with that of Beta").hits[:4]
    assert {hit.document for hit in best} == {"Alpha Lease.txt", "Beta Lease.txt"}


def test_new_documents_are_known_to_routing_at_once(archive: SearchArchive) -> None:
    archive.add_all({"alpha.txt": "The rent is 900.", "beta.txt": "The rent is 800."})
    assert archive.search("rent gamma").hits[0].document != "gamma.txt"
    archive.add("gamma.txt", ["The rent of all is 700."])
    assert archive.search("rent gamma").hits[0].document == "gamma.txt"


def test_confidence_needs_no_vectors_and_no_many_hits(archive: SearchArchive) -> None:
    archive.add("lease.txt", [LEASE], embed=False)
    sure = archive.search("Who repairs the roof and the outer walls?").confidence
    assert sure > 0.5
    assert archive.search("Who repairs the roof and the outer walls?", limit=1).confidence == sure
    assert archive.search("What is the capital of Peru?").confidence < 0.3


def test_confidence_separates_on_the_samples(samples: Engine) -> None:
    search = samples.assistant.search
    assert search("Samples", "How much notice must the tenant give?").confidence > 0.5
    for stranger in ("What is the capital of Peru?", "How is bread baked?"):
        assert search("Samples", stranger).confidence < 0.2
