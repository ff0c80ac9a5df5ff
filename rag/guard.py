"""What stands before every page and call: known host names, same origin, and security headers.

A page on another site must not be able to reach a server on this machine through the user's own
browser. So a request must name a host of the allow-list (which stops DNS rebinding), and whatever
comes from another origin is refused, for HTTP and for the page's web socket alike. Requests
without an ``Origin`` come from programs, not from browsers' pages, and pass.

A call's body is read into memory whole, unless it is a file on its way in, so it is bounded here.
Surprising: Streamlit's own upload address is closed. Our pages take files in otherwise, and what
comes there would lie in memory, with no limit on how many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DIRECTIVES = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(DIRECTIVES),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OWN_SITE = {"same-origin", "none"}
PRIVATE = ("/api", "/files", "/media")
"""What lies here is documents: opened by our own pages only, and kept by no browser."""

CLOSED = ("/_stcore/upload_file",)
LARGEST_CALL = 16_000_000
"""Bytes of a call that brings no file: ten thousand long names of documents fit."""

STRANGER = (
    "This server is not known by that name. Add the name to MUNIMENT_ALLOWED_HOSTS to allow it."
)
FOREIGN = "Calls from another site are refused."
NOT_OURS = "Nothing is taken in at this address."
TOO_LARGE = "This call is larger than any call can be"
_FILES = re.compile(r"/api/v1/workspaces/.+/documents|/files/upload", re.DOTALL)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?", re.ASCII)


class Guard:
    """Pure ASGI middleware over ``http`` and ``websocket``; everything else passes."""

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._hosts = {host.strip().lower() for host in allowed_hosts if host.strip()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse strangers; otherwise pass the request on and add the headers to the answer."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        sender = _with_headers(send, private=_within(scope["path"], PRIVATE))
        reason = self._refusal(Headers(scope=scope), scope)
        if reason is None:
            bounded = receive if _FILES.fullmatch(scope["path"]) else _bounded(receive)
            await self._app(scope, bounded, sender)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": reason})
        else:
            await PlainTextResponse(reason, status_code=403)(scope, receive, sender)

    def _refusal(self, headers: Headers, scope: Scope) -> str | None:
        hosts = headers.getlist("host")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        name = _HOST.fullmatch(host)
        if name is None or ("*" not in self._hosts and name[1] not in self._hosts):
            return STRANGER
        for origin in headers.getlist("origin"):
            if origin.lower() not in {f"http://{host}", f"https://{host}"}:
                return FOREIGN
        site = headers.get("sec-fetch-site", "none").lower()
        if site not in OWN_SITE and not _harmless_visit(headers, scope):
            return FOREIGN
        return NOT_OURS if _within(scope["path"], CLOSED) else None


def _harmless_visit(headers: Headers, scope: Scope) -> bool:
    """Tell whether somebody follows a link on another site to one of our pages."""
    return (
        scope["type"] == "http"
        and scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest", "document") == "document"
        and not _within(scope["path"], PRIVATE)
    )


def _within(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)


def _bounded(receive: Receive) -> Receive:
    came = 0

    async def receiver() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if message["type"] == "http.request" and came > LARGEST_CALL:
            raise HTTPException(413, TOO_LARGE)
        return message

    return receiver


def _with_headers(send: Send, *, private: bool) -> Send:
    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            if private:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return sender
