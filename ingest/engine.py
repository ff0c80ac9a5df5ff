"""A data folder, opened and at work: the assistant in front, the worker behind.

Both doors (the page's server and the terminal) open this; it is where ``rag``, which answers, is
given what ``ingest`` can do: read documents and draw their pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from ingest import sandbox
from ingest.pipeline import Pipeline
from ingest.render import page_picture
from rag.archive import Archive, open_archive
from rag.assistant import Assistant
from rag.config import Settings
from rag.doctor import heal
from rag.models.embed import EmbedderPool, open_tokens
from rag.worker import Worker


@dataclass(frozen=True, slots=True)
class Engine:
    """An open data folder at work."""

    assistant: Assistant
    worker: Worker


@contextmanager
def open_engine(settings: Settings) -> Iterator[Engine]:
    """Open a data folder and go on with whatever was left undone; close it cleanly after.

    Raises:
        DataFolderError: the folder is in use, full or not writable.
        BadSetting: a setting, the specialist or the recipe is wrong.
    """
    with ExitStack() as stack:
        archive = open_archive(settings)
        stack.callback(archive.close)
        heal(archive)
        pool = stack.enter_context(EmbedderPool(archive.recipe, settings))
        sandbox.warm()
        stack.callback(sandbox.close)
        assistant = Assistant(archive, page_picture)
        stack.callback(assistant.close)
        worker = _worker(archive, pool)
        assistant.attach(worker)
        worker.start()
        stack.callback(worker.stop)
        yield Engine(assistant, worker)


def _worker(archive: Archive, pool: EmbedderPool) -> Worker:
    pipeline = Pipeline(
        catalogue=archive.catalogue,
        passages=archive.passages,
        jobs=archive.jobs,
        originals=archive.originals,
        vectors=archive.vectors,
        pool=pool,
        tokens=open_tokens(archive.recipe, archive.settings),
        recipe=archive.recipe,
        settings=archive.settings,
    )
    return Worker(archive.jobs, pipeline.handlers())
