"""Two workspaces: nothing of one is ever found from the other, whatever goes on at the same time."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from ingest.engine import Engine, open_engine
from rag.api import create_api
from rag.errors import NotFound
from rag.types import Finished
from tests.conftest import settings_for

SECRETS = {"left": "heliotrope", "right": "chrysoprase"}
OTHER = {"left": "right", "right": "left"}


def _text(side: str, number: int) -> bytes:
    secret = SECRETS[side]
    return (
        f"File {number} of matter {side}.\n\n"
        f"The password of the {secret} vault is {secret}-{number}. Rent is due monthly.\n"
    ).encode()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Two workspaces filled once, not to be changed."""
    with open_engine(settings_for(tmp_path_factory.mktemp("two"))) as engine:
        _fill(engine)
        yield engine


def _fill(engine: Engine) -> None:
    for side in SECRETS:
        engine.assistant.create_workspace(side)
        for number in range(6):
            _upload(engine, side, number)
    assert engine.worker.wait_idle(60)


def _upload(engine: Engine, side: str, number: int) -> None:
    engine.assistant.upload(side, f"{side}-{number}.txt", io.BytesIO(_text(side, number)))


def _churn(engine: Engine, side: str, stop: threading.Event) -> None:
    number = 100
    while not stop.is_set():
        number += 1
        _upload(engine, side, number)
        documents = engine.assistant.documents(side)
        if len(documents) > 12:
            engine.assistant.delete_document(side, documents[0].id)


def _leaks(engine: Engine, side: str, attempt: int) -> str:
    """Look from one side for the other's secret; return what leaked."""
    other = SECRETS[OTHER[side]]
    question = f"What is the password of the {other} vault {attempt % 7}?"
    found = engine.assistant.search(side, question, limit=20)
    seen = " ".join(f"{hit.document} {hit.text}" for hit in found.hits)
    return seen if other in seen else ""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("tries", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_many_looks_find_nothing_of_the_other(engine: Engine, tries: int) -> None:
    _fill(engine)
    stop = threading.Event()
    with ThreadPoolExecutor(6) as threads:
        churning = [threads.submit(_churn, engine, side, stop) for side in SECRETS]
        sides = [side for attempt in range(tries // 2) for side in SECRETS]
        leaked = [
            found
            for found in threads.map(
                lambda item: _leaks(engine, item[1], item[0]), enumerate(sides)
            )
            if found
        ]
        stop.set()
        for task in churning:
            task.result()
    assert len(sides) >= tries
    assert leaked == []


def test_each_side_finds_its_own(two: Engine) -> None:
    for side, secret in SECRETS.items():
        found = two.assistant.search(side, f"password of the {secret} vault")
        assert secret in found.hits[0].text


def test_a_document_of_one_is_not_there_for_the_other(two: Engine) -> None:
    theirs = two.assistant.documents("right")[0]
    door = two.assistant
    with pytest.raises(NotFound):
        door.document("left", theirs.id)
    with pytest.raises(NotFound):
        door.page("left", theirs.id, 1)
    with pytest.raises(NotFound):
        door.original("left", theirs.id)
    with pytest.raises(NotFound):
        door.delete_document("left", theirs.id)
    with pytest.raises(NotFound):
        door.search("left", "password", documents=[theirs.name])
    with pytest.raises(NotFound):
        door.versions("left", theirs.id)


def test_the_interface_keeps_them_apart(two: Engine) -> None:
    api = TestClient(create_api(lambda: two.assistant))
    theirs = two.assistant.documents("right")[0]
    body = {"question": "What is the password of the chrysoprase vault?"}
    for path in ("search", "ask"):
        told = api.post(f"/v1/workspaces/left/{path}", json=body).text
        assert "chrysoprase-" not in told
        assert "right-" not in told
    for path in ("", "/pages/1", "/original", "/pages/1/picture"):
        url = f"/v1/workspaces/left/documents/{theirs.id}{path}"
        assert api.get(url).status_code == 404


def test_an_answer_cites_its_own_side_only(two: Engine) -> None:
    *_, last = two.assistant.ask("left", "What is the password of the chrysoprase vault?")
    assert isinstance(last, Finished)
    quotes = " ".join(citation.quote for citation in last.answer.citations)
    nearest = " ".join(hit.text for hit in last.answer.nearest)
    assert "chrysoprase" not in quotes + nearest
