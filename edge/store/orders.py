"""What other programs have the recorder write: marks, and what was exported.

The store has one writer (edge.recorder). If a recorder runs, an order is left as a file in NAME.orders beside the
store, which the recorder takes within a second or two; if none runs, the caller writes the store itself, under the
writer's lock.
"""

import os
import pwd
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode
from edge.errors import DataError, FieldfareError, MissingInputError, StorageError, UnavailableError
from edge.printable import printable
from edge.storage import read_bounded, replace_file
from edge.store.files import beside, located
from edge.store.locking import WriterLock
from edge.store.order_records import LONGEST_ANSWER, Answer, Kind, MarkEvents, NoteExported, Order, orders_folder
from edge.store.taking import apply, pending_orders, take_orders
from edge.store.writing import StoreWriter

__all__ = [
    "MarkEvents",
    "NoteExported",
    "Order",
    "as_owner",
    "carry_out",
    "pending_orders",
    "refuse_unwritable",
    "take_orders",
]

# Scattered over a large store, 10,000 numbers take a second to note on a busy desktop, during which the recorder keeps
# no events.
_NUMBERS_AT_ONCE = 10_000
_LOOK_S = 0.05
_LOOK_FOR_RECORDER_S = 1.0
_ERRORS: Mapping[Kind, type[FieldfareError]] = {
    "data": DataError,
    "storage": StorageError,
    "unavailable": UnavailableError,
}
_answers = msgspec.json.Decoder(Answer)


def carry_out(store: Path, orders: Sequence[Order], *, wait_s: float = 10.0) -> None:
    """Have the orders carried out, and return when they are on the disk.

    Done by root, this is done as the user who owns the store.

    Raises MissingInputError if there is no store, DataError for events to mark that are not there, StorageError if it
    cannot be written, UnavailableError if a recorder runs and does not answer within `wait_s`.
    """
    store = located(store)
    if not store.is_file():
        raise MissingInputError(f"there is no store {printable(str(store))}: check the path")
    pieces = [piece for order in orders for piece in _pieces(order)]
    with as_owner(store):
        while pieces:
            if _write_ourselves(store, pieces):
                return
            if _leave(store, pieces[0], wait_s):
                pieces.pop(0)


def refuse_unwritable(store: Path) -> None:
    """Raise StorageError if this user cannot write the store or leave orders beside it, as far as can be known before.

    Raises MissingInputError if there is no store. Writes nothing.
    """
    store = located(store)
    if not store.is_file():
        raise MissingInputError(f"there is no store {printable(str(store))}: check the path")
    with as_owner(store):
        needed = (store.parent, store, beside(store, ".lock"), orders_folder(store))
        shown = printable(str(store))
        wrong = next((one for one in needed if one.exists() and not os.access(one, os.W_OK, effective_ids=True)), None)
        if wrong is None:
            return
        if os.statvfs(wrong).f_flag & os.ST_RDONLY:
            raise StorageError(f"the store {shown} cannot be written: its disk is read-only: mount it writable")
        raise StorageError(_may_not_write(store))


def _pieces(order: Order) -> Iterator[Order]:
    """Cut an order into some that fit into a file."""
    if isinstance(order, MarkEvents):
        for numbers in _cut(order.numbers):
            yield MarkEvents(numbers, order.mark)
    else:
        for numbers in _cut(order.events):
            yield NoteExported(events=numbers, format=order.format)
        for numbers in _cut(order.samples):
            yield NoteExported(samples=numbers, format=order.format)


def _cut(numbers: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    for begin in range(0, len(numbers), _NUMBERS_AT_ONCE):
        yield numbers[begin : begin + _NUMBERS_AT_ONCE]


@contextmanager
def as_owner(store: Path) -> Iterator[None]:
    """Be the store's owner in the block, if we are root."""
    # Files that root made there could not be written by the service, and the folder is its user's: what a link in it
    # leads to must not be written with root's rights.
    owner = store.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def _write_ourselves(store: Path, pieces: Sequence[Order]) -> bool:
    """Write the store, if no recorder does. Return whether we did."""
    try:
        writer = StoreWriter(store)
    except UnavailableError:
        return False
    except StorageError as error:
        if isinstance(error.__cause__, PermissionError):
            raise StorageError(_may_not_write(store)) from error
        raise
    with writer:
        take_orders(writer)
        for piece in pieces:
            apply(writer, piece)
    return True


def _may_not_write(store: Path) -> str:
    """Return what somebody must do who may read the store and not write it."""
    try:
        owner = f", or as the user {printable(pwd.getpwuid(store.stat().st_uid).pw_name)}"
    except (OSError, KeyError):  # gone meanwhile, or of a user whom this system does not know, as on another's card
        owner = ", or as its owner"
    return f"the store {printable(str(store))} may not be written by this user: run this with sudo{owner}"


def _leave(store: Path, order: Order, wait_s: float) -> bool:
    """Leave an order for the recorder and wait for the answer. Return False, and take the order back, if the recorder
    has ended."""
    name = uuid.uuid4().hex
    folder = orders_folder(store)
    left, answer = folder / f"{name}.order", folder / f"{name}.answer"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(left, msgspec.json.encode(order), 0o600, synced=True)
    except OSError as error:
        if isinstance(error, PermissionError):
            raise StorageError(_may_not_write(store)) from error
        raise StorageError(
            f"cannot leave an order for the recorder in {printable(str(folder))} ({error.strerror}): check its disk"
        ) from error
    try:
        return _wait(store, answer, wait_s)
    finally:
        for file in (left, answer):
            with suppress(OSError):  # the recorder has removed it, or will
                file.unlink()


def _wait(store: Path, answer: Path, wait_s: float) -> bool:
    """Return True once the order was carried out, False if no recorder is there to do that."""
    began_s = looked_s = time.monotonic()
    while not _is_answered(answer):
        now_s = time.monotonic()
        if now_s - began_s > wait_s:
            raise UnavailableError(
                f"the recorder of {printable(str(store))} did not answer within {wait_s:g} s: `fieldfare status` shows "
                "what it does; try again later"
            )
        if now_s - looked_s > _LOOK_FOR_RECORDER_S:
            looked_s = now_s
            with suppress(UnavailableError), WriterLock(store):
                return _is_answered(answer)
        time.sleep(_LOOK_S)
    return True


def _is_answered(file: Path) -> bool:
    """Return whether the order was carried out. Raises the error that it ended with."""
    try:
        answer = decode(_answers, read_bounded(file, LONGEST_ANSWER, follow=False))
    except FileNotFoundError:
        return False
    except (OSError, DecodingError) as error:
        raise UnavailableError(f"cannot read the recorder's answer ({printable(str(error))}): try again") from error
    if answer.error is not None:
        raise _ERRORS[answer.kind](answer.error)
    return True
