"""The HTTP interface, ``/api/v1``: workspaces, documents, search and ask, over the assistant.

Translating only: JSON in, one call of the assistant, a row of :mod:`rag.rows` out. Answers come as
JSON, or as server-sent events to whoever accepts ``text/event-stream``. Errors are
``{"error": {"message", "remedy"}}`` with the status of :mod:`rag.errors`; one that comes when a
stream has begun is an event named ``error``. Surprising: a slash in a workspace's name is sent as
``%2F``, which :class:`_KeepSlashes` keeps from being taken for the path's own.
"""

from __future__ import annotations

import functools
import io
import logging
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated
from urllib.parse import quote, unquote

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse
from pydantic import AfterValidator
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from rag import rows
from rag.archive import MEGABYTE
from rag.assistant import Assistant
from rag.body import THREADS, Body, drain
from rag.errors import BadRequest, MunimentError, TooLarge
from rag.reference import reference_page
from rag.requests import AskRequest, DoctorRequest, NewWorkspace, ReindexRequest, SearchRequest
from rag.types import Event, Finished, Turn

LARGEST_ID = 2**63 - 1
FORM_FRAME = 1 << 20
"""Bytes that a form may have around its file."""

FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
}

logger = logging.getLogger(__name__)

WorkspaceName = Annotated[str, AfterValidator(unquote)]
Number = Annotated[int, Path(ge=1, le=LARGEST_ID)]

router = APIRouter(prefix="/v1")


def create_api(find: Callable[[], Assistant]) -> FastAPI:
    """Return the interface; ``find`` gives the assistant of the open data folder."""
    api = FastAPI(
        title="Muniment",
        version="1",
        description="A private document assistant: documents in, cited answers out.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    api.state.find = find
    api.add_exception_handler(MunimentError, _told)
    api.add_exception_handler(RequestValidationError, _not_understood)
    api.add_exception_handler(HTTPException, _no_such_call)
    api.add_exception_handler(Exception, _unexpected)
    api.add_middleware(_KeepSlashes)
    api.include_router(router)
    return api


def _find(request: Request) -> Assistant:
    find: Callable[[], Assistant] = request.app.state.find
    return find()


Door = Annotated[Assistant, Depends(_find)]


class _KeepSlashes:
    """Leaves ``%2F`` and ``%25`` in the path as they came; the workspace's name decodes them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"%" in scope.get("raw_path", b""):
            parts = re.split(r"(%2[Ff]|%25)", scope["raw_path"].decode("ascii", "replace"))
            kept = [part if number % 2 else unquote(part) for number, part in enumerate(parts)]
            scope = {**scope, "path": "".join(kept)}
        await self._app(scope, receive, send)


def _trouble(message: str, remedy: str, status: int) -> Response:
    return JSONResponse({"error": {"message": message, "remedy": remedy}}, status_code=status)


def _told(_: Request, error: Exception) -> Response:
    if not isinstance(error, MunimentError):
        raise error
    return _trouble(error.message, error.remedy, error.status)


def _no_such_call(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return _trouble(f"{error.detail}.", "The calls are told in /api/v1/docs.", error.status_code)


def _unexpected(_: Request, error: Exception) -> Response:
    logger.error("a call failed", exc_info=error)
    return _trouble("Something unexpected happened here.", "The server's log says more.", 500)


def _not_understood(_: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else []
    where = ".".join(str(part) for part in details[0]["loc"][1:]) if details else ""
    why = f"{where}: {details[0]['msg']}" if details else str(error)
    return _trouble(
        f"The request was not understood: {why}.", "Its form is told in /api/v1/docs.", 422
    )


@router.get("/docs", include_in_schema=False)
def docs(request: Request) -> HTMLResponse:
    """Describe the interface as a plain page, without any script."""
    return HTMLResponse(reference_page(request.app.openapi()))


@router.get("/status", tags=["server"])
def status(door: Door) -> rows.Row:
    """Tell who would speak, and how much waits to be read."""
    return door.status()


@router.post("/reindex", tags=["server"])
def reindex(door: Door, request: ReindexRequest) -> rows.Row:
    """Rebuild the vectors from the database, without embedding again."""
    return {"passages": door.reindex(request.workspace)}


@router.post("/doctor", tags=["server"])
def doctor(door: Door, request: DoctorRequest) -> rows.Row:
    """Compare originals, database, keywords and vectors; mend them if asked to."""
    return {"findings": door.doctor(repair=request.repair)}


@router.get("/workspaces", tags=["workspaces"])
def list_workspaces(door: Door) -> list[rows.Row]:
    """List the workspaces."""
    return [rows.workspace_row(workspace) for workspace in door.workspaces()]


@router.post("/workspaces", status_code=201, tags=["workspaces"])
def create_workspace(door: Door, request: NewWorkspace) -> rows.Row:
    """Make a workspace."""
    return rows.workspace_row(door.create_workspace(request.name))


@router.delete("/workspaces/{workspace}", status_code=204, tags=["workspaces"])
def delete_workspace(door: Door, workspace: WorkspaceName) -> None:
    """Delete a workspace with everything in it."""
    door.delete_workspace(workspace)


@router.get("/workspaces/{workspace}/documents", tags=["documents"])
def list_documents(door: Door, workspace: WorkspaceName) -> list[rows.Row]:
    """List the documents of a workspace with their states."""
    return [rows.document_row(document) for document in door.documents(workspace)]


@router.post(
    "/workspaces/{workspace}/documents",
    status_code=201,
    tags=["documents"],
    openapi_extra={"requestBody": {"content": {"multipart/form-data": {"schema": FORM}}}},
)
async def upload_form(door: Door, workspace: WorkspaceName, request: Request) -> rows.Row:
    """Take in the ``file`` of a form. It is safe when this returns, and read afterwards."""
    _refuse_large_form(request, door.archive.settings.max_upload_mb)
    async with request.form(max_files=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            missing = {"loc": ("body", "file"), "msg": "Field required", "type": "missing"}
            raise RequestValidationError([missing])
        uploaded = await anyio.to_thread.run_sync(
            door.upload, workspace, file.filename or "", file.file
        )
    return rows.upload_row(uploaded)


def _refuse_large_form(request: Request, megabytes: int) -> None:
    """Look at a form's size before it is read, for it is read to its end before it is ours."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(
            "The form does not say how long it is (Content-Length).",
            "Say so, or send the file's bytes by PUT.",
        )
    if int(length) > megabytes * MEGABYTE + FORM_FRAME:
        raise TooLarge(
            f"The file is larger than {megabytes} MB.",
            "Split it, or have the limit raised (max_upload_mb).",
        )


@router.put("/workspaces/{workspace}/documents", status_code=201, tags=["documents"])
async def upload_bytes(
    door: Door, workspace: WorkspaceName, request: Request, name: Annotated[str, Query()]
) -> rows.Row:
    """Take in a file whose bytes are the request's body, as a stream of any length."""
    blocks = request.stream()
    body = io.BufferedReader(Body(blocks))
    try:
        uploaded = await anyio.to_thread.run_sync(
            door.upload, workspace, name, body, limiter=THREADS
        )
    except MunimentError:
        await drain(blocks)
        raise
    return rows.upload_row(uploaded)


@router.get("/workspaces/{workspace}/documents/{document_id}", tags=["documents"])
def get_document(door: Door, workspace: WorkspaceName, document_id: Number) -> rows.Row:
    """Tell the state of a document."""
    return rows.document_row(door.document(workspace, document_id))


@router.delete(
    "/workspaces/{workspace}/documents/{document_id}", status_code=204, tags=["documents"]
)
def delete_document(door: Door, workspace: WorkspaceName, document_id: Number) -> None:
    """Delete a document: its rows, its passages, its vectors and its original."""
    door.delete_document(workspace, document_id)


@router.post("/workspaces/{workspace}/documents/{document_id}/cancel", tags=["documents"])
def cancel_document(door: Door, workspace: WorkspaceName, document_id: Number) -> rows.Row:
    """Stop reading a document."""
    door.cancel(workspace, document_id)
    return rows.document_row(door.document(workspace, document_id))


@router.post("/workspaces/{workspace}/documents/{document_id}/retry", tags=["documents"])
def retry_document(door: Door, workspace: WorkspaceName, document_id: Number) -> rows.Row:
    """Read a document again that failed or was cancelled."""
    door.retry(workspace, document_id)
    return rows.document_row(door.document(workspace, document_id))


@router.get("/workspaces/{workspace}/documents/{document_id}/original", tags=["documents"])
def get_original(door: Door, workspace: WorkspaceName, document_id: Number) -> Response:
    """Send the original file, always as a download."""
    path, version = door.original(workspace, document_id)
    name = quote(door.document(workspace, document_id).name.rpartition("/")[2])
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
        "X-Content-SHA256": version.sha256,
    }
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


@router.get("/workspaces/{workspace}/documents/{document_id}/pages/{page}", tags=["documents"])
def get_page(door: Door, workspace: WorkspaceName, document_id: Number, page: Number) -> rows.Row:
    """Send the text of a page, counted from 1."""
    found = door.page(workspace, document_id, page)
    return {"page": found.number, "text": found.text, "width": found.width, "height": found.height}


@router.get(
    "/workspaces/{workspace}/documents/{document_id}/pages/{page}/picture", tags=["documents"]
)
def get_picture(
    door: Door,
    workspace: WorkspaceName,
    document_id: Number,
    page: Number,
    start: Annotated[int, Query(ge=0)] = 0,
    end: Annotated[int, Query(ge=0)] = 0,
    scale: Annotated[float, Query(gt=0, le=4)] = 1.5,
) -> Response:
    """Send the picture of a page as PNG, the characters ``start`` to ``end`` boxed."""
    picture = door.page_picture(workspace, document_id, page, span=(start, end), scale=scale)
    return Response(picture, media_type="image/png")


@router.post("/workspaces/{workspace}/search", tags=["questions"])
def search(door: Door, workspace: WorkspaceName, request: SearchRequest) -> rows.Row:
    """Find the passages nearest to a question."""
    found = door.search(
        workspace, request.question, documents=request.documents, limit=request.limit
    )
    return rows.search_row(request.id, found)


@router.post("/workspaces/{workspace}/ask", tags=["questions"])
def ask(door: Door, workspace: WorkspaceName, body: AskRequest, request: Request) -> Response:
    """Answer a question: JSON, or server-sent events for ``Accept: text/event-stream``."""
    history = [Turn(turn.question, turn.answer) for turn in body.history]
    left = threading.Event()
    events = door.ask(
        workspace, body.question, documents=body.documents, history=history, stopped=left.is_set
    )
    if "text/event-stream" in request.headers.get("accept", ""):
        first = next(events)  # an error before the first word still has its own status
        stream = _server_sent(first, events, body.id, left)
        return StreamingResponse(stream, media_type="text/event-stream")
    *_, last = events
    if not isinstance(last, Finished):
        raise TypeError(last)
    return JSONResponse(rows.ask_row(body.id, last.answer))


async def _server_sent(
    first: Event, events: Iterator[Event], identifier: str, left: threading.Event
) -> AsyncIterator[str]:
    """Write events as they come; when the reader leaves, the model is told to stop."""
    event: Event | None = first
    following = functools.partial(next, events, None)
    try:
        while event is not None:
            yield _frame(*rows.event_row(event, identifier))
            event = await anyio.to_thread.run_sync(following, abandon_on_cancel=True)
    except MunimentError as error:
        yield _frame("error", {"message": error.message, "remedy": error.remedy})
    finally:
        left.set()


def _frame(name: str, row: rows.Row) -> str:
    return f"event: {name}\ndata: {rows.line(row)}\n\n"
