"""Files to and from the browser, for the pages: taking one in, and handing an original back.

The interface under ``/api`` does the same for programs. These two are for our own pages: a
workspace's name stands in the query, since it may hold a slash, and what came of a file is told in
words for people. A file is streamed to its place, so nothing of it lies in memory.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from urllib.parse import quote, urlencode

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from rag.body import THREADS, Body, drain
from rag.errors import BadRequest, MunimentError
from rag.types import Uploaded
from rag.ui.door import assistant
from rag.ui.links import LONGEST_NUMBER


def routes() -> Sequence[BaseRoute]:
    """Return the addresses of this module."""
    return [
        Route("/files/upload", take_in, methods=["PUT"]),
        Route("/files/original", original, methods=["GET"]),
    ]


def original_address(workspace: str, document_id: int) -> str:
    """Return the address, on this server, of a document's original."""
    return "/files/original?" + urlencode({"workspace": workspace, "document": document_id})


async def take_in(request: Request) -> Response:
    """Take in the body as a file and tell what came of it."""
    name = request.query_params.get("name", "")
    blocks = request.stream()
    try:
        uploaded = await anyio.to_thread.run_sync(
            assistant().upload,
            request.query_params.get("workspace", ""),
            name,
            io.BufferedReader(Body(blocks)),
            limiter=THREADS,
        )
    except MunimentError as error:
        await drain(blocks)
        return JSONResponse(
            {"kind": "bad", "text": f"was not taken in. {error}"}, status_code=error.status
        )
    kind, text = told(uploaded, name)
    return JSONResponse({"kind": kind, "text": text}, status_code=201)


def told(uploaded: Uploaded, name: str) -> tuple[str, str]:
    """Say what taking in a file came to; the text goes on after its name, empty if all is usual."""
    document = uploaded.document
    if uploaded.already_there:
        other = "" if document.name == name else f" under the name {document.name}"
        return "known", f"is here already{other}; it was not stored twice."
    if uploaded.new_version:
        return "good", (
            f"is version {document.newest.number} of a document known here. The one before "
            "answers until this one is ready."
        )
    return "good", ""


async def original(request: Request) -> Response:
    """Send a document's original, always as a download."""
    try:
        workspace = request.query_params.get("workspace", "")
        number = request.query_params.get("document", "")
        if not (number.isascii() and number.isdigit() and len(number) <= LONGEST_NUMBER):
            raise BadRequest("The address names no document.", "Go back to the documents.")
        path, version = await anyio.to_thread.run_sync(assistant().original, workspace, int(number))
        document = assistant().document(workspace, int(number))
    except MunimentError as error:
        return PlainTextResponse(str(error), status_code=error.status)
    name = quote(document.name.rpartition("/")[2])
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-SHA256": version.sha256,
    }
    return FileResponse(path, media_type="application/octet-stream", headers=headers)
