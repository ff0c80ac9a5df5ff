"""The web door: one ASGI app with the pages, the interface under ``/api`` and ``/healthz``.

Run by ``muniment serve``. Its lifespan opens the data folder (refusing when another process owns
it) and starts the worker; closing it ends running answers and lets the folder go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route

from ingest.engine import open_engine
from rag import config, ui
from rag.api import create_api
from rag.guard import Guard
from rag.serve import refuse_strangers
from rag.ui import door, files
from rag.ui.trouble import on_script_error

settings = config.load()
refuse_strangers(settings)


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Open the data folder for as long as the server runs."""
    with open_engine(settings) as engine:
        engine.assistant.archive.lock.publish(own_url())
        door.connect(engine.assistant, settings)
        try:
            yield
        finally:
            door.connect(None, None)


def own_url() -> str:
    """Return the address under which the terminal on this machine finds the server."""
    address = "127.0.0.1" if settings.address in {"0.0.0.0", "::"} else settings.address  # noqa: S104
    name = f"[{address}]" if ":" in address else address
    return f"http://{name}:{settings.port}"


async def healthz(_: Request) -> JSONResponse:
    """Tell that the server is up and its data folder open."""
    door.assistant().workspaces()
    return JSONResponse({"status": "ok"})


async def home(request: Request) -> RedirectResponse:
    """Lead from the address one would guess for *Ask* to the one it has, the first page's."""
    return RedirectResponse("/?" + request.url.query if request.url.query else "/")


app = st.App(
    Path(ui.__file__).parent / "script.py",
    lifespan=lifespan,
    routes=[
        Mount("/api", create_api(door.assistant)),
        Route("/healthz", healthz),
        Route("/ask", home),
        *files.routes(),
    ],
    middleware=[Middleware(Guard, allowed_hosts=settings.allowed_hosts.split(","))],
    on_script_error=on_script_error,
)
