"""Read settings: a TOML file and the command line's options, merged once and converted once to typed, frozen records.

Nothing is clamped: a value out of range is an error with file, key and value. Keys, sections and ranges in messages are
derived from the records.
"""

import codecs
import difflib
import errno
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.inspect import FloatType, IntType, LiteralType, StructType, Type, UnionType, type_info

from edge.config.sections import Section
from edge.config.settings import MAX_SENT, Settings
from edge.errors import ConfigError, MissingInputError
from edge.printable import concealed, without_secrets
from edge.storage import read_bounded

_LONGEST = 100  # characters of a value in a message
_DIGITS = 9  # of a side in --size
# A hundred times the example of docs/settings.md.
MAX_BYTES = 1 << 16
# The decoder takes time by the square of a key's dots: 32,000 of them 15 s on an x86-64 core, 2,000 hardly any.
_MAX_DOTS = 2000
_TEXT = "a text that is not empty and holds no NUL character"
# Keys for which neither msgspec's words nor the types' own are helpful enough.
_CHOICES = {
    "bundle": _TEXT,
    "camera.source": _TEXT,
    "camera.script": "a text that holds no NUL character",
    "engine.edgetpu_library": _TEXT,
    "output.jsonl": _TEXT,
    "camera.exposure": "auto, or microseconds from 1 to 200000000",
    "camera.focus": "auto, or a number from 0 to 65535: dioptres for a Pi camera",
    "camera.format": "auto, MJPG, YUYV or another four-letter code that `v4l2-ctl --list-formats-ext` shows",
    "camera.region": "four numbers from 0 to 1: left, top, width and height as shares of the picture",
    "engine.device": "auto, cpu, any, usb, pci, usb:N, pci:N, or a place such as 2-1.4 or /dev/apex_0",
}


def load_settings(path: Path | None, /, **options: object) -> Settings:
    """Read the settings file at `path`, or none, with `options` put over it as in settings_from.

    Raises MissingInputError or ConfigError.
    """
    if path is None:
        return settings_from({}, **options)
    try:
        data = read_bounded(path, MAX_BYTES, pipe=True)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EFBIG:
            raise ConfigError(f"{path}: must be a settings file of at most {MAX_BYTES} bytes") from error
        raise MissingInputError(f"settings {path}: cannot read: {getattr(error, 'strerror', None) or error}") from error
    return parse_settings(data, str(path), **options)


def parse_settings(data: bytes, file: str, /, **options: object) -> Settings:
    """Read settings from the bytes of a file, as load_settings; `file` is for messages.

    A byte order mark, as some editors put it first, is skipped.
    """
    for number, line in enumerate(data.split(b"\n"), 1):
        if (dots := line.count(b".")) > _MAX_DOTS:
            raise ConfigError(f"{file}: line {number} has {dots} dots: must be at most {_MAX_DOTS}: break it up")
    try:
        values = msgspec.toml.decode(data.removeprefix(codecs.BOM_UTF8))
    except RecursionError as error:
        raise ConfigError(f"{file}: not valid TOML: nested too deeply") from error
    except ValueError as error:  # also msgspec's and Unicode's
        raise ConfigError(f"{file}: not valid TOML: {shorten(concealed(str(error)))}") from error
    return settings_from(values, file, **options)


def settings_from(values: Mapping[str, Any], file: str | None = None, /, **options: object) -> Settings:
    """Convert decoded TOML, with `options` put over it, to Settings.

    options: values by the names of their keys, such as `fps`; None was not given. A value of the file that an option
    replaces is not judged. Raises ConfigError, which names the file unless an option is wrong.
    """
    given = {key: value for key, value in options.items() if value is not None}
    merged = _merged(values, given)
    try:
        return msgspec.convert(merged, type=Settings)
    except msgspec.ValidationError as error:
        path, message = _explain(error, merged)
        in_file = file is not None and path not in {_path_of(key) for key in given}
        raise ConfigError(f"{file}: {message}" if in_file else message) from error


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


def _merged(values: Mapping[str, Any], options: Mapping[str, object]) -> dict[str, Any]:
    merged = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for key, value in options.items():
        section, _, name = _path_of(key).rpartition(".")
        table = merged.setdefault(section, {}) if section else merged
        if isinstance(table, dict):  # else the file has something else there, and the conversion reports it
            table[name] = value
    return merged


@cache
def _sections() -> dict[str, tuple[str, ...]]:
    """List the keys of each section; those of the top level are under ""."""
    tables = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    kinds = {name: kind for name, kind in tables.items() if isinstance(kind, type) and issubclass(kind, Section)}
    return {"": Settings.__struct_fields__, **{name: kind.__struct_fields__ for name, kind in kinds.items()}}


def _path_of(key: str) -> str:
    """Return the path of the one key that is called `key`, such as "camera.fps"."""
    (section,) = (name for name, keys in _sections().items() if key in keys)
    return f"{section}.{key}" if section else key


def parse_size(text: str) -> tuple[int, int]:
    """Parse the option --size as (width, height); settings_from judges the range. Raises ConfigError."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and len(side) <= _DIGITS for side in sides):
        raise ConfigError(f"--size {shorten(without_secrets(text))}: must be WIDTHxHEIGHT, such as 640x480")
    return int(sides[0]), int(sides[1])


def _explain(error: msgspec.ValidationError, values: dict[str, Any]) -> tuple[str, str]:
    """Return the key's path, and a message: key, value, what is allowed; for an unknown key the nearest known one."""
    message, _, place = str(error).partition(" - at `$")
    path = re.sub(r"\[.*?\]", "", place.rstrip("`").lstrip("."))
    unknown = re.search(r"unknown field `(.*)`", message, re.DOTALL)
    if unknown:
        known = _sections().get(path, ())
        near = difflib.get_close_matches(unknown[1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return path, f"{f'[{path}] ' if path else ''}unknown key {_shown(unknown[1])}: {hint}"
    missing = re.search(r"missing required field `(.+?)`", message)
    if missing:
        return missing[1], f"key {missing[1]!r} is missing"
    own = re.fullmatch(r"(\w+) (must .*)", message)
    if own:
        path, message = f"{path}.{own[1]}", own[2].removeprefix("must be ")
    value: Any = values
    for key in path.split(".") if path else ():
        value = value.get(key) if isinstance(value, dict) else None
    allowed = None if own else _CHOICES.get(path) or _allowed(path)
    return path, f"{path} = {_shown(value)}: must be {allowed or message.replace('Expected ', '', 1).replace('`', '')}"


def _shown(value: Any) -> str:
    # A password may stand in the value of a wrong key, too, or in a list.
    try:
        return shorten(repr(without_secrets(value)) if isinstance(value, str) else concealed(repr(value)))
    except ValueError:  # TOML's 0x... can be a number of more digits than Python prints
        return "(a number too long to print)"
    except RecursionError:
        return "(nested too deeply to print)"


def shorten(text: str) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _allowed(path: str) -> str | None:
    """Describe what a number or a choice may be, from its annotation, such as "a whole number from 32 to 8192".

    None for keys of other types.
    """
    kind: Type | None = type_info(Settings)
    for key in path.split("."):
        fields = kind.fields if isinstance(kind, StructType) else ()
        kind = next((field.type for field in fields if field.name == key), None)
    kinds = kind.types if isinstance(kind, UnionType) else (kind,)
    words = [str(value) for one in kinds if isinstance(one, LiteralType) for value in one.values]
    numbers = [_ends(one) for one in kinds if isinstance(one, IntType | FloatType)]
    if numbers:
        return ", or ".join(words + numbers)
    return f"{', '.join(words[:-1])} or {words[-1]}" if words else None


def _ends(kind: IntType | FloatType) -> str:
    ends = (("from", kind.ge), ("over", kind.gt), ("to", kind.le), ("to under", kind.lt))
    limits = [f"{word} {end:.15g}" for word, end in ends if end is not None]
    return " ".join(["a whole number" if isinstance(kind, IntType) else "a number", *limits])
