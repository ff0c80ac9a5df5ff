from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "data" / "samples"
DOCUMENTS = sorted((SAMPLES / "documents").iterdir())
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line) for line in (SAMPLES / "questions.jsonl").read_text("utf-8").splitlines()
]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]


def pdf_pages(path: Path) -> list[str]:
    with pypdfium2.PdfDocument(path) as document:
        return [str(page.get_textpage().get_text_bounded()) for page in document]


def docx_text(path: Path) -> str:
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


def pages(path: Path) -> list[str]:
    """A document's pages, white space made even; one page where the format has none."""
    if path.suffix == ".pdf":
        texts = pdf_pages(path)
    else:
        texts = [docx_text(path) if path.suffix == ".docx" else path.read_text("utf-8")]
    return [" ".join(text.split()) for text in texts]


TEXTS = {path.name: pages(path) for path in DOCUMENTS}


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    script = ROOT / "scripts" / "make_samples.py"
    subprocess.run([sys.executable, str(script), str(folder)], check=True, capture_output=True)
    return folder


def test_a_dozen_documents_in_four_formats() -> None:
    assert Counter(path.suffix for path in DOCUMENTS) == {
        ".pdf": 5,
        ".docx": 3,
        ".md": 2,
        ".txt": 2,
    }


def test_twenty_questions_with_gold_and_five_without() -> None:
    assert len(ANSWERABLE) == 20
    assert len(QUESTIONS) == 25
    assert len({question["id"] for question in QUESTIONS}) == 25
    for question in QUESTIONS:
        assert set(question) == {"id", "question", "documents", "answerable", "answer", "gold"}
        assert bool(question["gold"]) is question["answerable"]
        assert bool(question["answer"]) is question["answerable"]


def test_every_document_answers_a_question() -> None:
    answering = {gold["document"] for question in ANSWERABLE for gold in question["gold"]}
    assert answering == set(TEXTS)


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: str(question["id"]))
def test_gold_lines_stand_on_their_page_once(question: dict[str, Any]) -> None:
    for gold in question["gold"]:
        assert (gold["page"] is not None) is gold["document"].endswith(".pdf")
        page = TEXTS[gold["document"]][(gold["page"] or 1) - 1]
        assert page.count(gold["quote"]) == 1


def test_one_clause_alone_says_what_notice_the_tenant_must_give() -> None:
    text = " ".join(" ".join(texts) for texts in TEXTS.values())
    assert text.count("six months’ written notice") == 1


def test_remaking_gives_the_same_documents(remade: Path) -> None:
    assert {path.name: pages(path) for path in remade.iterdir()} == TEXTS


def test_no_document_holds_the_time_of_its_making(remade: Path, tmp_path: Path) -> None:
    script = ROOT / "scripts" / "make_samples.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    for path in remade.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()
