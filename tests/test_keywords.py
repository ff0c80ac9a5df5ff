"""Keyword search: what a question's words weigh, and how well a passage covers them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.search import keywords
from rag.search.routing import Route
from rag.types import Query
from tests.search_archive import SearchArchive, retrieval

RULES = retrieval().keywords
LINES = [
    "The tenant gives six months notice to the landlord.",
    "The landlord repairs the roof and the walls.",
    "Clause 4.3.1: the deposit is $1,200.50 in total.",
    "The landlord and the tenant share the yard.",
    "Nothing else is owed by the landlord.",
]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[SearchArchive]:
    made = SearchArchive(tmp_path)
    made.add("lease.txt", ["\n".join(LINES)])
    yield made
    made.close()


def wanted(archive: SearchArchive, text: str, route: Route | None = None) -> keywords.Words:
    query = Query(text, archive.scope())
    return keywords.words(archive.passages, query, route or Route(), RULES)


def covers(found: keywords.Words, text: str, document_id: int = 1) -> float:
    counts, length = keywords.counted(text)
    return found.score(counts, length, document_id)


@pytest.mark.parametrize(
    ("question", "line"),
    [("who repairs the roof?", 1), ("4.3.1", 2), ("1200.50", 2), ("giving notice", 0)],
)
def test_the_line_with_the_words_is_found_first(
    archive: SearchArchive, question: str, line: int
) -> None:
    found = keywords.search(archive.passages, wanted(archive, question), archive.scope(), 5)
    texts = archive.passages.by_ids([number for number, _ in found], archive.scope())
    assert texts[found[0][0]].passage.text == LINES[line]


def test_rare_words_weigh_more_than_common_ones(archive: SearchArchive) -> None:
    weights = wanted(archive, "landlord roof").weights
    assert weights["roof"] > weights["landlord"] > 0


def test_coverage_is_between_nothing_and_all(archive: SearchArchive) -> None:
    found = wanted(archive, "roof notice")
    assert covers(found, "boats") == 0
    assert 0 < covers(found, LINES[1]) < covers(found, "roof notice") <= 1
    assert found.coverage(keywords.present([LINES[1]])) == pytest.approx(0.5)
    assert found.coverage(keywords.present(LINES)) == 1


def test_words_no_passage_has_lower_the_score(archive: SearchArchive) -> None:
    assert covers(wanted(archive, "roof"), LINES[1]) > covers(
        wanted(archive, "roof Peru"), LINES[1]
    )


def test_names_count_only_where_they_name_nothing(archive: SearchArchive) -> None:
    route = Route({1: 1.0}, {"roof": frozenset({1})})
    found = wanted(archive, "roof repairs", route)
    assert covers(found, "roof", document_id=1) == 0
    assert covers(found, "roof", document_id=2) > 0
    assert covers(found, "repairs", document_id=1) > 0


def test_what_was_said_by_routing_is_no_word_unless_it_is_all_there_is(
    archive: SearchArchive,
) -> None:
    route = Route({1: 1.0}, said=frozenset({"2023"}))
    assert set(wanted(archive, "roof 2023", route).weights) == {"roof"}
    assert set(wanted(archive, "2023", route).weights) == {"2023"}


def test_learned_terms_are_added_by_weight(archive: SearchArchive) -> None:
    query = Query("roof", archive.scope(), terms={"wall": 0.5, "roof": 1.0})
    weights = keywords.words(archive.passages, query, Route(), RULES).weights
    plain = wanted(archive, "roof wall").weights
    assert weights["roof"] == pytest.approx(2 * plain["roof"])
    assert weights["wall"] == pytest.approx(0.5 * plain["wall"])


def test_a_question_of_stop_words_finds_nothing(archive: SearchArchive) -> None:
    found = wanted(archive, "what is the?")
    assert keywords.search(archive.passages, found, archive.scope(), 5) == []
    assert covers(found, LINES[0]) == 0
