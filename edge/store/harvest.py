"""Keep the rows of samples: the frames for the next training. The files are the recorder's."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge.decoding import decode
from edge.events.records import Sample
from edge.store.records import NewSample, StoredSample
from edge.store.rows import MOST_IN_ONE, all_files, clock_of, file_text, milliseconds, places, rank_of
from edge.store.texts import Boot, Origin, TextReader, TextWriter

_COLUMNS = "boot, captured_mono_s, origin, sample, captured_ms, clock, file, size, sha256, exported"
_INSERT = f"INSERT OR IGNORE INTO samples ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
_decoder = msgspec.json.Decoder(Sample)


class SampleGist(msgspec.Struct, frozen=True, kw_only=True):
    """What decides how long a sample stays. number, exported: as in StoredSample. size: of its file, in bytes."""

    number: int
    sample: Sample
    size: int
    exported: bool


def add(connection: sqlite3.Connection, texts: TextWriter, samples: Sequence[NewSample], folder: Path) -> None:
    """Add samples; one that is there already stays as it is. folder: that of the store."""
    for new in samples:
        row = (
            *(texts.boot(Boot(new.device, new.boot)), new.sample.captured_mono_s),
            *(texts.origin(Origin(new.engine, new.bundle)), msgspec.json.encode(new.sample)),
            *(milliseconds(new.captured_wall_s), rank_of(new.clock)),
            *(file_text(new.path, folder), new.size, bytes.fromhex(new.sha256)),
        )
        connection.execute(_INSERT, row)


def paths(connection: sqlite3.Connection, numbers: Sequence[int], folder: Path) -> list[Path]:
    """Return the files of these samples."""
    found: list[Path] = []
    for begin in range(0, len(numbers), MOST_IN_ONE):
        some = numbers[begin : begin + MOST_IN_ONE]
        rows = connection.execute(f"SELECT file FROM samples WHERE number IN ({places(some)}) ORDER BY number", some)
        found += [folder / file for (file,) in rows]
    return found


def remove(connection: sqlite3.Connection, numbers: Sequence[int], folder: Path) -> list[Path]:
    """Remove these samples. Return their files."""
    found = paths(connection, numbers, folder)
    connection.executemany("DELETE FROM samples WHERE number = ?", ((number,) for number in numbers))
    return found


def files(connection: sqlite3.Connection, folder: Path) -> Iterator[str]:
    """Yield the paths of all files, in no order. What is removed meanwhile does not matter."""
    query = "SELECT number, file FROM samples WHERE number > ? ORDER BY number LIMIT ?"
    return all_files(connection, query, folder)


def gists(connection: sqlite3.Connection) -> Iterator[SampleGist]:
    """Yield what decides how long samples stay, oldest first. Raises DecodingError."""
    # Without texts and paths: there may be 100,000, and new ones wait meanwhile.
    query = "SELECT number, sample, size, exported FROM samples WHERE number > ? ORDER BY number LIMIT ?"
    after = 0
    while rows := connection.execute(query, (after, MOST_IN_ONE)).fetchall():
        for number, sample, size, exported in rows:
            yield SampleGist(number=number, sample=decode(_decoder, sample), size=size, exported=bool(exported))
        after = rows[-1][0]


def stored(
    connection: sqlite3.Connection, texts: TextReader, folder: Path, exported: bool | None
) -> Iterator[StoredSample]:
    """Yield samples, oldest first. exported: only those that were, or were not. Raises LookupError, DecodingError."""
    condition = "" if exported is None else f" AND exported = {int(exported)}"
    query = f"SELECT number, {_COLUMNS} FROM samples WHERE number > ?{condition} ORDER BY number LIMIT ?"
    after = 0
    while rows := connection.execute(query, (after, MOST_IN_ONE)).fetchall():
        yield from (_stored(row, texts, folder) for row in rows)
        after = rows[-1][0]


def _stored(row: tuple[Any, ...], texts: TextReader, folder: Path) -> StoredSample:
    number, boot, _, origin, sample, captured_ms, clock, file, size, sha256, exported = row
    return StoredSample(
        number=number,
        sample=decode(_decoder, sample),
        device=texts.boot(boot).device,
        boot=texts.boot(boot).boot,
        engine=texts.origin(origin).engine,
        bundle=texts.origin(origin).bundle,
        captured_wall_s=captured_ms / 1000,
        clock=clock_of(clock),
        path=folder / file,
        size=size,
        sha256=sha256.hex(),
        exported=bool(exported),
    )
