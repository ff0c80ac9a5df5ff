"""Alembic's entry: run the steps on the connection that the database is being opened with."""

from __future__ import annotations

from alembic import context

from rag.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
