"""The guard before every page and call: strangers are refused, headers are set."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from rag.guard import Guard


async def _hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


async def _size(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


TRICKS = [
    "localhost:1@evil.example",
    "localhost:",
    "localhost.",
    "localhost/evil",
    "[::1",
    "[::1]x",
]
"""Host names that a careless reader takes for ours."""


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(
        routes=[
            Route("/", _hello, methods=["GET", "POST"]),
            Route("/api/v1", _hello, methods=["GET", "POST"]),
            Route("/files/original", _hello),
            Route("/body", _size, methods=["POST"]),
            Route("/files/upload", _size, methods=["PUT"]),
            Route("/api/v1/workspaces/{name:path}/documents", _size, methods=["PUT"]),
            Route("/media/{name}", _hello),
            Route("/_stcore/upload_file/{name}", _hello, methods=["PUT"]),
            WebSocketRoute("/stream", _socket),
        ]
    )
    guarded = Guard(app, ["localhost", "127.0.0.1", "[::1]"])
    with TestClient(guarded, base_url="http://localhost:8501") as found:
        yield found


def test_a_known_name_is_served_with_security_headers(client: TestClient) -> None:
    response = client.get("/")
    assert response.text == "hello"
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert "http" not in response.headers["content-security-policy"]
    assert "ws:" not in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:8501", "", "10.0.0.9", *TRICKS]
)
def test_an_unknown_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["[::1]:8501", "127.0.0.1:9000", "LOCALHOST"])
def test_the_port_and_case_of_a_known_name_do_not_matter(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://localhost:9999",
        "https://localhost",
        "",
        "http://[::1",
        "http://evil@localhost:8501",
        "http://localhost:8501/",
        "ftp://localhost:8501",
    ],
)
def test_another_origin_is_refused(client: TestClient, origin: str) -> None:
    response = client.post("/api/v1", headers={"origin": origin})
    assert response.status_code == 403
    assert "another site" in response.text


def test_the_same_origin_passes(client: TestClient) -> None:
    headers = {"origin": "http://localhost:8501", "sec-fetch-site": "same-origin"}
    assert client.post("/api/v1", headers=headers).status_code == 200


def test_a_link_from_another_site_may_open_the_page_but_not_call_the_interface(
    client: TestClient,
) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=visit).status_code == 200
    assert client.get("/api/v1", headers=visit).status_code == 403
    assert client.post("/", headers=visit).status_code == 403


def test_a_picture_on_another_site_cannot_load_ours(client: TestClient) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert client.get("/", headers=headers).status_code == 403


def test_a_socket_from_another_origin_is_closed(client: TestClient) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("/stream", headers={"origin": "http://evil.example"}),
    ):
        pass
    with client.websocket_connect("/stream", headers={"host": "localhost"}) as socket:
        assert socket.receive_text() == "hello"


def test_two_names_are_none(client: TestClient) -> None:
    twice = [("host", "localhost:8501"), ("host", "evil.example")]
    assert client.get("/", headers=twice).status_code == 403


def test_one_foreign_origin_among_several_is_enough_to_refuse(client: TestClient) -> None:
    twice = [("origin", "http://localhost:8501"), ("origin", "http://evil.example")]
    assert client.post("/api/v1", headers=twice).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "something-new"])
def test_whatever_is_not_said_to_be_our_own_page_is_foreign(client: TestClient, site: str) -> None:
    assert client.post("/api/v1", headers={"sec-fetch-site": site}).status_code == 403


@pytest.mark.parametrize("path", ["/api/v1", "/files/original", "/media/page.png"])
def test_a_link_from_another_site_reaches_no_document(client: TestClient, path: str) -> None:
    visit = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get(path, headers=visit).status_code == 403


def test_our_page_cannot_be_put_into_a_frame(client: TestClient) -> None:
    frame = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    frame["sec-fetch-dest"] = "iframe"
    assert client.get("/", headers=frame).status_code == 403


@pytest.mark.parametrize("path", ["/api/v1", "/files/original", "/media/page.png"])
def test_no_browser_keeps_what_is_in_documents(client: TestClient, path: str) -> None:
    assert client.get(path).headers["cache-control"] == "no-store"
    assert "cache-control" not in client.get("/").headers


def test_the_address_that_keeps_uploads_in_memory_is_closed(client: TestClient) -> None:
    assert client.put("/_stcore/upload_file/x", content=b"x").status_code == 403


def _blocks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * 1_000_000


def test_a_call_without_a_file_cannot_fill_the_memory(client: TestClient) -> None:
    assert client.post("/body", content=_blocks(3)).text == "3000000"
    assert client.post("/body", content=_blocks(30)).status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/workspaces/a/b/documents", "/files/upload"])
def test_files_may_be_larger(client: TestClient, path: str) -> None:
    assert client.put(path, content=_blocks(30)).text == "30000000"
