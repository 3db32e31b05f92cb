"""Show events as lines that fit a terminal of 80 columns."""

import shutil
import sys
import unicodedata
from datetime import datetime

from edge.printable import printable
from edge.store.records import Mark, StoredEvent

_LABEL = 22
_LONGEST_LABEL = 60
# All but the label: see HEAD.
_REST = 58
# Marks and joiners stand over, under or within the character before them, as in Thai and Hindi; so do the second and
# third parts of a Korean syllable that is written in parts.
_NO_WIDTH = {"Mn", "Me", "Cf"}
_KOREAN_PARTS = range(0x1160, 0x1200)
_MARKS = {"right": "right", "wrong": "wrong"}


def label_width() -> int:
    """Return how many columns a label may take, so that lines fit the terminal; no limit if it is none."""
    if not sys.stdout.isatty():
        return _LABEL
    return max(_LABEL, min(_LONGEST_LABEL, shutil.get_terminal_size().columns - _REST))


def head(width: int) -> str:
    """Return the line above the events."""
    return f"{'NUMBER':>7}  {'BEGIN':<19} {fit('LABEL', width)} {'SCORE':>5} {'TIME':>7} {'FRAMES':>6} CHECKED"


def line(stored: StoredEvent, width: int) -> str:
    """Return an event as one line: number, begin, label, best score, duration, frames, what a person found."""
    event = stored.event
    return (
        f"{stored.number:>7} {begin(stored):>20} {fit(stored.label, width)} {event.peak:>5.2f} "
        f"{duration(event.end_mono_s - event.begin_mono_s):>7} {event.frames:>6} {checked(stored.mark)}"
    ).rstrip()


def begin(stored: StoredEvent) -> str:
    """Return its begin in local time, behind a ~ if that cannot be trusted."""
    return f"{'~' if stored.clock == 'none' else ''}{local(stored.begin_wall_s)}"


def local(wall_s: float) -> str:
    """Return a moment in local time, such as 2026-11-28 05:12:03."""
    try:
        return datetime.fromtimestamp(wall_s).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{wall_s:.0f} s"


def duration(lasted_s: float) -> str:
    """Return a duration in at most seven characters: 4.2 s, 3:05, 1:02:03."""
    if lasted_s < 60:
        return f"{lasted_s:.1f} s"
    minutes, seconds = divmod(round(lasted_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def checked(mark: Mark | None) -> str:
    """Return what a person found, in one word; nothing if nobody looked."""
    return "" if mark is None else _MARKS.get(mark.verdict, "renamed")


def fit(text: str, width: int) -> str:
    """Return a text in exactly so many columns, cut if it is longer; Chinese characters take two."""
    shown = printable(text[: 4 * width])
    if columns(shown) > width:
        while columns(shown) > width - 3:
            shown = shown[:-1]
        shown += "..."
    return padded(shown, width)


def padded(text: str, width: int) -> str:
    """Return a text with blanks behind it up to so many columns."""
    return text + " " * (width - columns(text))


def columns(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    # Not unicodedata.combining: it is 0 for most vowel signs.
    if unicodedata.category(character) in _NO_WIDTH or ord(character) in _KOREAN_PARTS:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
