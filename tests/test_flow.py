"""The main job, whole, in one place. Read this first.

A document is dropped in; it is read, cut into passages, embedded and found; a question about it is
answered with a line that can be boxed on its page; it is deleted, and nothing of it is left.
"""

from __future__ import annotations

import io
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image

from ingest.engine import Engine
from rag.errors import NotFound
from rag.types import Checked, Finished, Outcome, Retrieved, Status, Token, Vector, Verdict

LEASE = (
    "1. Rent. The rent is 900 pounds a month, due on the first day of each month.\n\n"
    "2. Notice. The tenant may end this lease by giving ninety days' written notice.\n\n"
    "3. Repairs. The landlord keeps the roof and the outer walls in repair.\n"
)


def test_from_file_to_cited_line_and_back_to_nothing(engine: Engine) -> None:
    door = engine.assistant
    door.create_workspace("Matter 7")

    uploaded = door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE.encode()))
    assert uploaded.document.newest.status in {Status.QUEUED, Status.PARSING}
    assert engine.worker.wait_idle(60)
    document = door.document("Matter 7", uploaded.document.id)
    assert document.newest.status is Status.READY
    assert document.newest.passages == document.newest.embedded > 0

    events = list(door.ask("Matter 7", "How much notice must the tenant give?"))
    assert isinstance(events[0], Retrieved)
    assert any(isinstance(event, Token) for event in events)
    assert any(isinstance(event, Checked) for event in events)
    last = events[-1]
    assert isinstance(last, Finished)
    answer = last.answer
    assert answer.outcome is Outcome.ANSWERED
    assert "ninety days" in answer.claims[0].text
    assert answer.claims[0].check.verdict is Verdict.SUPPORTED

    citation = answer.citations[0]
    page = door.page("Matter 7", citation.document_id, citation.page_number)
    assert page.text[citation.start : citation.end] == citation.quote
    assert citation.page is None  # a text file has no pages

    folder, vectors = door.archive.settings.data, _vectors(engine, uploaded.document.newest.id)
    assert "chroma.sqlite3" in _files_with(folder, vectors[0].tobytes())
    door.delete_document("Matter 7", document.id)
    assert engine.worker.wait_idle(60)
    assert door.documents("Matter 7") == []
    assert door.search("Matter 7", "notice").hits == ()
    with pytest.raises(NotFound):
        door.page("Matter 7", document.id, 1)
    assert door.doctor() == []
    assert _files_with(folder, b"ninety days") == []
    assert [_files_with(folder, vector.tobytes()) for vector in vectors] == [[]] * len(vectors)


def _vectors(engine: Engine, version_id: int) -> list[Vector]:
    archive = engine.assistant.archive
    ids = [passage.id for passage in archive.passages.passages(version_id)]
    return list(archive.passages.vectors(ids, archive.recipe.hash).values())


def _files_with(folder: Path, secret: bytes) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in files if secret in path.read_bytes()]


def test_a_cited_line_is_boxed_where_its_ink_is(samples: Engine) -> None:
    """The boxes of a citation lie on dark pixels of the page, and the picture marks them."""
    door = samples.assistant
    *_, last = door.ask("Samples", "How much notice must the tenant give?")
    assert isinstance(last, Finished)
    citation = last.answer.citations[0]
    assert "six months" in " ".join(citation.quote.split())
    assert citation.boxes

    path, _ = door.original("Samples", citation.document_id)
    page = pypdfium2.PdfDocument(path)[citation.page_number - 1]
    plain = page.render(scale=2).to_pil().convert("L")
    for box in citation.boxes:
        inside = plain.crop((int(box.x0 * 2), int(box.y0 * 2), int(box.x1 * 2), int(box.y1 * 2)))
        dark = sum(inside.histogram()[:100])
        assert dark > 0.02 * inside.width * inside.height

    span = (citation.start, citation.end)
    drawn = door.page_picture(
        "Samples", citation.document_id, citation.page_number, span=span, scale=2
    )
    marked = Image.open(io.BytesIO(drawn)).convert("RGB")
    box = citation.boxes[0]
    middle = (int(box.x0 * 2) + 1, int(box.y0 + box.y1))
    red, green, blue = marked.getpixel(middle)  # type: ignore[misc]
    assert blue < min(red, green) - 10, "the boxed line is tinted"


def test_the_same_bytes_again_are_not_stored_twice(engine: Engine) -> None:
    door = engine.assistant
    door.create_workspace("Matter 7")
    first = door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE.encode()))
    again = door.upload("Matter 7", "copy of lease.txt", io.BytesIO(LEASE.encode()))
    assert again.already_there
    assert again.document.id == first.document.id
    assert len(door.documents("Matter 7")) == 1


def test_a_new_version_takes_over_when_it_is_ready(engine: Engine) -> None:
    door = engine.assistant
    door.create_workspace("Matter 7")
    door.upload("Matter 7", "lease.txt", io.BytesIO(LEASE.encode()))
    assert engine.worker.wait_idle(60)
    changed = LEASE.replace("ninety days", "thirty days")
    uploaded = door.upload("Matter 7", "lease.txt", io.BytesIO(changed.encode()))
    assert uploaded.new_version
    assert uploaded.document.searchable is not None
    assert uploaded.document.searchable.number == 1, "the old one answers until then"
    assert engine.worker.wait_idle(60)
    found = door.search("Matter 7", "written notice of the tenant")
    text = " ".join(hit.text for hit in found.hits)
    assert "thirty days" in text
    assert "ninety days" not in text
    assert [version.number for version in door.versions("Matter 7", uploaded.document.id)] == [2, 1]
    assert door.doctor() == []
