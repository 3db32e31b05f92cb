"""Find settings that are right each by itself and cannot work together, or on this system.

They are judged in the decoded table, so that a fault in one key does not hide those of others.
"""

import difflib
from collections.abc import Iterator
from typing import Any

from edge.config.collisions import find_collisions
from edge.config.faults import Fault, Place, Table, shown, written, wrong

# What reads the store and does nothing else.
_READERS = ("mqtt", "metrics", "event_lines", "hook", "gpio", "led")
_STORE = 'events.store = FILE, such as "/var/lib/fieldfare/events.db"'


def find_contradictions(table: Table, file: str | None = None) -> Iterator[Fault]:
    """Yield what keeps sections from working together.

    table: the whole decoded file; any value may be wrong. file: the path of the settings file, None if there is none.
    """
    yield from _without_store(table)
    yield from _without_place(table)
    yield from _unknown_timezone(table)
    yield from find_collisions(table, file)


def _without_store(table: Table) -> Iterator[Fault]:
    if "store" in _section(table, "events"):
        return
    yield from (_no_store(name) for name in _READERS if name in table)
    scores = _section(table, "events").get("scores")
    if isinstance(scores, str):
        yield Fault(("events", "scores"), lambda: f"events.scores needs events to be kept: add {_STORE}")
    limit = _section(table, "harvest").get("max_mb")
    if isinstance(limit, int | float) and limit > 0:
        yield Fault(("harvest", "max_mb"), lambda: wrong(("harvest", "max_mb"), limit, f"0 without {_STORE}"))


def _no_store(name: str) -> Fault:
    return Fault((name,), lambda: f"[{name}] needs events to be kept: add {_STORE}")


def _without_place(table: Table) -> Iterator[Fault]:
    if {"latitude", "longitude"} & _section(table, "device").keys():  # one of them alone is a fault of its own
        return
    windows = _section(table, "schedule").get("awake")
    for number, window in enumerate(windows if isinstance(windows, list) else (), 1):
        for key in ("from", "to"):
            moment = window.get(key) if isinstance(window, dict) else None
            if isinstance(moment, str) and moment.startswith(("sunrise", "sunset")):
                yield _no_sun(("schedule", "awake", number, key), moment)


def _no_sun(place: Place, moment: str) -> Fault:
    fix = "needs device.latitude and device.longitude, or a time as HH:MM"
    return Fault(place, lambda: f"{written(place)} = {shown(moment)}: {fix}")


def _unknown_timezone(table: Table) -> Iterator[Fault]:
    name = _section(table, "schedule").get("timezone")
    if isinstance(name, str) and name and "\x00" not in name and not _is_timezone(name):
        yield Fault(("schedule", "timezone"), lambda: _timezone_text(name))


def _is_timezone(name: str) -> bool:
    from zoneinfo import ZoneInfo  # few settings name one

    try:
        ZoneInfo(name)
    # Not found; a path that leaves its folder; a folder, a file name that is too long, or no time zone file.
    except (KeyError, ValueError, OSError):
        return False
    return True


def _timezone_text(name: str) -> str:
    from zoneinfo import available_timezones

    near = difflib.get_close_matches(name, available_timezones(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see `timedatectl list-timezones`"
    return wrong(("schedule", "timezone"), name, f"a time zone such as Europe/Berlin: {hint}")


def _section(table: Table, name: str) -> dict[str, Any]:
    section = table.get(name)
    return section if isinstance(section, dict) else {}
