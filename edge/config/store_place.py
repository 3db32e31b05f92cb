"""Tell what belongs to a store by its name: the file, and what comes to lie beside it."""

from pathlib import PurePath

# SQLite's files, the writer's lock, orders for it, how far the outputs have come, and stores that were set aside.
_BESIDE = frozenset({"", "-wal", "-shm", "-journal", ".lock", ".orders", ".outputs"})
_SET_ASIDE = ".damaged-"


def is_of_store(path: PurePath, store: PurePath) -> bool:
    """Return whether a path is the store, or a file or folder that comes to lie beside it; neither need exist."""
    if path.parent != store.parent or not path.name.startswith(store.name):
        return False
    ending = path.name[len(store.name) :]
    return ending in _BESIDE or ending.startswith(_SET_ASIDE)
