"""The keyword index: what goes into FTS5, and how it is asked.

Terms come from :mod:`rag.text.terms` and are only joined by spaces here; the table's tokenizer
cuts nowhere else. Beside its terms each passage carries the token of its workspace and that of its
version, so that a scope narrows the query before anything is scored. Knows nothing of SQL tables
but FTS5's own. Surprising: bm25, which only chooses candidates, sees rarity over all workspaces;
what is counted for a score is one workspace's alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.text.terms import terms

_MOST_VERSIONS = 40
"""Above so many versions in a scope, their tokens cost more than they save."""

_UNFIT = dict.fromkeys([*range(33), 127], "_")


def indexed(heading: str, text: str) -> str:
    """Return what the index keeps of a passage."""
    return " ".join(encode(term) for term in terms(f"{heading}\n{text}" if heading else text))


def encode(term: str) -> str:
    """Return a term as the index has it: in one piece, and nothing that UTF-8 cannot say."""
    if term.isascii() and term.isalnum():
        return term
    return term.translate(_UNFIT).encode("utf-8", "replace").decode("utf-8")


def quote(term: str) -> str:
    """Return a term as a phrase of an FTS5 query; nothing in it is syntax any more."""
    return '"' + encode(term).replace('"', '""') + '"'


def scope_tokens(workspace_id: int, version_id: int) -> str:
    """Return what the index keeps of where a passage is."""
    return f"w{workspace_id} v{version_id}"


def scoped(query: str, workspace_id: int, version_ids: Sequence[int] | None) -> str:
    """Return a query on terms, narrowed to a workspace or, if they are few, to versions."""
    if version_ids is not None and len(version_ids) <= _MOST_VERSIONS:
        places = " OR ".join(f'"v{version_id}"' for version_id in version_ids)
    else:
        places = f'"w{workspace_id}"'
    return f"{{scope}} : ({places}) AND {{terms}} : ({query})"
