"""Pages and passages: kept to the character, found inside their scope and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag import access
from rag.errors import BadFile, NotFound
from rag.store import fulltext
from rag.store.catalogue import Catalogue
from rag.store.database import Database, open_database
from rag.store.packing import pack_boxes, pack_spans, unpack_boxes, unpack_spans
from rag.store.passages import Passages
from rag.text.terms import terms
from rag.types import Box, Document, Page, PageKind, Passage, Scope, TextBox, Workspace
from tests.timing import done_within

RECIPE = "r" * 64
OTHER = "o" * 64


class Shelf:
    """A database with two workspaces, and documents put there at will."""

    def __init__(self, folder: Path) -> None:
        self.database: Database = open_database(folder)
        self.catalogue = Catalogue(self.database)
        self.passages = Passages(self.database)
        self.first: Workspace = self.catalogue.create_workspace("First")
        self.second: Workspace = self.catalogue.create_workspace("Second")
        self.count = 0

    def put(self, *texts: str, place: Workspace | None = None, heading: str = "") -> Document:
        """Put a document of these pages, one passage each."""
        self.count += 1
        where = place or self.first
        added = self.catalogue.add_upload(where.id, f"{self.count}.pdf", f"{self.count:064}", 1)
        pages = [Page(number, text) for number, text in enumerate(texts, 1)]
        cut = [Passage(page.number, 0, len(page.text), page.text, heading) for page in pages]
        self.passages.write_parsed(added.document.newest.id, pages, cut)
        return self.catalogue.document_by_id(where.id, added.document.id)

    def whole(self, place: Workspace | None = None) -> Scope:
        return access.scope(place or self.first, None)

    def texts(self, query: str, scope: Scope, limit: int = 100) -> list[str]:
        ids = [item for item, _ in self.passages.match(query, scope, limit)]
        stored = self.passages.by_ids(ids, scope)
        return [stored[item].passage.text for item in ids]


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.database.close()


# Pages

coordinates = st.integers(-1_000_000, 10_000_000).map(lambda steps: steps / 100)
boxes = st.builds(Box, coordinates, coordinates, coordinates, coordinates)


@st.composite
def any_page(draw: st.DrawFn) -> Page:
    text = draw(st.text(max_size=200))
    spans = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    text_boxes = draw(
        st.lists(st.builds(lambda span, box: TextBox(span[0], span[1], box), spans, boxes))
    )
    return Page(
        number=1,
        text=text,
        kind=draw(st.sampled_from(PageKind)),
        width=draw(st.floats(0, 1e6)),
        height=draw(st.floats(0, 1e6)),
        boxes=tuple(text_boxes),
        headings=tuple(draw(st.lists(spans))),
        confidence=draw(st.none() | st.floats(0, 1)),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(page=any_page())
def test_a_page_comes_back_as_it_was(shelf: Shelf, page: Page) -> None:
    version_id = shelf.put("before").newest.id
    shelf.passages.write_parsed(version_id, [page], [])
    assert shelf.passages.page(version_id, 1) == page
    assert list(shelf.passages.pages(version_id)) == [page]
    assert shelf.passages.page_text(version_id, 1) == page.text


@given(st.lists(st.builds(TextBox, st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), boxes)))
def test_boxes_come_back_to_a_hundredth_of_a_point(given_boxes: list[TextBox]) -> None:
    assert unpack_boxes(pack_boxes(given_boxes)) == tuple(given_boxes)
    spans = [(item.start, item.end) for item in given_boxes]
    assert unpack_spans(pack_spans(spans)) == tuple(spans)


def test_coordinates_are_rounded_and_what_is_no_number_does_no_harm() -> None:
    odd = TextBox(0, 1, Box(72.123456, float("nan"), float("inf"), -0.006))
    (back,) = unpack_boxes(pack_boxes([odd]))
    assert back.box.x0 == 72.12
    assert back.box.y0 == 0.0
    assert back.box.x1 > 20_000_000
    assert back.box.y1 == -0.01


def test_pages_come_in_order_however_many(shelf: Shelf) -> None:
    version_id = shelf.put(*(f"page {number}" for number in range(1, 131))).newest.id
    assert [page.number for page in shelf.passages.pages(version_id)] == list(range(1, 131))
    for number in (0, 131):
        with pytest.raises(NotFound, match=f"no page {number}"):
            shelf.passages.page(version_id, number)
        with pytest.raises(NotFound):
            shelf.passages.page_text(version_id, number)


def test_half_a_surrogate_pair_is_refused_with_a_sentence(shelf: Shelf) -> None:
    version_id = shelf.put("before").newest.id
    with pytest.raises(BadFile, match="Page 1"):
        shelf.passages.write_parsed(version_id, [Page(1, "a\ud800b")], [])
    assert shelf.passages.page_text(version_id, 1) == "before"


# Passages


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(text=st.text(min_size=1, max_size=300), data=st.data())
def test_a_passage_is_always_the_slice_of_its_page(
    shelf: Shelf, text: str, data: st.DataObject
) -> None:
    version_id = shelf.put("before").newest.id
    ends = sorted(data.draw(st.sets(st.integers(1, len(text)), min_size=1)))
    spans = list(zip([0, *ends], ends, strict=False))
    cut = [Passage(1, start, end, text[start:end], "h") for start, end in spans]
    shelf.passages.write_parsed(version_id, [Page(1, text)], cut)
    stored = shelf.passages.passages(version_id)
    assert [item.passage for item in stored] == cut
    by_id = shelf.passages.by_ids([item.id for item in stored], shelf.whole())
    assert by_id == {item.id: item for item in stored}


def test_ids_are_consecutive_and_never_used_again(shelf: Shelf) -> None:
    document = shelf.put("one", "two", "three")
    ids = [item.id for item in shelf.passages.passages(document.newest.id)]
    assert ids == list(range(ids[0], ids[0] + 3))
    shelf.catalogue.delete_document(shelf.first.id, document.id)
    again = shelf.put("one")
    assert shelf.passages.passages(again.newest.id)[0].id == ids[-1] + 1
    assert shelf.passages.ids(shelf.whole()) == [ids[-1] + 1]


# Finding


def test_only_what_the_scope_allows_is_found(shelf: Shelf) -> None:
    here = shelf.put("the landlord pays here")
    also = shelf.put("the landlord pays also")
    there = shelf.put("the landlord pays there", place=shelf.second)
    everything = [item.id for item in shelf.passages.passages(there.newest.id)]
    everything += shelf.passages.ids(shelf.whole())
    assert sorted(shelf.texts('"landlord"', shelf.whole())) == [
        "the landlord pays also",
        "the landlord pays here",
    ]
    assert shelf.texts('"landlord"', shelf.whole(shelf.second)) == ["the landlord pays there"]
    one = access.scope(shelf.first, [also])
    assert shelf.texts('"landlord"', one) == ["the landlord pays also"]
    assert len(shelf.passages.by_ids(everything, one)) == 1
    assert len(shelf.passages.by_ids(everything, shelf.whole())) == 2
    nothing = access.scope(shelf.first, [])
    # A scope that was made wrongly must not see through the wall either.
    crossed = access.narrow(nothing, [])
    for scope in (nothing, crossed, access.narrow(shelf.whole(), [there.id])):
        assert shelf.texts('"landlord"', scope) == []
        assert shelf.passages.by_ids(everything, scope) == {}
        assert shelf.passages.profiles(scope) == []
    assert shelf.texts('"landlord"', access.narrow(shelf.whole(), [here.id, there.id])) == [
        "the landlord pays here"
    ]


def test_a_scope_of_many_documents_is_held_as_well(shelf: Shelf) -> None:
    documents = [shelf.put(f"the landlord number{number}") for number in range(60)]
    some = access.scope(shelf.first, documents[:50])
    assert len(shelf.texts('"landlord"', some)) == 50
    assert shelf.texts('"number55"', some) == []
    assert shelf.texts('"number45"', some) == ["the landlord number45"]


def test_rarer_words_and_shorter_passages_score_higher(shelf: Shelf) -> None:
    shelf.put("rent rent", "rent and a long tail of other words that dilute it", "rent deposit")
    found = shelf.passages.match('"rent" OR "deposit"', shelf.whole(), 10)
    assert len(found) == 3
    scores = [score for _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert shelf.texts('"rent" OR "deposit"', shelf.whole(), 1) == ["rent deposit"]
    assert shelf.passages.match("", shelf.whole(), 10) == []
    assert shelf.passages.match(" ", shelf.whole(), 10) == []


def test_the_heading_helps_to_find_but_is_not_the_text(shelf: Shelf) -> None:
    shelf.put("sixty days", heading="Termination")
    query = " OR ".join(fulltext.quote(term) for term in terms("termination"))
    assert shelf.texts(query, shelf.whole()) == ["sixty days"]


@pytest.mark.parametrize(
    "text",
    ["4.3.1", "AX-12", "§ 12(b)", "$1,200.50", "don't", "naïve café", "第三条", "a_b", "ﬁne"],
)
def test_every_term_of_a_text_finds_it(shelf: Shelf, text: str) -> None:
    shelf.put("something else", f"see {text} here")
    for term in terms(text):
        assert shelf.texts(fulltext.quote(term), shelf.whole()) == [f"see {text} here"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(term=st.text(min_size=1, max_size=20))
def test_any_term_is_data_never_syntax(shelf: Shelf, term: str) -> None:
    found = shelf.passages.match(f'{fulltext.quote(term)} OR "never"', shelf.whole(), 5)
    assert found == []
    assert shelf.passages.term_counts([term], shelf.first.id) == {term: 0}


@given(st.text(max_size=30))
def test_a_term_stays_in_one_piece(term: str) -> None:
    encoded = fulltext.encode(term)
    assert len(encoded) == len(term)
    assert not any(character.isascii() and ord(character) <= 32 for character in encoded)
    assert encoded == fulltext.encode(encoded)


def test_words_of_the_scope_column_cannot_be_searched(shelf: Shelf) -> None:
    shelf.put("nothing of the kind")
    for query in ('"w1"', '"v1"', f'"{fulltext.scope_tokens(1, 1)}"'):
        assert shelf.passages.match(query, shelf.whole(), 5) == []
    assert shelf.passages.term_counts(["w1", "v1", "kind"], shelf.first.id) == {
        "w1": 0,
        "v1": 0,
        "kind": 1,
    }


def test_counts(shelf: Shelf) -> None:
    document = shelf.put("rent rent", "rent deposit")
    shelf.put("rent", place=shelf.second)
    assert shelf.passages.term_counts(["rent", "deposit", "lease"], shelf.first.id) == {
        "rent": 2,
        "deposit": 1,
        "lease": 0,
    }
    assert shelf.passages.passage_count(shelf.first.id) == 2
    assert shelf.passages.passage_count() == 3
    assert shelf.passages.passage_count(99) == 0
    shelf.catalogue.delete_document(shelf.first.id, document.id)
    assert shelf.passages.term_counts(["rent"], shelf.first.id) == {"rent": 0}
    assert shelf.passages.term_counts(["rent"], shelf.second.id) == {"rent": 1}


def test_profiles_tell_the_beginning_of_each_document(shelf: Shelf) -> None:
    short = shelf.put("Lease", "between A and B", "third", "fourth")
    long = shelf.put("x" * 4000, "second page")
    shelf.put("elsewhere", place=shelf.second)
    shelf.catalogue.set_parsed(short.newest.id, "The Lease", True, 4, "application/pdf")
    first, second = shelf.passages.profiles(shelf.whole())
    assert (first.document_id, first.version_id) == (short.id, short.newest.id)
    assert (first.name, first.title, first.pages) == ("1.pdf", "The Lease", 4)
    assert first.first_text == "Lease\nbetween A and B\nthird"
    assert (second.document_id, second.first_text) == (long.id, "x" * 1500)


# Embeddings


def test_embeddings_come_back_exactly_in_batches(shelf: Shelf) -> None:
    version_id = shelf.put(*(f"page {number}" for number in range(2100))).newest.id
    missing = shelf.passages.missing_embeddings(version_id, RECIPE)
    assert [text for _, text in missing[:2]] == ["page 0", "page 1"]
    ids = [item for item, _ in missing]
    vectors = np.random.default_rng(1).normal(size=(2100, 8)).astype(np.float32)
    shelf.passages.write_embeddings(RECIPE, ids[1000:], vectors[1000:])
    assert len(shelf.passages.missing_embeddings(version_id, RECIPE)) == 1000
    assert shelf.catalogue.version(version_id).embedded == 1100
    shelf.passages.write_embeddings(RECIPE, ids, vectors)
    assert shelf.passages.missing_embeddings(version_id, RECIPE) == []
    assert shelf.catalogue.version(version_id).embedded == 2100
    batches = list(shelf.passages.embeddings(version_id, RECIPE))
    assert [len(found) for found, _ in batches] == [1000, 1000, 100]
    assert [item for found, _ in batches for item in found] == ids
    np.testing.assert_array_equal(np.vstack([found for _, found in batches]), vectors)
    some = shelf.passages.vectors([ids[5], 10**9], RECIPE)
    assert list(some) == [ids[5]]
    np.testing.assert_array_equal(some[ids[5]], vectors[5])


def test_each_recipe_has_vectors_of_its_own(shelf: Shelf) -> None:
    version_id = shelf.put("one", heading="Rent").newest.id
    ids = [item for item, _ in shelf.passages.missing_embeddings(version_id, RECIPE)]
    shelf.passages.write_embeddings(RECIPE, ids, np.ones((1, 4), dtype=np.float32))
    assert list(shelf.passages.embeddings(version_id, OTHER)) == []
    missing = shelf.passages.missing_embeddings(version_id, OTHER, heading_characters=100)
    assert missing == [(ids[0], "Rent\none")]
    assert shelf.passages.recipe_identity(OTHER) is None
    identity: dict[str, Any] = {"model": "bundled", "dimension": 384, "prompts": ["", ""]}
    shelf.passages.record_recipe(OTHER, identity)
    shelf.passages.record_recipe(OTHER, identity)
    assert shelf.passages.recipe_identity(OTHER) == identity
    assert shelf.passages.recipe_identity(RECIPE) == {}


def test_vectors_of_what_was_deleted_meanwhile_are_passed_over(shelf: Shelf) -> None:
    document = shelf.put("one")
    kept = shelf.put("two")
    ids = [shelf.passages.passages(item.newest.id)[0].id for item in (document, kept)]
    shelf.catalogue.delete_document(shelf.first.id, document.id)
    shelf.passages.write_embeddings(RECIPE, ids, np.ones((2, 4), dtype=np.float32))
    assert list(shelf.passages.vectors(ids, RECIPE)) == [ids[1]]
    with pytest.raises(ValueError, match="1 passages, but 2 vectors"):
        shelf.passages.write_embeddings(RECIPE, ids[:1], np.ones((2, 4), dtype=np.float32))


# Speed


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_large_document_is_written_in_a_few_seconds(shelf: Shelf, count: int) -> None:
    words = [f"word{number * 7919 % 3000}" for number in range(450)]
    text = " ".join(words)
    length = len(text) // 10
    pages = [
        Page(
            number,
            text,
            boxes=tuple(TextBox(at, at + 7, Box(at, 1, at + 40, 12)) for at in range(0, 3600, 8)),
        )
        for number in range(1, count + 1)
    ]
    cut = [
        Passage(page.number, at, at + length, page.text[at : at + length])
        for page in pages
        for at in range(0, 10 * length, length)
    ]
    added = shelf.catalogue.add_upload(shelf.first.id, "large.pdf", "f" * 64, 1).document
    begun = time.thread_time()
    shelf.passages.write_parsed(added.newest.id, pages, cut)
    assert time.thread_time() - begun < 15  # about 2 s for the larger
    assert shelf.passages.passage_count(shelf.first.id) == 10 * count
    query = " OR ".join(fulltext.quote(term) for term in terms(" ".join(words[:2])))
    assert len(shelf.passages.match(query, shelf.whole(), 50)) == 50
    assert done_within(1, lambda: shelf.passages.match(query, shelf.whole(), 50))
