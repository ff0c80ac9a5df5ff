"""The HTTP interface: every route, every refusal, and what a hostile sender may try."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

import pytest
from PIL import Image
from starlette.testclient import TestClient

from ingest.engine import Engine, open_engine
from rag import config
from rag.api import create_api
from rag.assistant import Assistant
from rag.errors import DiskFull
from rag.types import Event, Found, Retrieved
from tests.conftest import settings_for

QUESTION = "How much notice must the tenant give?"
LEASE = "Lease Suite 3 Ropewalk House 2022.pdf"
TEXT = b"The tenant may end this lease by giving ninety days' written notice."


@pytest.fixture(scope="module")
def read(samples: Engine) -> Iterator[TestClient]:
    """The interface over the samples, which are not to be changed."""
    with TestClient(create_api(lambda: samples.assistant), base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A data folder of this file's own, which takes files of two megabytes."""
    settings = replace(settings_for(tmp_path_factory.mktemp("api")), max_upload_mb=2)
    with open_engine(settings) as engine:
        yield engine


@pytest.fixture
def api(own: Engine) -> Iterator[TestClient]:
    with TestClient(create_api(lambda: own.assistant), base_url="http://localhost") as client:
        yield client


@pytest.fixture
def place(api: TestClient, request: pytest.FixtureRequest) -> str:
    """The address of an empty workspace named after the test."""
    name = request.node.name[:70]
    assert api.post("/v1/workspaces", json={"name": name}).status_code == 201
    return f"/v1/workspaces/{quote(name, safe='')}"


def _lease(client: TestClient) -> dict[str, Any]:
    listed = client.get("/v1/workspaces/Samples/documents").json()
    return next(row for row in listed if row["document"] == LEASE)


def _told(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "remedy"}
    assert error["message"]
    return f"{error['message']} {error['remedy']}"


# Workspaces and documents


def test_workspaces_are_made_listed_and_deleted(api: TestClient) -> None:
    made = api.post("/v1/workspaces", json={"name": "  Matter\t7 "})
    assert made.status_code == 201
    assert made.json()["name"] == "Matter 7"
    assert "Matter 7" in [row["name"] for row in api.get("/v1/workspaces").json()]
    assert "already" in _told(api.post("/v1/workspaces", json={"name": "Matter 7"}), 400)
    assert api.delete("/v1/workspaces/Matter%207").status_code == 204
    assert "no workspace" in _told(api.delete("/v1/workspaces/Matter%207"), 404)


@pytest.mark.parametrize("name", ["Smith/Jones", "100% sure", "a%2Fb", "x/documents/1", "§ ?#&+é"])
def test_a_workspace_may_be_named_anything(api: TestClient, name: str) -> None:
    assert api.post("/v1/workspaces", json={"name": name}).json()["name"] == name
    path = f"/v1/workspaces/{quote(name, safe='')}"
    put = api.put(f"{path}/documents", params={"name": "a.txt"}, content=TEXT)
    assert put.status_code == 201
    assert [row["document"] for row in api.get(f"{path}/documents").json()] == ["a.txt"]
    assert api.delete(path).status_code == 204
    assert name not in [row["name"] for row in api.get("/v1/workspaces").json()]


def test_a_form_and_a_body_take_in_the_same(api: TestClient, own: Engine, place: str) -> None:
    form = api.post(f"{place}/documents", files={"file": ("lease.txt", TEXT)})
    assert form.status_code == 201
    assert form.json()["document"] == "lease.txt"
    assert form.json()["sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert not form.json()["already_there"]

    body = api.put(f"{place}/documents", params={"name": "copy.txt"}, content=TEXT)
    assert body.json()["already_there"]
    assert body.json()["document"] == "lease.txt"

    assert own.worker.wait_idle(60)
    row = api.get(f"{place}/documents/{form.json()['id']}").json()
    assert (row["status"], row["reason"], row["searchable"]) == ("ready", None, True)
    assert row["passages"] == row["embedded"] > 0


def test_a_body_comes_in_pieces_of_any_size(api: TestClient, place: str) -> None:
    pieces = [b"word " * size for size in (1, 0, 100_000, 3, 60_000)]
    put = api.put(f"{place}/documents", params={"name": "long.txt"}, content=iter(pieces))
    assert put.status_code == 201
    whole = b"".join(pieces)
    assert put.json()["bytes"] == len(whole)
    assert put.json()["sha256"] == hashlib.sha256(whole).hexdigest()
    assert api.delete(f"{place}/documents/{put.json()['id']}").status_code == 204


def test_too_large_is_refused_and_nothing_is_kept(api: TestClient, own: Engine, place: str) -> None:
    before = set(own.assistant.archive.originals.hashes())
    large = b"x" * 2_100_000
    put = api.put(f"{place}/documents", params={"name": "large.txt"}, content=large)
    assert "2 MB" in _told(put, 413)
    pieces = (b"y" * 100_000 for _ in range(50))
    assert "2 MB" in _told(
        api.put(f"{place}/documents", params={"name": "endless.txt"}, content=pieces), 413
    )
    assert "2 MB" in _told(api.post(f"{place}/documents", files={"file": ("l.txt", large)}), 413)
    huge = b"z" * 4_000_000
    assert "2 MB" in _told(api.post(f"{place}/documents", files={"file": ("l.txt", huge)}), 413)
    assert api.get(f"{place}/documents").json() == []
    assert set(own.assistant.archive.originals.hashes()) == before
    assert list((own.assistant.archive.settings.data / "originals" / "partial").iterdir()) == []


def test_an_upload_without_bytes_or_name_is_refused(api: TestClient, place: str) -> None:
    path = f"{place}/documents"
    assert _told(api.put(path, params={"name": "../.."}, content=TEXT), 400)
    assert _told(api.put(path, params={"name": ""}, content=TEXT), 400)
    assert "name" in _told(api.put(path, content=TEXT), 422)
    assert "file" in _told(api.post(path, data={"other": "x"}), 422)
    assert _told(api.post(path, content=b"no form", headers={"content-type": "text/plain"}), 422)
    broken = {"content-type": "multipart/form-data"}
    assert _told(api.post(path, content=b"no form", headers=broken), 400)
    unmeasured = api.post(path, content=iter([b"x"]), headers=broken)
    assert "Content-Length" in _told(unmeasured, 400)


def test_a_document_is_read_again_and_called_off(api: TestClient, own: Engine, place: str) -> None:
    put = api.put(f"{place}/documents", params={"name": "empty.pdf"}, content=b"%PDF-1.7\n")
    path = f"{place}/documents/{put.json()['id']}"
    assert own.worker.wait_idle(60)
    failed = api.get(path).json()
    assert failed["status"] == "failed"
    assert failed["reason"]
    assert api.post(f"{path}/retry").json()["status"] in {"queued", "parsing", "failed"}
    assert own.worker.wait_idle(60)
    assert api.get(path).json()["status"] == "failed"


def test_an_original_comes_back_whole_as_a_download(api: TestClient, place: str) -> None:
    row = api.put(f"{place}/documents", params={"name": "a/b.html"}, content=TEXT).json()
    got = api.get(f"{place}/documents/{row['id']}/original")
    assert got.content == TEXT
    assert got.headers["x-content-sha256"] == hashlib.sha256(TEXT).hexdigest()
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"] == "attachment; filename*=UTF-8''b.html"


def test_a_missing_original_is_told(api: TestClient, own: Engine, place: str) -> None:
    row = api.put(f"{place}/documents", params={"name": "gone.txt"}, content=b"soon gone").json()
    assert own.worker.wait_idle(60)
    own.assistant.archive.originals.delete(row["sha256"])
    assert "missing" in _told(api.get(f"{place}/documents/{row['id']}/original"), 404)
    assert api.delete(f"{place}/documents/{row['id']}").status_code == 204


HOSTILE = {
    "../../etc/passwd": "etc/passwd",
    "/etc/passwd": "etc/passwd",
    "C:\\x\\..\\y.txt": "C:/x/y.txt",
    "<script>alert(1)</script>.txt": "<script>alert(1)<",
    'say "hi"; x=y.txt': 'say "hi"; x=y.txt',
    "two\r\nX-Evil: 1\n.txt": "two X-Evil: 1 .txt",
    "Vertrag Ünïcödé 契約.txt": "Vertrag Ünïcödé 契約.txt",
    "evil\u202etxt.exe": "evil txt.exe",
}


@pytest.mark.parametrize(("name", "shown"), HOSTILE.items(), ids=range(len(HOSTILE)))
def test_a_hostile_name_is_only_text(
    api: TestClient, own: Engine, place: str, name: str, shown: str
) -> None:
    row = api.put(f"{place}/documents", params={"name": name}, content=name.encode()).json()
    assert row["document"].startswith(shown)
    listed = api.get(f"{place}/documents")
    assert listed.headers["content-type"] == "application/json"
    assert listed.json()[0]["document"] == row["document"]
    got = api.get(f"{place}/documents/{row['id']}/original")
    header = got.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[A-Za-z0-9._~%-]+", header)
    assert unquote(header.partition("''")[2]) == row["document"].rpartition("/")[2]
    data = own.assistant.archive.settings.data
    kept = own.assistant.archive.originals.path(row["sha256"])
    assert kept.is_relative_to(data)
    assert not [path for path in data.rglob("*") if "passwd" in path.name or "script" in path.name]


# Pages, search and answers


def test_a_page_and_its_picture(read: TestClient) -> None:
    lease = _lease(read)
    path = f"/v1/workspaces/Samples/documents/{lease['id']}/pages/4"
    page = read.get(path).json()
    assert page["page"] == 4
    start = re.search(r"six\s+months", page["text"]).start()  # type: ignore[union-attr]
    plain = read.get(f"{path}/picture")
    assert plain.headers["content-type"] == "image/png"
    span = {"start": start, "end": start + 10, "scale": 1.5}
    boxed = read.get(f"{path}/picture", params=span)
    first, second = (Image.open(io.BytesIO(each.content)) for each in (plain, boxed))
    assert first.format == "PNG"
    assert first.size == second.size
    assert abs(first.width - page["width"] * 1.5) <= 1
    assert boxed.content != plain.content, "the span is marked"


def test_a_page_that_is_not_there_is_told(read: TestClient) -> None:
    path = f"/v1/workspaces/Samples/documents/{_lease(read)['id']}/pages"
    assert _told(read.get(f"{path}/999"), 404)
    assert _told(read.get(f"{path}/999/picture"), 404)
    assert _told(read.get(f"{path}/0"), 422)
    assert _told(read.get(f"{path}/1/picture", params={"scale": 400}), 422)
    assert _told(read.get(f"{path}/1/picture", params={"start": -1}), 422)


def test_a_text_file_has_no_pictures(read: TestClient) -> None:
    listed = read.get("/v1/workspaces/Samples/documents").json()
    note = next(row for row in listed if row["document"].endswith(".txt"))
    path = f"/v1/workspaces/Samples/documents/{note['id']}/pages/1"
    assert read.get(path).json()["width"] == 0
    assert "text" in _told(read.get(f"{path}/picture"), 400)


def test_a_search_finds_passages_verbatim(read: TestClient) -> None:
    body = {"question": QUESTION, "limit": 3, "id": "q1"}
    row = read.post("/v1/workspaces/Samples/search", json=body).json()
    assert row["id"] == "q1"
    assert 0 <= row["confidence"] <= 1
    assert [hit["rank"] for hit in row["hits"]] == [1, 2, 3]
    for hit in row["hits"]:
        path = f"/v1/workspaces/Samples/documents/{hit['document_id']}/pages/{hit['page'] or 1}"
        assert read.get(path).json()["text"][hit["start"] : hit["end"]] == hit["text"]


def test_a_search_keeps_to_the_documents_named(read: TestClient) -> None:
    body = {"question": QUESTION, "documents": ["Field Trip Policy.md"]}
    row = read.post("/v1/workspaces/Samples/search", json=body).json()
    assert {hit["document"] for hit in row["hits"]} == {"Field Trip Policy.md"}
    body["documents"] = ["Field Trip Policy.md", "missing.pdf"]
    assert "missing.pdf" in _told(read.post("/v1/workspaces/Samples/search", json=body), 404)


def test_an_answer_as_json(read: TestClient) -> None:
    row = read.post("/v1/workspaces/Samples/ask", json={"question": QUESTION, "id": "q2"}).json()
    assert row["id"] == "q2"
    assert row["outcome"] == "answered"
    assert row["citations"][0]["document"] == LEASE
    assert row["citations"][0]["boxes"]
    assert row["problem"] is None


def _events(text: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        row = json.loads(data.removeprefix("data: "))
        found.append((name.removeprefix("event: "), row))
    return found


def test_an_answer_as_a_stream(read: TestClient) -> None:
    headers = {"accept": "text/event-stream"}
    body = {"question": QUESTION, "id": "q3"}
    response = read.post("/v1/workspaces/Samples/ask", json=body, headers=headers)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = _events(response.text)
    names = [name for name, _ in events]
    assert names[0] == "retrieved"
    assert names[-1] == "finished"
    assert set(names[1:-1]) == {"token", "checked"}
    assert names.index("token") < names.index("checked")
    said = "".join(row["text"] for name, row in events if name == "token")
    last = events[-1][1]
    assert last["answer"] == said.strip()
    assert last["id"] == "q3"
    checked = [row["sentence"] for name, row in events if name == "checked"]
    assert checked == last["sentences"]


def test_a_stream_that_cannot_begin_has_its_own_status(read: TestClient) -> None:
    headers = {"accept": "text/event-stream"}
    path = "/v1/workspaces/Samples/ask"
    assert _told(read.post(path, json={"question": " "}, headers=headers), 400)
    missing = {"question": QUESTION, "documents": ["missing.pdf"]}
    assert _told(read.post(path, json=missing, headers=headers), 404)


def test_a_follow_up_is_understood(read: TestClient) -> None:
    body = {
        "question": "And the landlord?",
        "history": [{"question": QUESTION, "answer": "Six months."}],
    }
    row = read.post("/v1/workspaces/Samples/ask", json=body).json()
    assert row["standalone"] == f"{QUESTION} And the landlord?"


def test_the_longest_question_is_still_answered_or_refused_in_words(read: TestClient) -> None:
    long = ("notice of the tenant " * 200)[:4000]
    for route in ("search", "ask"):
        path = f"/v1/workspaces/Samples/{route}"
        assert read.post(path, json={"question": long}).status_code == 200
        assert "4000" in _told(read.post(path, json={"question": f"{long}xx"}), 422)


# What is refused


@pytest.mark.parametrize("route", ["search", "ask"])
@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"question": ""}, 400, "empty"),
        ({"question": " \n"}, 400, "empty"),
        ({}, 422, "question"),
        ({"question": 7}, 422, "question"),
        ({"question": "q", "documents": "a.txt"}, 422, "documents"),
        ({"question": "q", "temperature": 2}, 422, "temperature"),
        ([], 422, "understood"),
    ],
)
def test_a_wrong_body_is_refused_in_words(
    read: TestClient, route: str, body: object, status: int, word: str
) -> None:
    assert word in _told(read.post(f"/v1/workspaces/Samples/{route}", json=body), status)


def test_what_is_not_json_is_refused(read: TestClient) -> None:
    path = "/v1/workspaces/Samples/search"
    headers = {"content-type": "application/json"}
    for content in (b"{", b"\xff", b'{"question": "\\ud800"}', b"[" * 50_000):
        response = read.post(path, content=content, headers=headers)
        assert _told(response, response.status_code)
        assert response.status_code in {400, 422}


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", str(2**63), "9" * 400])
def test_a_number_that_is_none_is_refused(read: TestClient, number: str) -> None:
    for rest in ("", "/original", "/pages/1"):
        path = f"/v1/workspaces/Samples/documents/{number}{rest}"
        assert _told(read.get(path), 422)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/workspaces/None/documents"),
        ("GET", "/v1/workspaces/Samples/documents/999999"),
        ("GET", "/v1/workspaces/Samples/documents/999999/original"),
        ("GET", "/v1/workspaces/Samples/documents/999999/pages/1"),
        ("DELETE", "/v1/workspaces/Samples/documents/999999"),
        ("POST", "/v1/workspaces/Samples/documents/999999/cancel"),
        ("POST", "/v1/workspaces/Samples/documents/999999/retry"),
        ("PUT", "/v1/workspaces/None/documents?name=a.txt"),
        ("DELETE", "/v1/workspaces/None"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/workspaces/Samples/documents/../../../etc/passwd"),
    ],
)
def test_what_is_not_there_is_told(read: TestClient, method: str, path: str) -> None:
    content = TEXT if method == "PUT" else None
    assert _told(read.request(method, path, content=content), 404)


def test_a_wrong_method_is_told(read: TestClient) -> None:
    assert _told(read.put("/v1/status"), 405)


def test_a_document_of_one_workspace_is_not_in_another(api: TestClient, place: str) -> None:
    row = api.put(f"{place}/documents", params={"name": "a.txt"}, content=b"Mine alone.").json()
    api.post("/v1/workspaces", json={"name": "other"})
    path = f"/v1/workspaces/other/documents/{row['id']}"
    for rest in ("", "/original", "/pages/1", "/pages/1/picture"):
        assert _told(api.get(path + rest), 404)
    assert _told(api.delete(path), 404)
    assert _told(api.post(f"{path}/cancel"), 404)
    assert api.delete("/v1/workspaces/other").status_code == 204
    assert api.get(f"{place}/documents/{row['id']}/original").content == b"Mine alone."


# The server itself


def test_the_reference_needs_no_script_and_nobody_else(read: TestClient) -> None:
    page = read.get("/v1/docs").text
    assert "<script" not in page
    assert re.findall(r"""(?:href|src|url\()\s*=?\s*["']?([^"'\s>)]+)""", page) == ["openapi.json"]
    assert "http:" not in page
    assert "https:" not in page
    schema = read.get("/v1/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method in methods:
            assert f"<b>{method.upper()}</b><code>/api{path}</code>" in page
    assert "/v1/workspaces/{workspace}/ask" in schema["paths"]


def test_the_form_stands_in_the_reference(read: TestClient) -> None:
    schema = read.get("/v1/openapi.json").json()
    call = schema["paths"]["/v1/workspaces/{workspace}/documents"]["post"]
    form = call["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert form["properties"]["file"]["format"] == "binary"


def test_the_status_says_who_speaks(read: TestClient, samples: Engine) -> None:
    row = read.get("/v1/status").json()
    assert row["pending_jobs"] == 0
    assert row["specialist"] == samples.assistant.archive.specialist.hash
    assert row["model"]


def test_doctor_and_reindex(api: TestClient, own: Engine, place: str) -> None:
    row = api.put(f"{place}/documents", params={"name": "a.txt"}, content=b"Rent is due.").json()
    assert own.worker.wait_idle(60)
    name = unquote(place.rpartition("/")[2])
    assert api.post("/v1/reindex", json={"workspace": name}).json() == {"passages": 1}
    own.assistant.archive.originals.delete(row["sha256"])
    (finding,) = api.post("/v1/doctor", json={"repair": True}).json()["findings"]
    assert "The original of “a.txt” is missing" in finding
    assert api.delete(f"{place}/documents/{row['id']}").status_code == 204
    assert api.post("/v1/doctor", json={}).json() == {"findings": []}
    assert _told(api.post("/v1/reindex", json={"workspace": "None"}), 404)
    assert _told(api.post("/v1/doctor", json={"repairs": True}), 422)


class _Breaking(Assistant):
    """An assistant whose answers break after the first event, as on a failing disk."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def ask(self, *_: object, **__: object) -> Iterator[Event]:
        yield Retrieved("q", Found((), 0.0, 0.0), "none")
        raise self._error


def test_an_error_in_mid_stream_is_an_event() -> None:
    door = _Breaking(DiskFull("No room.", "Free some."))
    with TestClient(create_api(lambda: door)) as client:
        headers = {"accept": "text/event-stream"}
        response = client.post("/v1/workspaces/w/ask", json={"question": "q"}, headers=headers)
        assert [name for name, _ in _events(response.text)] == ["retrieved", "error"]
        assert _events(response.text)[1][1] == {"message": "No room.", "remedy": "Free some."}
        assert "No room." in _told(client.post("/v1/workspaces/w/ask", json={"question": "q"}), 503)


def test_a_fault_of_ours_is_told_without_its_insides() -> None:
    door = _Breaking(KeyError("secret"))
    with TestClient(create_api(lambda: door), raise_server_exceptions=False) as client:
        told = _told(client.post("/v1/workspaces/w/ask", json={"question": "q"}), 500)
        assert "unexpected" in told
        assert "secret" not in told


def test_nothing_of_the_samples_was_changed(samples: Engine) -> None:
    documents = samples.assistant.documents("Samples")
    assert len(documents) == len(list((config.shipped("samples") / "documents").iterdir()))


@pytest.mark.parametrize(
    "body",
    [
        '{"question": "rent", "documents": ["\\ud800"]}',
        '{"question": "\\udfff"}',
        '{"question": "rent", "history": [{"question": "\\ud800", "answer": ""}]}',
    ],
)
def test_half_a_character_is_refused(read: TestClient, body: str) -> None:
    response = read.post(
        "/v1/workspaces/Samples/ask", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 422
    assert "half of a character" in response.json()["error"]["message"]


def test_a_history_without_end_is_refused(read: TestClient) -> None:
    body = {"question": "rent", "history": [{"question": "q", "answer": "a"}] * 21}
    assert read.post("/v1/workspaces/Samples/ask", json=body).status_code == 422
