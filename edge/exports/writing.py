"""Define what every format is to the loop that goes through the events."""

from collections.abc import Sequence
from typing import Protocol

from edge.exports.media import Named
from edge.store.records import StoredEvent


class Writer(Protocol):
    """A format. Its files are opened and sealed around it by the context manager that makes it."""

    def pictures(self, stored: StoredEvent) -> list[Named]:
        """Return which pictures of the event to copy, and under which names. Raises DataError."""

    def add(self, stored: StoredEvent, kept: Sequence[Named]) -> None:
        """Write the event. kept: those of its pictures that are in the target. Raises OSError, DataError."""
