"""The tables, in SQLAlchemy Core, and the virtual table of the full-text search.

What the code believes the database to be. The migrations make it so; a test holds the two equal.
Knows no connection. Surprising here: ids are never used twice (AUTOINCREMENT), because the vectors
outside SQL are found by them; and the full-text table keeps terms that :mod:`rag.text.terms` made,
joined by spaces, so its tokenizer cuts at nothing but ASCII space and control characters.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _identity() -> Column[int]:
    return Column("id", Integer, primary_key=True, autoincrement=True)


def _owner(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Integer, ForeignKey(target, ondelete="CASCADE"), nullable=nullable)


meta = Table(
    "meta",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    _identity(),
    Column("name", String, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    _identity(),
    _owner("workspace_id", "workspaces.id"),
    Column("name", String, nullable=False),
    Column(
        "searchable_version_id",
        Integer,
        ForeignKey("versions.id", ondelete="SET NULL", use_alter=True),
        nullable=True,
    ),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("workspace_id", "name"),
    Index(None, "searchable_version_id"),
    sqlite_autoincrement=True,
)

versions = Table(
    "versions",
    metadata,
    _identity(),
    _owner("document_id", "documents.id"),
    Column("number", Integer, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("bytes", Integer, nullable=False),
    Column("media_type", String, nullable=False),
    Column("status", String, nullable=False, index=True),
    Column("reason", Text, nullable=True),
    Column("cancelled", Boolean, nullable=False, server_default=false()),
    Column("pages", Integer, nullable=False, server_default=text("0")),
    Column("paged", Boolean, nullable=False, server_default=false()),
    Column("title", Text, nullable=False, server_default=text("''")),
    Column("passages", Integer, nullable=False, server_default=text("0")),
    Column("embedded", Integer, nullable=False, server_default=text("0")),
    Column("created_at", Float, nullable=False),
    Column("ready_at", Float, nullable=True),
    UniqueConstraint("document_id", "number"),
    sqlite_autoincrement=True,
)

# The blobs stand last, so that reading a page's text does not read its boxes along with it.
pages = Table(
    "pages",
    metadata,
    _owner("version_id", "versions.id"),
    Column("number", Integer, nullable=False),
    Column("kind", String, nullable=False),
    Column("width", Float, nullable=False),
    Column("height", Float, nullable=False),
    Column("confidence", Float, nullable=True),
    Column("text", Text, nullable=False),
    Column("headings", LargeBinary, nullable=False),
    Column("boxes", LargeBinary, nullable=False),
    PrimaryKeyConstraint("version_id", "number"),
)

passages = Table(
    "passages",
    metadata,
    _identity(),
    _owner("version_id", "versions.id"),
    Column("page", Integer, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("heading", Text, nullable=False),
    Index(None, "version_id"),
    sqlite_autoincrement=True,
)

recipes = Table(
    "recipes",
    metadata,
    _identity(),
    Column("hash", String(64), nullable=False, unique=True),
    Column("identity", Text, nullable=False, server_default=text("'{}'")),
    Column("created_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

# Vectors as little-endian float32, one row each, so that Chroma can be rebuilt exactly.
embeddings = Table(
    "embeddings",
    metadata,
    _owner("passage_id", "passages.id"),
    _owner("recipe_id", "recipes.id"),
    Column("vector", LargeBinary, nullable=False),
    PrimaryKeyConstraint("passage_id", "recipe_id"),
    Index(None, "recipe_id"),
)

jobs = Table(
    "jobs",
    metadata,
    _identity(),
    Column("kind", String, nullable=False),
    _owner("version_id", "versions.id", nullable=True),
    Column("payload", Text, nullable=False, server_default=text("'{}'")),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("run_after", Float, nullable=False),
    Column("owner", String, nullable=True),
    Column("heartbeat_at", Float, nullable=True),
    Column("created_at", Float, nullable=False),
    # One waiting or running job of a kind for a version; SQL takes NULLs as different.
    UniqueConstraint("version_id", "kind"),
    Index(None, "state", "run_after"),
    sqlite_autoincrement=True,
)

conversations = Table(
    "conversations",
    metadata,
    _identity(),
    _owner("workspace_id", "workspaces.id"),
    Column("title", Text, nullable=False, server_default=text("''")),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index(None, "workspace_id", "updated_at"),
    sqlite_autoincrement=True,
)

questions = Table(
    "questions",
    metadata,
    _identity(),
    _owner("conversation_id", "conversations.id"),
    Column("text", Text, nullable=False),
    Column("documents", Text, nullable=True),
    Column("asked_at", Float, nullable=False),
    Index(None, "conversation_id"),
    sqlite_autoincrement=True,
)

answers = Table(
    "answers",
    metadata,
    Column(
        "question_id", Integer, ForeignKey("questions.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("state", String, nullable=False, index=True),
    Column("standalone", Text, nullable=False, server_default=text("''")),
    Column("model", String, nullable=False, server_default=text("''")),
    Column("found", Text, nullable=True),
    Column("text", Text, nullable=False, server_default=text("''")),
    Column("checked", Text, nullable=False, server_default=text("'[]'")),
    Column("record", Text, nullable=True),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float, nullable=True),
)

_TOKEN_CHARACTERS = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum())
_TOKENIZER = "ascii tokenchars '" + _TOKEN_CHARACTERS.replace("'", "''") + "'"

PASSAGES_FTS = (
    'CREATE VIRTUAL TABLE passages_fts USING fts5(scope, terms, tokenize="'
    + _TOKENIZER.replace('"', '""')
    + '")'
)
"""``scope`` holds the tokens of workspace and version, which narrow a query before it is scored;
``terms`` the passage's own. Every character but ASCII space and control ones is part of a term."""

VIRTUAL_TABLES = (PASSAGES_FTS,)
