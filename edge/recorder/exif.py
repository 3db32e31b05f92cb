"""Write the EXIF of a picture: when, where and what, so that any program for photos can show and sort it.

Pillow could write it, too, but takes 3.2 MiB of memory, a quarter of what the recorder has in all (measured 2026-11).
The format is TIFF's (CIPA DC-008, Exif 2.32): directories of entries of 12 bytes, in order of their tags, each with its
value or the place of its value.
"""

import struct
import time
from collections.abc import Callable

import msgspec

from edge.events.records import ClockQuality
from edge.printable import printable

# Enough for any name; a text of 10,000 characters is no label.
_MOST_CHARACTERS = 200
_ASCII, _LONG, _RATIONAL, _UNDEFINED, _BYTE = 2, 4, 5, 7, 1
_IMAGE_DESCRIPTION, _SOFTWARE, _EXIF_POINTER, _GPS_POINTER = 0x010E, 0x0131, 0x8769, 0x8825
_EXIF_VERSION, _TIME, _USER_COMMENT, _OFFSET, _FRACTION = 0x9000, 0x9003, 0x9286, 0x9011, 0x9291
_GPS_VERSION, _LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE = 0, 1, 2, 3, 4
_TIFF_HEAD = 8
# Parts of a second of arc in which a place is written: 3 mm.
_ARC_PARTS = 10_000
_WORDS: dict[ClockQuality, str] = {
    "ntp": "time from a time server",
    "rtc": "time from a clock that runs by itself",
    "hand": "time set by hand",
    "none": "no time: the clock was not set",
}

Entry = tuple[int, int, int, bytes]  # tag, type, count, value


class PictureNotes(msgspec.Struct, frozen=True, kw_only=True):
    """What is written into a picture.

    label, score: what it shows. kind: of the picture, or why a sample was kept. name: the event's.
    captured_wall_s, clock: when, and how far that can be trusted. boot_s: the same in seconds since the boot.
    engine: what computed the score. latitude, longitude: decimal degrees, or None.
    """

    label: str
    score: float
    kind: str
    name: str
    captured_wall_s: float
    clock: ClockQuality
    boot_s: float
    engine: str
    latitude: float | None = None
    longitude: float | None = None


def with_exif(jpeg: bytes, notes: PictureNotes) -> bytes:
    """Return the picture with these notes in it. jpeg: whole, from its first marker on."""
    segment = b"Exif\0\0" + exif(notes)
    # Behind JFIF's own segment if there is one: its standard demands to be first, and readers of EXIF look further.
    at = 2
    if jpeg[2:4] == b"\xff\xe0":
        at = 4 + int.from_bytes(jpeg[4:6], "big")
    return b"".join((jpeg[:at], b"\xff\xe1", struct.pack(">H", len(segment) + 2), segment, jpeg[at:]))


def exif(notes: PictureNotes, local: Callable[[float], time.struct_time] = time.localtime) -> bytes:
    """Return the notes as a TIFF file without a picture, of less than 4 kB. local: seconds since 1970 to local time."""
    label = printable(notes.label[:_MOST_CHARACTERS])
    what = f"{label} {notes.score:.2f}"
    comment = f"{what}; {notes.kind} of {notes.name}; {_WORDS[notes.clock]}; {notes.boot_s:.3f} s after the boot"
    taken = sorted([_entry(_EXIF_VERSION, _UNDEFINED, b"0232"), _comment(comment), *_when(notes, local)])
    place = _where(notes)
    software = f"Fieldfare, {printable(notes.engine[:_MOST_CHARACTERS])}"
    top = [_text(_IMAGE_DESCRIPTION, what), _text(_SOFTWARE, software)]
    # The pointers' values are known once the first directory's size is: that does not depend on them.
    pointers = [_EXIF_POINTER, _GPS_POINTER] if place else [_EXIF_POINTER]
    size = len(_directory(top + [_pointer(tag, 0) for tag in pointers], 0))
    taken_at = _TIFF_HEAD + size
    behind = _directory(taken, taken_at)
    places_at = taken_at + len(behind)
    top += [_pointer(tag, at) for tag, at in zip(pointers, (taken_at, places_at), strict=False)]
    head = struct.pack("<2sHI", b"II", 42, _TIFF_HEAD)
    return head + _directory(top, _TIFF_HEAD) + behind + (_directory(place, places_at) if place else b"")


def _when(notes: PictureNotes, local: Callable[[float], time.struct_time]) -> list[Entry]:
    """Return the entries for the time, none if it is not known: a wrong date would be sorted by as if it were right."""
    if notes.clock == "none":
        return []
    try:
        moment = local(notes.captured_wall_s)
    except (OverflowError, OSError, ValueError):  # a clock that a person set to no time of this world
        return []
    minutes = moment.tm_gmtoff // 60
    offset = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return [
        _text(_TIME, time.strftime("%Y:%m:%d %H:%M:%S", moment)),
        _text(_OFFSET, offset),
        _text(_FRACTION, f"{int(notes.captured_wall_s % 1 * 1000):03}"),
    ]


def _where(notes: PictureNotes) -> list[Entry]:
    if notes.latitude is None or notes.longitude is None:
        return []
    return [
        _entry(_GPS_VERSION, _BYTE, b"\2\3\0\0"),
        _text(_LATITUDE_REF, "S" if notes.latitude < 0 else "N"),
        _angle(_LATITUDE, notes.latitude),
        _text(_LONGITUDE_REF, "W" if notes.longitude < 0 else "E"),
        _angle(_LONGITUDE, notes.longitude),
    ]


def _angle(tag: int, degrees: float) -> Entry:
    """Return degrees, minutes and seconds of arc as three fractions."""
    parts = round(abs(degrees) * 3600 * _ARC_PARTS)
    minutes, seconds = divmod(parts, 60 * _ARC_PARTS)
    value = struct.pack("<6I", minutes // 60, 1, minutes % 60, 1, seconds, _ARC_PARTS)
    return tag, _RATIONAL, 3, value


def _text(tag: int, text: str) -> Entry:
    # The standard has ASCII only. What is beyond is written as UTF-8, as the Metadata Working Group recommends and as
    # programs read it.
    return _entry(tag, _ASCII, text.encode(errors="replace") + b"\0")


def _comment(text: str) -> Entry:
    if text.isascii():
        return _entry(_USER_COMMENT, _UNDEFINED, b"ASCII\0\0\0" + text.encode())
    return _entry(_USER_COMMENT, _UNDEFINED, b"UNICODE\0" + text.encode("utf-16-le", errors="replace"))


def _pointer(tag: int, at: int) -> Entry:
    return tag, _LONG, 1, struct.pack("<I", at)


def _entry(tag: int, kind: int, value: bytes) -> Entry:
    return tag, kind, len(value), value


def _directory(entries: list[Entry], at: int) -> bytes:
    """Return a directory that lies at this place, with the values that do not fit into its entries behind it."""
    values_at = at + 2 + 12 * len(entries) + 4
    table, values = [struct.pack("<H", len(entries))], b""
    for tag, kind, count, value in entries:
        if len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field = struct.pack("<I", values_at + len(values))
            values += value + b"\0" * (len(value) % 2)  # values lie at even places
        table.append(struct.pack("<HHI", tag, kind, count) + field)
    return b"".join(table) + b"\0\0\0\0" + values
