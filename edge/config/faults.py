"""Find every fault of a decoded file, not only the first, and describe each on one line.

The decoder ends at its first error, so each key is converted by itself here, along the annotations of the records.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set
from datetime import date, time
from types import NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import msgspec

from edge.config.allowed import allowed
from edge.config.sections import Section
from edge.errors import ConfigError
from edge.printable import concealed, without_secrets

_MOST_LISTED = 20
_LONGEST = 100  # characters of a value in a message
# A wrong value there may be a password, or a program's argument that holds one.
_UNSHOWN = ("camera.password_file", "mqtt.username", "mqtt.password_file", "hook.command")
# From a section's name to a key; a number is the place in a list, from 1.
Place = tuple[str | int, ...]
Table = dict[str, Any]


class Fault(NamedTuple):
    """One thing that is wrong. place: of the key. text: returns the message; not called for what is not shown."""

    place: Place
    text: Callable[[], str]


def find_faults(kind: type[Section], table: Table, place: Place = ()) -> Iterator[Fault]:
    """Yield the faults of a section's keys, in their order, then what is missing, then what its own rules find."""
    types = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    sound = {}
    for key, value in table.items():
        found = list(_of_value(types[key].type, value, (*place, key))) if key in types else [_unknown(kind, key, place)]
        if not found:
            sound[key] = value
        yield from found
    yield from (_missing(name, place) for name, field in types.items() if field.required and name not in table)
    if all(name in sound or not field.required for name, field in types.items()):
        yield from _of_own_rules(kind, sound, table, place)


def _of_value(kind: Any, value: Any, place: Place) -> Iterator[Fault]:
    """Yield the faults of one value; of a section, a list or a table, those of each part first."""
    inner = _bare(kind)
    items = get_args(inner)
    found: list[Fault] = []
    if isinstance(inner, type) and issubclass(inner, Section) and isinstance(value, dict):
        yield from find_faults(inner, value, place)
        return
    if get_origin(inner) is tuple and items[-1] is Ellipsis and isinstance(value, list):
        for number, item in enumerate(value, 1):
            found += _of_value(items[0], item, (*place, number))
    elif get_origin(inner) is dict and isinstance(value, dict):
        for key, item in value.items():
            found += [*_of_value(items[0], key, (*place, key)), *_of_value(items[1], item, (*place, key))]
    yield from found or _of_whole(kind, value, place)


def _bare(kind: Any) -> Any:
    """Return an annotation without its limits and without None."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    others = [one for one in get_args(kind) if one is not NoneType] if NoneType in get_args(kind) else []
    return _bare(others[0]) if len(others) == 1 else kind


def _of_whole(kind: Any, value: Any, place: Place) -> Iterator[Fault]:
    try:
        msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `$")[0].replace("Expected ", "", 1).replace("`", "")
        # TOML has times and dates of its own, without quotes.
        quotes = ", in quotes" if isinstance(value, date | time) else ""
        yield Fault(
            place,
            lambda: wrong(place, value, f"{allowed(kind, written(place)) or message.replace(' | null', '')}{quotes}"),
        )


def _of_own_rules(kind: type[Section], sound: Table, table: Table, place: Place) -> Iterator[Fault]:
    """Yield what a section's __post_init__ refuses: "KEY must ...". It is called with the sound values only."""
    try:
        msgspec.convert(sound, type=kind)
    except msgspec.ValidationError as error:
        message = str(error).partition(" - at `$")[0]
        key, _, rule = message.partition(" must ")
        # A key that is wrong and so was left out must not be reported as missing, too.
        if not (table.keys() - sound.keys()) & set(re.findall(r"\w+", message.partition(":")[0])):
            yield Fault((*place, key), lambda: wrong((*place, key), table.get(key), rule.removeprefix("be ")))


def _missing(key: str, place: Place) -> Fault:
    return Fault((*place, key), lambda: f"{_title(place)}key {key!r} is missing")


def _unknown(kind: type[Section], key: str, place: Place) -> Fault:
    def text() -> str:
        import difflib  # here: right settings do not need it

        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return f"{_title(place)}unknown key {shown(key)}: {hint}"

    return Fault((*place, key), text)


def error_of(faults: Sequence[Fault], what: str, file: str | None, optional: Set[Place] = frozenset()) -> ConfigError:
    """Return the error that lists the faults. what: what is wrong, such as "settings", for the line above several.

    optional: the places of values that came as options, and so are in no file.
    """
    named = [None if fault.place in optional else file for fault in faults]
    if len(faults) == 1:
        return ConfigError(_after(named[0], faults[0].text()))
    # The file is named once if all of them are in it, else in the line of each that is.
    shared = file if all(named) else None
    listed = list(zip(named, faults, strict=True))[:_MOST_LISTED]
    lines = [_after(None if shared else name, fault.text()) for name, fault in listed]
    if len(faults) > _MOST_LISTED:
        lines.append(f"and {len(faults) - _MOST_LISTED} more")
    return ConfigError(_after(shared, f"{len(faults)} {what} are wrong:"), lines)


def _after(file: str | None, text: str) -> str:
    return text if file is None else f"{file}: {text}"


def wrong(place: Place, value: Any, what: str) -> str:
    """Return the message for a wrong value: key, value, what is allowed. value: None if the key is not there."""
    path = written(place)
    if value is None:
        return f"{path}: must be {what}"
    return f"{path} = {'***' if path.startswith(_UNSHOWN) else shown(value)}: must be {what}"


def _title(place: Place) -> str:
    if not place:
        return ""
    return f"[{written(place)}] " if not isinstance(place[-1], int) else f"{written(place)}: "


def written(place: Place) -> str:
    """Return a place in words, such as "camera.fps", or "schedule.awake, number 2, from" in a list."""
    text = ""
    for before, part in zip((None, *place), place, strict=False):
        if isinstance(part, int):
            text += f", number {part}"
        else:
            name = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else shown(part)
            text += f"{'' if before is None else ', ' if isinstance(before, int) else '.'}{name}"
    return text


def shown(value: Any) -> str:
    """Return a value for a message: cut if it is long, and without passwords, which may stand in any place."""
    try:
        return shorten(repr(without_secrets(value)) if isinstance(value, str) else concealed(_as_in_toml(value)))
    except ValueError:  # TOML's 0x... can be a number of more digits than Python prints
        return "(a number too long to print)"
    except RecursionError:
        return "(nested too deeply to print)"


def _as_in_toml(value: Any) -> str:
    """Return a value about as its file has it: true, 06:30:00 and not what Python calls them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):  # a datetime is a date, too
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_as_in_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_as_in_toml(item)}' for key, item in value.items())}}}"
    return repr(value)


def shorten(text: str) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
