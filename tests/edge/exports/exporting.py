"""A store in memory, and exports from it."""

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from edge.events.taxonomy import Kind, Rank, Taxon
from edge.exports.copying.record import Format
from edge.exports.export import Outcome
from edge.store.orders import NoteExported, Order
from edge.store.reads.runs import NumberSet
from edge.store.records import Filter, Stay, StoredEvent, StoredSample
from tools.make_store import SPRING_S, Made, stored_pictures


def tag(kind: Kind, name: str | None = None, rank: Rank | None = None, **common: str) -> Taxon:
    """Return an entry of a taxonomy."""
    return Taxon(label="", kind=kind, scientific_name=name, taxon_rank=rank, common_names=common)


class Run(Protocol):
    """Export from a store of these events to a fresh folder; `keys` are those of Request."""

    def __call__(
        self, events: "Sequence[StoredEvent] | FakeStore", form: Format, **keys: object
    ) -> "tuple[Path, Outcome, FakeStore]": ...


def stored(made: Iterable[Made], folder: Path) -> list[StoredEvent]:
    """Return them as a reader would, with their pictures written into `folder`."""
    return [_stored(number, one, folder) for number, one in enumerate(made, 1)]


def _stored(number: int, made: Made, folder: Path) -> StoredEvent:
    zero_s = SPRING_S + made.booted_s
    return StoredEvent(
        number=number,
        event=made.event,
        begin_wall_s=zero_s + made.event.begin_mono_s,
        end_wall_s=zero_s + made.event.end_mono_s,
        clock="ntp",
        pictures=stored_pictures(made, folder, zero_s),
    )


class FakeStore:
    """Stands for StoreReader and for carry_out."""

    def __init__(self, events: Sequence[StoredEvent], samples: Sequence[StoredSample] = ()) -> None:
        self.held = list(events)
        self.harvest = list(samples)
        self.orders: list[Order] = []
        self.done: dict[str | None, NumberSet] = {}

    def __enter__(self) -> "FakeStore":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def store_id(self) -> str:
        return "3f1c0a9d77e2"

    def numbers(self) -> tuple[int, int]:
        return (self.held[0].number, self.held[-1].number) if self.held else (0, 0)

    def stays(self) -> list[Stay]:
        found: dict[str, list[Stay]] = {}
        for one in sorted(self.held, key=lambda one: one.number):
            event = one.event
            mine = found.setdefault(event.device, [])
            if not mine or mine[-1].place != (event.latitude, event.longitude):
                mine.append(Stay(one.number, event.device, event.latitude, event.longitude))
        return [stay for mine in found.values() for stay in mine]

    def exported(self, form: str) -> NumberSet:
        return self.done.get(form, NumberSet())

    def events(
        self,
        wanted: Filter,
        *,
        limit: int | None = None,
        newest_first: bool = True,
        without: Container[int] = (),
    ) -> Iterator[StoredEvent]:
        found = [one for one in self.held if _fits(one, wanted) and one.number not in without]
        yield from sorted(found, key=lambda one: one.begin_wall_s, reverse=newest_first)[:limit]

    def samples(self, *, exported: bool | None = None) -> Iterator[StoredSample]:
        yield from (one for one in self.harvest if exported in (None, one.exported))

    def carry_out(self, _store: Path, orders: Sequence[Order], *, wait_s: float = 10.0) -> None:
        self.orders += orders
        for order in orders:
            if isinstance(order, NoteExported):
                self.done[order.format] = self.done.get(order.format, NumberSet()) | NumberSet(order.events)
                replace = msgspec.structs.replace
                self.held = [replace(e, exported=e.exported or e.number in order.events) for e in self.held]
                self.harvest = [replace(s, exported=s.exported or s.number in order.samples) for s in self.harvest]


def _fits(one: StoredEvent, wanted: Filter) -> bool:
    return (
        (not wanted.labels or one.label in wanted.labels)
        and (wanted.since_wall_s is None or one.begin_wall_s >= wanted.since_wall_s)
        and (wanted.until_wall_s is None or one.begin_wall_s < wanted.until_wall_s)
        and wanted.exported in (None, one.exported)
        and wanted.checked in (None, one.mark is not None)
    )
