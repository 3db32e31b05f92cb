"""Read settings: a TOML file and the command line's options, merged once and converted once to typed, frozen records.

Nothing is clamped: a value out of range is an error with file, key and value. Keys, sections and ranges in messages are
derived from the records.
"""

import errno
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any, get_args, get_type_hints

import msgspec

from edge.config.collisions import find_same_files
from edge.config.contradictions import find_contradictions
from edge.config.faults import Fault, Table, error_of, find_faults, shorten
from edge.config.sections import Section
from edge.config.settings import MAX_SENT, Settings
from edge.config.toml import decode_toml
from edge.errors import ConfigError, MissingInputError
from edge.printable import without_secrets
from edge.storage import read_bounded

_DISKS_S = 2.0
_DIGITS = 9  # of a side in --size
# A hundred times the example of docs/settings.md.
MAX_BYTES = 1 << 16


def load_settings(path: Path | None, /, **options: object) -> Settings:
    """Read the settings file at `path`, or none, with `options` put over it as in settings_from.

    Raises MissingInputError or ConfigError.
    """
    if path is None:
        return settings_from({}, **options)
    return parse_settings(read_settings(path), str(path), **options)


def read_settings(path: Path) -> bytes:
    """Return the bytes of a settings file. Raises MissingInputError, or ConfigError if it is too large to be one."""
    try:
        return read_bounded(path, MAX_BYTES, pipe=True)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EFBIG:
            raise ConfigError(f"{path}: must be a settings file of at most {MAX_BYTES} bytes") from error
        raise MissingInputError(f"settings {path}: cannot read: {getattr(error, 'strerror', None) or error}") from error


def parse_settings(data: bytes, file: str, /, **options: object) -> Settings:
    """Read settings from the bytes of a file, as load_settings; `file` is for messages."""
    return settings_from(decode_toml(data, file), file, **options)


def settings_from(values: Mapping[str, Any], file: str | None = None, /, **options: object) -> Settings:
    """Convert decoded TOML, with `options` put over it, to Settings.

    options: values by the names of their keys, such as `fps`; None was not given. A value of the file that an option
    replaces is not judged. Raises ConfigError, which lists all faults, and names the file unless an option is wrong.
    """
    given = {key: value for key, value in options.items() if value is not None}
    merged = _merged(values, given)
    faults = list(find_faults(Settings, merged))
    wrong = {fault.place for fault in faults}
    faults += (fault for fault in find_contradictions(merged, file) if fault.place not in wrong)
    if faults:
        raise error_of(faults, "settings", file, {_place_of(key) for key in given})
    return msgspec.convert(merged, type=Settings)


def check_places(settings: Settings, file: Path | None, own: Mapping[str, Path] | None = None) -> None:
    """Raise ConfigError if two keys name one file or folder by way of links, or one is the settings file `file`.

    own: files that the service writes and no key names, by what they are called. Call it before anything is written. A
    disk that does not answer within two seconds is left out: a network drive must not keep the service from starting.
    """
    faults: list[Fault] = []
    table, name = msgspec.to_builtins(settings), None if file is None else str(file)
    others = {called: str(path) for called, path in (own or {}).items()}
    look = Thread(target=lambda: faults.extend(find_same_files(table, name, others)), daemon=True)
    look.start()
    look.join(_DISKS_S)
    if faults and not look.is_alive():
        raise error_of(faults, "settings", None)


def check_sendable(settings: Settings) -> None:
    """Raise ConfigError unless the settings can be sent to the worker: all texts are UTF-8, and not too long.

    A file is UTF-8, but words of the command line, such as a folder's name, may be any bytes.
    """
    try:
        size = len(msgspec.msgpack.encode(settings))
    except UnicodeEncodeError as error:
        raise ConfigError(f"{shorten(ascii(without_secrets(error.object)))}: not UTF-8: rename it") from error
    if size > MAX_SENT:
        raise ConfigError(f"the settings take {size} bytes: must be at most {MAX_SENT}: shorten names and scripts")


def _merged(values: Mapping[str, Any], options: Mapping[str, object]) -> Table:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for key, value in options.items():
        *section, name = _place_of(key)
        table = merged.setdefault(section[0], {}) if section else merged
        if isinstance(table, dict):  # else the file has something else there, which is a fault
            table[name] = value
    return merged


@cache
def _places() -> dict[str, list[tuple[str, ...]]]:
    """List the places of each name of a key, such as ("camera", "fps") of fps, without those inside lists."""
    places: dict[str, list[tuple[str, ...]]] = {}
    for name, kind in get_type_hints(Settings).items():
        kinds = (one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Section))
        section = next(kinds, None)
        for key in section.__struct_fields__ if section else (name,):
            places.setdefault(key, []).append((name, key) if section else (name,))
    return places


def _place_of(key: str) -> tuple[str, ...]:
    """Return the place of the one key that is called `key`. Raises ValueError if there are none or several."""
    found = _places().get(key, [])
    if len(found) != 1:
        raise ValueError(f"{key} is the name of {len(found)} keys")
    return found[0]


def parse_size(text: str) -> tuple[int, int]:
    """Parse the option --size as (width, height); settings_from judges the range. Raises ConfigError."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and len(side) <= _DIGITS for side in sides):
        raise ConfigError(f"--size {shorten(without_secrets(text))}: must be WIDTHxHEIGHT, such as 640x480")
    return int(sides[0]), int(sides[1])
