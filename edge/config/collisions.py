"""Find settings that name one file or folder for two purposes: each would destroy what the other keeps.

Paths are compared as they are written: a network drive that hangs must not keep settings from being judged.
"""

import os
from collections.abc import Iterator
from itertools import combinations
from pathlib import PurePath
from typing import NamedTuple

from edge.config.faults import Fault, Place, Table, shown, wrong

# What the service writes, and what it only reads. The later of two that collide is the one that must change.
_WRITTEN = (
    ("events", "store"),
    ("events", "scores"),
    ("output", "jsonl"),
    ("metrics", "file"),
    ("event_lines", "file"),
)
_READ = (
    ("bundle",),
    ("device", "taxonomy"),
    ("locate", "model"),
    *(("mqtt", key) for key in ("password_file", "ca", "certificate", "key")),
)
_FOLDERS = (("pictures", "folder"), ("harvest", "folder"))
# What lies beside a store: SQLite's files, the writer's lock, orders for it, and stores that were set aside.
_BESIDE_STORE = ("", "-wal", "-shm", ".lock", ".orders")
_SET_ASIDE = ".damaged-"
# Files that are rotated become NAME.1 and so on.
_ROTATED = {("events", "scores"), ("output", "jsonl"), ("event_lines", "file")}


class _Named(NamedTuple):
    """A path of the settings. path: absolute. value: as it is written there, None if it is the default."""

    place: Place
    path: PurePath
    value: str | None


def find_collisions(table: Table) -> Iterator[Fault]:
    """Yield each path that another key needs for itself. table: the whole decoded file; any value may be wrong."""
    written = [named for place in _WRITTEN if (named := _named(table, place)) is not None]
    read = [named for place in _READ if (named := _named(table, place)) is not None]
    folders = list(_folders(table))
    pairs = [*combinations(written, 2), *((one, other) for other in (*read, *folders) for one in written)]
    found: set[Place] = set()
    for first, second in pairs:
        if second.place not in found and (_holds(first, second.path) or _is_of(second, first.path)):
            found.add(second.place)
            yield _fault(second, f"another path than {_key(first)}, which is {_what(first)}")
    yield from _nested(folders)


def _nested(folders: list[_Named]) -> Iterator[Fault]:
    """Yield the fault of two folders of which one lies in the other."""
    for first, second in combinations(folders, 2):
        if second.path.is_relative_to(first.path) or first.path.is_relative_to(second.path):
            named = second if second.value is not None else first
            other = first if named is second else second
            yield _fault(named, f"neither {_key(other)} ({shown(str(other.path))}) nor inside or around it")


def _holds(named: _Named, path: PurePath) -> bool:
    """Return whether a path is, or lies in, what belongs to this file."""
    return any(_is_of(named, one) for one in (path, *path.parents))


def _is_of(named: _Named, path: PurePath) -> bool:
    """Return whether a path is this file, or one that comes to lie beside it."""
    if path.parent != named.path.parent or not path.name.startswith(named.path.name):
        return False
    ending = path.name[len(named.path.name) :]
    if named.place == ("events", "store"):
        return ending in _BESIDE_STORE or ending.startswith(_SET_ASIDE)
    return ending == "" or (named.place in _ROTATED and ending[:1] == "." and ending[1:].isdecimal())


def _named(table: Table, place: Place) -> _Named | None:
    value: object = table
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value or "\x00" in value:  # a fault of its own, or not there
        return None
    path = PurePath(_absolute(value))
    # Any number of outputs may go to /dev/null.
    return None if path.is_relative_to("/dev") else _Named(place, path, value)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)  # noqa: PTH100 - resolve() would ask the disk
    except OSError:  # the present folder was removed
        return os.path.normpath(path)


def _folders(table: Table) -> Iterator[_Named]:
    """Yield the folders of pictures and of the harvest; without a store nothing is written to them."""
    store = _named(table, ("events", "store"))
    if store is None:
        return
    for place in _FOLDERS:
        yield _named(table, place) or _Named(place, store.path.with_name(str(place[0])), None)


def _fault(named: _Named, what: str) -> Fault:
    return Fault(named.place, lambda: wrong(named.place, named.value, what))


def _key(named: _Named) -> str:
    return ".".join(map(str, named.place))


def _what(named: _Named) -> str:
    beside = " with the files beside it" if named.place == ("events", "store") else ""
    return f"{shown(str(named.path))}{beside}"
