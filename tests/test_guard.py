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


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = Starlette(
        routes=[
            Route("/", _hello, methods=["GET", "POST"]),
            Route("/api/v1", _hello, methods=["GET", "POST"]),
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
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8501", "", "10.0.0.9"])
def test_an_unknown_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["[::1]:8501", "127.0.0.1:9000", "LOCALHOST"])
def test_the_port_and_case_of_a_known_name_do_not_matter(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:9999", "https://localhost"]
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
