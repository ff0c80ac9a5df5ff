"""Routing: which documents a question means, told from what they say of themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from rag.search.periods import periods
from rag.search.routing import Directory, Route, route
from rag.text.terms import content_terms
from tests.search_archive import retrieval
from tests.timing import done_within

RULES = retrieval().routing


@dataclass(frozen=True)
class Said:
    document_id: int
    name: str
    title: str = ""
    first_text: str = ""


REPORTS = [
    Said(1, "2022 Q3 ALFA.pdf", "", "Quarterly report. Alfa Motors Inc. For September 30, 2022"),
    Said(2, "2023 Q1 ALFA.pdf", "", "Quarterly report. Alfa Motors Inc. For March 31, 2023"),
    Said(3, "2023 Q3 ALFA.pdf", "", "Quarterly report. Alfa Motors Inc. For September 30, 2023"),
    Said(4, "2023 Q1 BRVO.pdf", "", "Quarterly report. Bravo Foods Corporation. March 31, 2023"),
    Said(5, "2023 Q3 BRVO.pdf", "", "Quarterly report. Bravo Foods Corporation. Sep 30, 2023"),
    Said(6, "2023 Q3 CHRL.pdf", "", "Quarterly report. Charlie Chip Ltd. September 30, 2023"),
]


def routed(question: str, documents: list[Said]) -> Route:
    index = {said.document_id: Counter(set(content_terms(said.first_text))) for said in documents}

    def counts(term: str) -> Mapping[int, int]:
        return {number: found[term] for number, found in index.items() if term in found}

    return route(question, Directory(documents, RULES), counts)


def best(question: str, documents: list[Said] | None = None) -> int | None:
    priors = routed(question, documents or REPORTS).priors
    ordered = sorted(priors, key=lambda number: -priors[number])
    if len(ordered) > 1 and priors[ordered[0]] == priors[ordered[1]]:
        return None
    return ordered[0] if ordered else None


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("What was Alfa's revenue in Q1 2023?", 2),
        ("What was the revenue of ALFA in the third quarter of 2022?", 1),
        ("What margin did Bravo report in its latest 10-Q?", 5),
        ("In the most recent quarter, what did Alfa Motors spend?", 3),
        ("For Q1'23, how did Bravo Foods do?", 4),
        ("How many chips did Charlie sell?", 6),
        ("brvo 1Q23 margin", 4),
    ],
)
def test_name_and_period_mean_one_report(question: str, document: int) -> None:
    assert best(question) == document


def test_a_question_that_names_nothing_is_not_routed() -> None:
    assert routed("What was the gross margin?", REPORTS) == Route()
    assert routed("Quarterly report of the quarter", REPORTS).priors == {}


def test_a_period_alone_means_its_documents_weakly() -> None:
    priors = routed("What happened in the third quarter of 2022?", REPORTS).priors
    assert max(priors, key=lambda number: priors[number]) == 1
    many = routed("What happened in 2023?", REPORTS).priors
    assert max(many.values()) < 0.2


def test_companies_compared_are_groups() -> None:
    found = routed("Compare the margins of Alfa and Bravo in Q3 2023", REPORTS)
    assert {frozenset({3}), frozenset({5})} == set(found.groups)
    assert found.names.keys() >= {"alfa", "bravo"}


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("What is the rent under the 2019 lease?", "Lease 2019.docx"),
        ("What does the NDA with Acme say of employees?", "NDA - Acme.pdf"),
        ("What was spent in FY2018 by Activision Blizzard?", "ACTIVISIONBLIZZARD_2018_10K.pdf"),
        ("What was Best Buy's profit in fiscal 2020?", "BESTBUY_2020_10K.pdf"),
        ("What was decided on 14 January 2025?", "Minutes 2025-01-14.txt"),
        ("When is the trip to Skerrow?", "Letter to Parents SkerrowTrip.txt"),
    ],
)
def test_file_names_of_all_kinds(question: str, name: str) -> None:
    names = [
        "Lease 2019.docx",
        "Lease 2021.docx",
        "NDA - Acme.pdf",
        "NDA - Zenith.pdf",
        "ACTIVISIONBLIZZARD_2018_10K.pdf",
        "ACTIVISIONBLIZZARD_2019_10K.pdf",
        "BESTBUY_2020_10K.pdf",
        "BESTBUY_2021_10K.pdf",
        "Minutes 2025-01-14.txt",
        "Minutes 2024-12-10.txt",
        "Letter to Parents SkerrowTrip.txt",
    ]
    found = best(question, [Said(number, said) for number, said in enumerate(names)])
    assert found is not None
    assert names[found] == name


def test_what_routing_has_had_is_left_out_of_the_question() -> None:
    asked = "What was the gross margin of Alfa in Q1 2023?"
    assert routed(asked, REPORTS).left_of(asked, 2) == "What was the gross margin of in"
    asked = "What was the gross margin?"
    assert routed(asked, REPORTS).left_of(asked, 2) == asked
    asked = "What does Alfa say of Bravo and its margin?"
    assert routed(asked, REPORTS).left_of(asked, 2) == asked
    asked = "Alfa's 2023 Q1"
    assert routed(asked, REPORTS).left_of(asked, 2) == asked


def test_a_year_covered_by_a_range_is_the_latest_ones() -> None:
    reports = [Said(year, f"ACME_{year}_10K.pdf") for year in range(2015, 2020)]
    others = [Said(9, "ZENITH_2017_10K.pdf")]
    assert best("Acme's average margin from FY2015 to FY2017", reports + others) == 2017


def test_a_common_word_on_one_first_page_is_no_name_if_all_documents_use_it() -> None:
    documents = [Said(n, f"{n}.txt", "", "report") for n in range(10)]
    documents[0] = Said(0, "0.txt", "", "report on inventory")

    def counts(term: str) -> Mapping[int, int]:
        return dict.fromkeys(range(10), 5) if term == "inventori" else {}

    assert route("What is the inventory?", Directory(documents, RULES), counts).priors == {}


def test_one_document_needs_no_routing() -> None:
    assert routed("lease 2019", [Said(1, "lease 2019.pdf")]) == Route()


def test_thousands_of_documents_are_routed_quickly() -> None:
    documents = [
        Said(n, f"{2000 + n % 25} Company{n // 25} report.pdf", "", "Annual report " * 50)
        for n in range(2500)
    ]
    directory = Directory(documents, RULES)
    question = "What did Company77 earn in 2013?"
    assert done_within(0.5, lambda: route(question, directory, lambda _: {}))
    found = route(question, directory, lambda _: {})
    assert found.meant[0] == 77 * 25 + 13


@pytest.mark.parametrize(
    ("text", "years", "quarters", "months"),
    [
        ("2023 Q3 AAPL", {2023}, {3}, set()),
        ("AAPL2023Q1", {2023}, {1}, set()),
        ("3M_2018_10K", {2018}, set(), set()),
        ("FY18 and FY'19", {2018, 2019}, set(), set()),
        ("Q2'23", {2023}, {2}, set()),
        ("1Q23", {2023}, {1}, set()),
        ("third fiscal quarter of 2022", {2022}, {3}, set()),
        ("ended June 25, 2022", {2022}, set(), {6}),
        ("20190331_minutes", {2019}, set(), {3}),
        ("25 June 2022", {2022}, set(), {6}),
        ("what may happen", set(), set(), set()),
        ("in May 2021", {2021}, set(), {5}),
        ("4.3.1 12(b) 2,019 120190", set(), set(), set()),
    ],
)
def test_periods(text: str, years: set[int], quarters: set[int], months: set[int]) -> None:
    found = periods(text)
    assert (set(found.years), set(found.quarters), set(found.months)) == (years, quarters, months)
    assert not found.latest


@pytest.mark.parametrize("text", ["the latest report", "most recent 10-Q", "the current lease"])
def test_latest(text: str) -> None:
    assert periods(text).latest
