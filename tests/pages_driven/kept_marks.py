"""What the store keeps of events, read beside the pages."""

from pathlib import Path

from edge.store.reading import StoreReader
from edge.store.records import Mark


def mark_of(store: Path, number: int) -> Mark | None:
    """Return the mark of an event."""
    with StoreReader(store) as reader:
        stored = reader.find(str(number))
    assert stored is not None
    return stored.mark


def verdict_of(store: Path, number: int) -> tuple[str, str | None] | None:
    """Return what was found of an event, and the label that it was given."""
    mark = mark_of(store, number)
    return None if mark is None else (mark.verdict, mark.label)
