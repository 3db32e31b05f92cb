"""Compare what was acknowledged with what the store holds."""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.store.reading import StoreReader
from edge.store.records import StoredEvent

Identity = tuple[str, str, int]
_PAGE = 500


def read_notes(file: Path, what: str) -> dict[Identity, dict[str, Any]]:
    """Return the notes of one kind ("heard" or "kept") by identity; the last one counts."""
    found: dict[Identity, dict[str, Any]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        note = json.loads(line)
        if note["what"] == what:
            device, boot, sequence = note["identity"]
            found[device, boot, sequence] = note
    return found


def identity_of(stored: StoredEvent) -> Identity:
    """Return the identity of a stored event."""
    return stored.event.device, stored.event.boot, stored.event.sequence


def stored_events(store: Path) -> Iterator[StoredEvent]:
    """Yield all events in the order of their numbers."""
    with StoreReader(store) as reader:
        number = 0
        while page := reader.after(number, _PAGE):
            yield from page
            number = page[-1].number


@dataclass
class Verdict:
    """What is wrong, each with an example. whole: what SQLite's integrity_check reports."""

    acknowledged: int = 0
    stored: int = 0
    pictures: int = 0
    whole: str = "ok"
    missing: list[Identity] = field(default_factory=list)
    shorter: list[Identity] = field(default_factory=list)
    twice: list[Identity] = field(default_factory=list)
    bad_pictures: list[str] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether every promise was kept."""
        return self.whole == "ok" and not (self.missing or self.shorter or self.twice or self.bad_pictures)

    def words(self) -> str:
        """Return what is wrong, in a line."""
        names = ("missing", "shorter", "twice", "bad_pictures")
        found = {name: getattr(self, name) for name in names if getattr(self, name)}
        return f"integrity: {self.whole}; " + "; ".join(
            f"{len(all_)} {name}, such as {all_[0]}" for name, all_ in found.items()
        )


class Judge:
    """Judges one store again and again; pictures that were right once are not read again, except by `thorough`."""

    def __init__(self, store: Path, notes: Path) -> None:
        self._store, self._notes = store, notes
        self._seen: set[str] = set()

    def verdict(self, *, thorough: bool = False) -> Verdict:
        """Judge it now. Whatever is acknowledged before this call must be there."""
        # First what was acknowledged, then the store: what comes meanwhile is only in the store.
        kept, heard = read_notes(self._notes, "kept"), read_notes(self._notes, "heard")
        if thorough:
            self._seen.clear()
        verdict = Verdict(acknowledged=len(kept), whole=integrity(self._store))
        events = list(stored_events(self._store))
        verdict.stored = len(events)
        counts = Counter(map(identity_of, events))
        verdict.twice = [identity for identity, count in counts.items() if count > 1]
        found = {identity_of(stored): stored for stored in events}
        for identity, note in kept.items():
            if identity not in found:
                verdict.missing.append(identity)
                continue
            stored = found[identity]
            if (stored.event.end_mono_s, stored.event.frames) < (note["end_mono_s"], note["frames"]):
                verdict.shorter.append(identity)
            if len(stored.pictures) < heard[identity]["pictures"]:
                verdict.bad_pictures.append(f"none of {stored.event.name}")
        for stored in events:
            verdict.bad_pictures += self._bad_pictures(stored)
            verdict.pictures += len(stored.pictures)
        return verdict

    def _bad_pictures(self, stored: StoredEvent) -> list[str]:
        bad = []
        for picture in stored.pictures:
            name = picture.path.name
            if name not in self._seen:
                path = self._store.parent / picture.path.relative_to(self._store.parent.absolute())
                right = path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == picture.sha256
                (self._seen.add if right else bad.append)(name)
        return bad


def integrity(store: Path) -> str:
    """Return what SQLite's full check finds, "ok" for nothing. Reads only."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=30)
    try:
        return "; ".join(row[0] for row in connection.execute("PRAGMA integrity_check(5)"))
    except sqlite3.Error as error:
        return str(error)
    finally:
        connection.close()
