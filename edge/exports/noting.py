"""Have the store note what was exported: its pictures may go sooner, and the next --since-last begins there."""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.errors import DataError, StorageError
from edge.exports.copying.record import RECORD, Format, Unnoted
from edge.store.orders import NoteExported, carry_out, refuse_unwritable
from edge.store.reading import StoreReader
from edge.store.reads.runs import NumberSet

# Each time the store may have to be opened for writing.
_NOTED_AT_ONCE = 100_000


def refuse_unnotable(store: Path) -> None:
    """Raise StorageError if the store could not note an export, before hours of copying are in vain."""
    try:
        refuse_unwritable(store)
    except StorageError as error:
        raise StorageError(f"{error}, or export without --since-last") from error


def note(store: Path, form: Format, events: Sequence[int], samples: Sequence[int]) -> None:
    """Have the store note the numbers of events and samples. Raises as carry_out does."""
    for orders in _orders(events, samples, form):
        carry_out(store, [orders])


def _orders(events: Sequence[int], samples: Sequence[int], form: Format) -> Iterator[NoteExported]:
    for begin in range(0, len(events), _NOTED_AT_ONCE):
        yield NoteExported(events=tuple(events[begin : begin + _NOTED_AT_ONCE]), format=form)
    for begin in range(0, len(samples), _NOTED_AT_ONCE):
        yield NoteExported(samples=tuple(samples[begin : begin + _NOTED_AT_ONCE]), format=form)


def unnoted_of(events: Sequence[int], samples: Sequence[int]) -> Unnoted | None:
    """Return these numbers for the record of an export; None if there are none."""
    if not events and not samples:
        return None
    return Unnoted(events=NumberSet(events).words(), samples=NumberSet(samples).words())


def numbers_of(unnoted: Unnoted, reader: StoreReader, out: Path) -> "tuple[array[int], array[int]]":
    """Return the numbers of the events and the samples that a record holds and that may be in the store.

    out: the export, for messages. Raises DataError if the record is damaged.
    """
    try:
        events, samples = NumberSet.of_words(unnoted.events), NumberSet.of_words(unnoted.samples)
    except (ValueError, OverflowError) as error:
        raise DataError(f"{out / RECORD}: damaged ({error}): export again with --overwrite") from error
    # The record may come from anybody's stick. No event that is still to come must count as exported.
    there = array("q", events.up_to(reader.numbers()[1]))
    return there, array("q", (one.number for one in reader.samples(exported=False) if one.number in samples))
