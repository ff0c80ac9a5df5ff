"""The history of the database's shape, applied at opening by :mod:`rag.store.database`."""
