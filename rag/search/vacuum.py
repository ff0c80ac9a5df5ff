"""Writes an SQLite database anew without what was deleted from it; run as a script.

In a process of its own, because two copies of SQLite in one process (Chroma has its own) do not see
each other's locks. A rewriting that is cut short changes nothing.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

_WAIT = 20.0


def main(path: str) -> None:
    """Rewrite the database, or end with SQLite's words."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=_WAIT)) as connection:
            # The copy that SQLite makes may be too large for memory; SQLITE_TMPDIR says where to.
            connection.execute("PRAGMA temp_store = FILE")
            connection.execute("VACUUM")
    except sqlite3.OperationalError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1])
