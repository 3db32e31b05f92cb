"""Take the orders that other programs left for the recorder, carry them out, and answer them."""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode
from edge.errors import DamagedStoreError, DataError, FieldfareError, StorageError, StoreGoneError
from edge.storage import read_bounded, replace_file
from edge.store.files import located
from edge.store.order_records import ANSWER, LONGEST_ORDER, ORDER, PARTIAL, Answer, MarkEvents, Order, orders_folder
from edge.store.writing import StoreWriter

_log = logging.getLogger(__name__)

# What a folder may hold before what is oldest in it goes, or is looked at later.
_MOST_FILES = 100
# The recorder has events to keep: what takes longer is left for its next look.
_TAKE_S = 1.0
_LONGEST_TEXT = 2000
_MOST_COMPLAINTS = 1000
# Files and what is wrong with them, so that each is logged once.
_complained: set[tuple[str, str]] = set()
_orders: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def apply(writer: StoreWriter, order: Order) -> None:
    """Carry out an order. Raises what the writer raises."""
    if isinstance(order, MarkEvents):
        writer.mark(order.numbers, order.mark)
    else:
        writer.note_exported(order.events, order.samples, order.format)


def pending_orders(store: Path) -> list[Path]:
    """Return the orders that wait beside the store, at most 100. Makes their folder; removes from it what is neither an
    order nor an answer. Raises nothing: without a folder there are no orders."""
    folder = orders_folder(located(store))
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        with os.scandir(folder) as entries:
            found = list(islice(entries, _MOST_FILES * 10))
    except OSError as error:
        _complain(str(folder), f"cannot look for orders: {error.strerror}")
        return []
    answers = [entry for entry in found if ANSWER.fullmatch(entry.name)]
    partial = [entry for entry in found if PARTIAL.fullmatch(entry.name)]
    orders = [Path(entry) for entry in found if ORDER.fullmatch(entry.name)]
    for entry in found:
        if not any(kind.fullmatch(entry.name) for kind in (ORDER, ANSWER, PARTIAL)):
            _refuse(Path(entry), "no order")
    # Answers that nobody waited for, and what a killed command left.
    for left in (answers, partial):
        for entry in _oldest(left)[: max(0, len(left) - _MOST_FILES)]:
            _remove(Path(entry))
    return sorted(orders)[:_MOST_FILES]


def _oldest(entries: Sequence["os.DirEntry[str]"]) -> list["os.DirEntry[str]"]:
    def changed(entry: "os.DirEntry[str]") -> float:
        try:
            return entry.stat(follow_symlinks=False).st_mtime
        except OSError:
            return 0.0

    return sorted(entries, key=changed)


def take_orders(writer: StoreWriter) -> int:
    """Carry out the orders that wait beside the store, for about a second. Return how many were answered.

    Raises DamagedStoreError and StoreGoneError, as the writer does; the orders stay for the next store.
    """
    ends_s = time.monotonic() + _TAKE_S
    taken = 0
    for path in pending_orders(writer.path):
        if time.monotonic() > ends_s:
            break
        order = _read(path)
        if order is not None:
            _answer(path, _outcome(writer, order))
            taken += 1
    return taken


def _read(path: Path) -> Order | None:
    try:
        return decode(_orders, read_bounded(path, LONGEST_ORDER, follow=False))
    except FileNotFoundError:  # taken back
        return None
    except (OSError, DecodingError) as error:
        _refuse(path, str(error))
        return None


def _outcome(writer: StoreWriter, order: Order) -> Answer:
    try:
        apply(writer, order)
    except (DamagedStoreError, StoreGoneError):
        raise
    except FieldfareError as error:
        text = str(error)[:_LONGEST_TEXT]
        if isinstance(error, StorageError):
            return Answer(text, "storage")
        return Answer(text, "data" if isinstance(error, DataError) else "unavailable")
    return Answer()


def _answer(path: Path, answer: Answer) -> None:
    """Answer an order, then remove it. Killed in between, the recorder does it again, which changes nothing."""
    try:
        # Whoever waits is the same user or root. Not synced: an answer lost in a power cut has nobody who waits.
        replace_file(path.with_suffix(".answer"), msgspec.json.encode(answer), 0o600, synced=False)
    except OSError as error:
        _complain(str(path), f"cannot answer an order: {error.strerror}")
    _remove(path)


def _refuse(path: Path, why: str) -> None:
    _complain(str(path), f"no order of ours, removed: {why}")
    _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        # A folder that is not empty, for one: nobody's order, and perhaps somebody's files.
        with suppress(OSError):
            path.rmdir()
            return
        _complain(str(path), f"cannot remove it: {error.strerror}")


def _complain(what: str, why: str) -> None:
    """Log a fault of a file once."""
    if (what, why) not in _complained and len(_complained) < _MOST_COMPLAINTS:
        _complained.add((what, why))
        _log.warning("%s: %s", what, why)
