"""Find what is to be sorted in a store of events: the harvest, and the best pictures of the newest events."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.exports.locate import Locator
from edge.sorting.records import Found
from edge.store.reading import StoreReader
from edge.store.records import Filter

# Their rows are read at once; the newest matter.
_MOST_EVENTS, _MOST_SAMPLES = 5000, 20_000
_MOST_OF_A_GROUP = 60
_PAUSE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture of a store. why: why it was kept, for people. label: what it was taken for."""

    key: bytes
    path: Path
    label: str
    why: str
    wall_s: float


def kept_in(store: Path, known: set[bytes]) -> list[Kept]:
    """Return the pictures of a store that are there and not known, oldest first. Raises what StoreReader raises."""
    locator = Locator(store)
    with StoreReader(store) as reader:
        found = [one for one in (*_samples(reader), *_pictures(reader)) if one.key not in known]
    there = [Kept(one.key, locator.find(one.path), one.label, one.why, one.wall_s) for one in found]
    return sorted((one for one in there if one.path.is_file()), key=lambda one: one.wall_s)


def _samples(reader: StoreReader) -> list[Kept]:
    newest: list[Kept] = []
    for stored in reader.samples():
        sample = stored.sample
        key = f"s-{stored.device}-{stored.boot}-{sample.captured_mono_s:.6f}".encode()
        newest.append(Kept(key, stored.path, sample.label, ", ".join(sample.reasons), stored.captured_wall_s))
        if len(newest) > 2 * _MOST_SAMPLES:
            del newest[:_MOST_SAMPLES]
    return newest[-_MOST_SAMPLES:]


def _pictures(reader: StoreReader) -> Iterator[Kept]:
    for stored in reader.events(Filter(), limit=_MOST_EVENTS):
        for picture in stored.pictures:
            if picture.kind == "best":
                event = stored.event
                key = f"e-{event.device}-{event.boot}-{event.sequence}".encode()
                yield Kept(key, picture.path, stored.label, "", picture.captured_wall_s)


def by_origin(kept: Sequence[Kept], root: Path) -> list[Found]:
    """Return them grouped by what they were taken for, why they were kept, and when."""
    found: list[Found] = []
    group = size = 0
    last: Kept | None = None
    for one in sorted(kept, key=lambda one: (one.label, one.why, one.wall_s)):
        fits = last is not None and (last.label, last.why) == (one.label, one.why)
        if last is None or not fits or size == _MOST_OF_A_GROUP or one.wall_s - last.wall_s > _PAUSE_S:
            group, size = group + 1, 0
        found.append(_found(one, group, _title(one), root))
        last, size = one, size + 1
    return found


def by_looks(kept: Sequence[Kept], groups: Sequence[Sequence[int]], root: Path) -> list[Found]:
    """Return them in groups of places in `kept`, each called by the commonest label."""
    found: list[Found] = []
    for number, members in enumerate(groups, 1):
        labels = Counter(kept[place].label for place in members)
        title = labels.most_common(1)[0][0] if labels else ""
        found += [_found(kept[place], number, title, root) for place in members]
    return found


def _found(kept: Kept, group: int, title: str, root: Path) -> Found:
    try:
        path: Path = kept.path.relative_to(root)
    except ValueError:
        path = kept.path
    return Found(kept.key, os.fsencode(path), group, title, kept.label)


def _title(kept: Kept) -> str:
    try:
        day = datetime.fromtimestamp(kept.wall_s).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):  # a clock that was wrong by ages
        day = ""
    return ", ".join(part for part in (kept.label, kept.why, day) if part)
