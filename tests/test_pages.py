"""The pages without a browser: what they say, and that what they read from outside is checked."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from ingest.engine import Engine
from rag import ui
from rag.config import Settings
from rag.names import document_name
from rag.types import Check, Claim, Page, Verdict
from rag.ui import door, evidence, files
from rag.ui.parts import _event, _layout
from rag.ui.trouble import plain
from tests.conftest import SAMPLES

SCRIPT = str(Path(ui.__file__).parent / "script.py")
SECONDS = 30


@pytest.fixture
def empty(engine: Engine, settings: Settings) -> Iterator[Engine]:
    door.connect(engine.assistant, settings)
    yield engine
    door.connect(None, None)


@pytest.fixture
def full(samples: Engine, settings: Settings) -> Iterator[Engine]:
    door.connect(samples.assistant, settings)
    yield samples
    door.connect(None, None)


def said(page: AppTest) -> str:
    texts = [*page.title, *page.markdown, *page.caption, *page.error, *page.warning]
    return "\n".join(str(item.value) for item in texts)


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()


def test_an_empty_archive_says_what_to_do(empty: Engine) -> None:
    assert empty.assistant.workspaces() == []
    page = AppTest.from_file(SCRIPT, default_timeout=SECONDS).run()
    assert [title.value for title in page.title] == ["Ask your documents, see the line"]
    assert "Open the sample workspace" in [button.label for button in page.button]
    assert not page.exception


def test_a_workspace_is_made_and_a_bad_name_is_told(empty: Engine) -> None:
    page = AppTest.from_file(SCRIPT, default_timeout=SECONDS).run()
    page.text_input[0].set_value("...")
    press(page, "Create workspace")
    assert "A workspace needs a name" in said(page)
    page.text_input[0].set_value("Larch Street")
    press(page, "Create workspace")
    assert [workspace.name for workspace in empty.assistant.workspaces()] == ["Larch Street"]
    assert "Nothing here yet" in said(page)


@pytest.mark.parametrize("number", ["x", "-1", "99999999999999999999", "٣", "7"])
def test_a_conversation_that_is_not_there_is_a_new_one(full: Engine, number: str) -> None:
    assert full.assistant.workspaces()
    page = AppTest.from_file(SCRIPT, default_timeout=SECONDS)
    page.query_params["workspace"] = SAMPLES
    page.query_params["conversation"] = number
    page.run()
    assert "What do you want to know?" in said(page)
    assert not page.exception


def test_evidence_is_cropped_around_the_cited_lines(full: Engine) -> None:
    assistant = full.assistant
    document = assistant.find_document(SAMPLES, "Lease Suite 3 Ropewalk House 2022.pdf")
    version = document.newest.id
    page = assistant.page(SAMPLES, document.id, 4)
    start = page.text.index("9.2 ")
    span = (start, page.text.index("notice.", start) + 7)
    whole = assistant.page_picture(SAMPLES, document.id, 4, version_id=version, span=span)
    part = evidence._cropped(whole, page, span)
    with Image.open(io.BytesIO(whole)) as large, Image.open(io.BytesIO(part)) as small:
        assert small.width < large.width
        assert small.height < large.height / 2
        assert yellow(small) == yellow(large) > 1000  # nothing of the box is cut off
    assert evidence._cropped(whole, Page(1, "no layout"), (0, 2)) == whole


def yellow(image: Image.Image) -> int:
    pixels = image.convert("RGB").tobytes()
    triples = zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True)
    return sum(red > 245 and 225 < green < 250 and blue < 210 for red, green, blue in triples)


def test_what_came_of_a_file_is_told(empty: Engine) -> None:
    assistant = empty.assistant
    assistant.create_workspace("W")
    first = assistant.upload("W", "a.txt", io.BytesIO(b"One."))
    assert files.told(first, "a.txt") == ("good", "")
    again = assistant.upload("W", "b.txt", io.BytesIO(b"One."))
    assert files.told(again, "b.txt") == (
        "known",
        "is here already under the name a.txt; it was not stored twice.",
    )
    newer = assistant.upload("W", "a.txt", io.BytesIO(b"Two."))
    kind, text = files.told(newer, "a.txt")
    assert kind == "good"
    assert text.startswith("is version 2 ")


@pytest.mark.parametrize(
    "sent", [None, 7, "open", {}, {"name": "open"}, {"name": "open", "value": "1"}, {"value": 1}]
)
def test_what_a_browser_sends_is_checked(sent: object) -> None:
    assert _event(sent) is None


def claims(*texts: str) -> list[Claim]:
    return [Claim(text, (1,), Check(Verdict.SUPPORTED, 1.0)) for text in texts]


def test_what_is_not_yet_checked_is_what_follows_the_last_sentence() -> None:
    text = "The rent is $40 [1]. \n\nIt is due\nmonthly [2][3]. And so on"
    starts, tail = _layout(text, claims("The rent is $40.", "It is due monthly."))
    assert starts == [False, True]
    assert tail == " And so on"
    assert _layout("All of it", []) == ([], "All of it")


def test_names_are_not_markup() -> None:
    name = document_name("![x](http://evil.example/x.png) $x^2$ :red[hi] <b>.md")
    assert plain(name).count("\\") > 10
    assert plain(name).replace("\\", "") == name
