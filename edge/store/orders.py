"""What other programs have the recorder write: marks, and what was exported.

The store has one writer (edge.recorder). If a recorder runs, an order is left as a file beside the store, which the
recorder takes within a second or two; if none runs, the caller writes the store itself, under the writer's lock.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.store.records import Mark


class MarkEvents(msgspec.Struct, frozen=True, tag=True):
    """Mark the events of these numbers; None takes marks back."""

    numbers: tuple[int, ...]
    mark: Mark | None


class NoteExported(msgspec.Struct, frozen=True, tag=True):
    """Note that these events and samples were exported, so that their pictures may go sooner."""

    events: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()


Order = MarkEvents | NoteExported


def carry_out(store: Path, orders: Sequence[Order], *, wait_s: float = 10.0) -> None:
    """Have the orders carried out, and return when they are on the disk.

    Raises MissingInputError if there is no store, DataError for events that are not there, StorageError if it cannot
    be written, UnavailableError if a recorder runs and does not answer within `wait_s`.
    """
    raise NotImplementedError
