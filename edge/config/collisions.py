"""Find settings that name one file or folder for two purposes: each would destroy what the other keeps.

Settings are judged by the paths as they are written: a network drive that hangs must not keep them from being judged.
Before anything is written, `find_same_files` judges what is on the disks, too.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations, islice, product
from pathlib import PurePath
from typing import NamedTuple

from edge.bundle.place import bundle_around
from edge.config.faults import Fault, Place, Table, shown, wrong
from edge.config.secret_files import credential_id
from edge.config.store_place import is_of_store
from edge.source_kind import source_kind
from edge.storage import PARTIAL

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
    ("camera", "password_file"),
    ("power", "file"),
    *(("mqtt", key) for key in ("password_file", "ca", "certificate", "key")),
    *(("pages", key) for key in ("certificate", "key")),
)
_FOLDERS = (("pictures", "folder"), ("harvest", "folder"))
# Files that are rotated become NAME.1 and so on.
_ROTATED = {("events", "scores"), ("output", "jsonl"), ("event_lines", "file")}
# A folder of more files is not looked through for a second name of one file.
_MOST_FILES = 100_000

Locate = Callable[[str], str]


class _Named(NamedTuple):
    """A path of the settings. path: absolute. value: as it is written there, None if it is the default."""

    place: Place
    path: PurePath
    value: str | None


def find_collisions(table: Table, file: str | None = None) -> Iterator[Fault]:
    """Yield each path that another key needs for itself, as the paths are written.

    table: the whole decoded file; any value may be wrong. file: the path of the settings file, None if there is none.
    """
    yield from _collisions(table, file, _absolute)


def find_same_files(table: Table, file: str | None, own: Mapping[str, str]) -> Iterator[Fault]:
    """Yield what find_collisions yields, with links followed, and files that have two names (hard links).

    own: files that the service writes and no key names, such as its status file, by what they are called. Looks at the
    disks, so it may wait for one that hangs.
    """
    known = set()
    for faults in (_collisions(table, file, _real, own), _in_bundles(table, own), _hard_links(table, file)):
        for fault in faults:
            if fault.place not in known:
                known.add(fault.place)
                yield fault


def _collisions(
    table: Table, file: str | None, locate: Locate, own: Mapping[str, str] | None = None
) -> Iterator[Fault]:
    written = [*_own(own, locate), *_all(table, _WRITTEN, locate)]
    folders = list(_folders(table, locate))
    pairs = [
        *combinations(written, 2),
        *((one, other) for other in (*_all(table, _READ, locate), *folders) for one in written),
    ]
    found: set[Place] = set()
    for one in (*written, *folders):
        if one.path.name.lower().endswith(PARTIAL):
            found.add(one.place)
            yield _fault(one, f"a name that does not end in {PARTIAL}: such files are not finished, and are removed")
    for first, second in pairs:
        if second.place not in found and (_holds(first, second.path) or _is_of(second, first.path)):
            found.add(second.place)
            yield _fault(second, f"another path than {_key(first)}, which is {_what(first)}")
    for one, other in product(written, _inputs(table, file, locate)):
        if one.place not in found and _holds(one, other.path):
            found.add(one.place)
            yield _fault(one, f"another path than {_key(other)}, which is read")
    for one, other in product((*written, *folders), _closed(table, locate)):
        follows = one.value is None and ("events", "store") in found  # a folder beside the store
        if one.place not in found and not follows and _lies_in(one, other):
            found.add(one.place)
            yield _fault(one, f"outside of {_key(other)}, of which nothing may change")
    yield from _nested([folder for folder in folders if folder.place not in found])


def _own(own: Mapping[str, str] | None, locate: Locate) -> list[_Named]:
    return [_Named((name,), PurePath(locate(path)), path) for name, path in (own or {}).items()]


def _in_bundles(table: Table, own: Mapping[str, str] | None) -> Iterator[Fault]:
    """Yield the fault of each file or folder to write that is, or lies in, a bundle on the disk, whichever it is."""
    for one in (*_own(own, _real), *_all(table, _WRITTEN, _real), *_folders(table, _real)):
        bundle = bundle_around(one.path)
        if bundle is not None:
            yield _fault(one, f"outside of the bundle {shown(str(bundle))}, of which nothing may change")


def _inputs(table: Table, file: str | None, locate: Locate) -> Iterator[_Named]:
    """Yield the files that are read, and named by something else than a key for a path alone."""
    library, hook = _value(table, ("engine", "edgetpu_library")), _value(table, ("hook", "command"))
    script, source = _value(table, ("camera", "script")), _recording(table)
    # A program or library without a folder is looked for in the system's own. What follows the program may be what it
    # works on, such as the results.
    program = hook[0] if isinstance(hook, list) and hook else None
    texts: list[tuple[Place, object]] = [
        (("the settings file",), file),
        (("engine", "edgetpu_library"), library if "/" in str(library) else None),
        (("hook", "command"), program if "/" in str(program) else None),
        (("camera", "script"), script[1:] if isinstance(script, str) and script[:1] == "@" else None),
        (("camera", "source"), source),
    ]
    for place, text in texts:
        if (path := _path(text, locate)) is not None:
            yield _Named(place, path, None)


def _closed(table: Table, locate: Locate) -> Iterator[_Named]:
    """Yield the folders in which nothing may be written: a bundle is damaged by one file more, and pictures that are
    kept among those that are classified would be classified, too."""
    yield from _all(table, (("bundle",),), locate)
    if (path := _path(_recording(table), locate)) is not None:
        yield _Named(("camera", "source"), path, None)


def _lies_in(named: _Named, closed: _Named) -> bool:
    # Results beside the photos are no fault: none of them is taken for a photo.
    return (closed.place == ("bundle",) or named.place in _FOLDERS) and named.path.is_relative_to(closed.path)


def _recording(table: Table) -> str | None:
    """Return the path of the picture, folder or video that is the source; None if that is a camera."""
    source = _value(table, ("camera", "source"))
    if not isinstance(source, str) or not source or "\x00" in source:
        return None
    # No source of ours is written so, but it names a file, and the results must not go there before that is found out.
    source = source.removeprefix("file://")
    return source if source_kind(source) == "replay" else None


def _hard_links(table: Table, file: str | None) -> Iterator[Fault]:
    """Yield the fault of each file to write that is a second name of another one: the same bytes on the disk."""
    written = _all(table, _WRITTEN, _real)
    read = [*_all(table, _READ, _real), *_inputs(table, file, _real)]
    for number, one in enumerate(written):
        status = _status(one.path)
        if status is None or not stat.S_ISREG(status.st_mode) or status.st_nlink < 2:
            continue
        for other in (*written[:number], *read):
            if _is_second_name(one, status, other):
                yield _fault(one, f"another file than {_key(other)}: both are names of the same one (a hard link)")
                break


def _is_second_name(one: _Named, status: os.stat_result, other: _Named) -> bool:
    wanted = (status.st_dev, status.st_ino)
    return any(path != one.path and _identity(path) == wanted for path in _with_files(other.path))


def _with_files(path: PurePath) -> Iterator[PurePath]:
    """Yield a path and, if it is a folder, the files below it."""
    yield path
    below = (PurePath(folder, name) for folder, _, names in os.walk(path) for name in names)
    yield from islice(below, _MOST_FILES)


def _identity(path: PurePath) -> tuple[int, int] | None:
    status = _status(path)
    return None if status is None else (status.st_dev, status.st_ino)


def _status(path: PurePath) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - a PurePath
    except OSError:
        return None


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
    if named.place == ("events", "store"):
        return is_of_store(path, named.path)
    if path.parent != named.path.parent or not path.name.startswith(named.path.name):
        return False
    ending = path.name[len(named.path.name) :]
    return ending == "" or (named.place in _ROTATED and ending[:1] == "." and ending[1:].isdecimal())


def _all(table: Table, places: Iterable[Place], locate: Locate) -> list[_Named]:
    return [named for place in places if (named := _named(table, place, locate)) is not None]


def _named(table: Table, place: Place, locate: Locate) -> _Named | None:
    value = _value(table, place)
    path = _path(value, locate)
    return None if path is None or not isinstance(value, str) else _Named(place, path, value)


def _value(table: Table, place: Place) -> object:
    value: object = table
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _path(value: object, locate: Locate) -> PurePath | None:
    if not isinstance(value, str) or not value or "\x00" in value:  # a fault of its own, or not there
        return None
    if credential_id(value) is not None:  # a file of systemd's, which nothing here writes
        return None
    path = PurePath(_absolute(value))
    # Any number of outputs may go to /dev/null. /dev/shm holds files as any other folder.
    if path.is_relative_to("/dev") and not path.is_relative_to("/dev/shm"):
        return None
    return PurePath(locate(value))


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)  # noqa: PTH100 - resolve() would ask the disk
    except OSError:  # the present folder was removed
        return os.path.normpath(path)


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:
        return os.path.normpath(path)


def _folders(table: Table, locate: Locate) -> Iterator[_Named]:
    """Yield the folders of pictures and of the harvest; without a store nothing is written to them."""
    store = _named(table, ("events", "store"), locate)
    if store is None:
        return
    for place in _FOLDERS:
        yield _named(table, place, locate) or _Named(place, store.path.with_name(str(place[0])), None)


def _fault(named: _Named, what: str) -> Fault:
    return Fault(named.place, lambda: wrong(named.place, named.value, what))


def _key(named: _Named) -> str:
    return ".".join(map(str, named.place))


def _what(named: _Named) -> str:
    beside = " with the files beside it" if named.place == ("events", "store") else ""
    return f"{shown(str(named.path))}{beside}"
