"""Define orders to the recorder, the answers to them, and the files that carry both."""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.store.files import beside
from edge.store.records import Mark

LONGEST_ORDER = 1 << 20
LONGEST_ANSWER = 1 << 16
ORDER = re.compile(r"[0-9a-f]{32}\.order\Z")
ANSWER = re.compile(r"[0-9a-f]{32}\.answer\Z")
# What edge.storage.replace_file writes first.
PARTIAL = re.compile(r"\.[0-9a-f]{32}\.(?:order|answer)\.partial\Z")


class MarkEvents(msgspec.Struct, frozen=True, tag=True):
    """Mark the events of these numbers; None takes marks back."""

    numbers: tuple[int, ...]
    mark: Mark | None


class NoteExported(msgspec.Struct, frozen=True, tag=True):
    """Note that these events and samples were exported, so that their pictures may go sooner. What is not there any
    more is no error.

    format: the one they were exported in, whose next export since the last leaves the events out; None: no one's.
    """

    events: tuple[int, ...] = ()
    samples: tuple[int, ...] = ()
    format: Annotated[str, Meta(max_length=64)] | None = None


Order = MarkEvents | NoteExported
# Which error it is for whoever gave the order.
Kind = Literal["data", "storage", "unavailable"]


class Answer(msgspec.Struct, frozen=True):
    """What became of an order. error: None if it was carried out."""

    error: str | None = None
    kind: Kind = "unavailable"


def orders_folder(store: Path) -> Path:
    """Return the folder for orders beside a store."""
    return beside(store, ".orders")
