"""Request the newest picture: a file that the pages replace while somebody looks, and the worker looks at."""

import logging
import os
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.decoding import DecodingError, decode_json
from edge.live.places import REQUEST
from edge.printable import printable
from edge.results import Box
from edge.storage import read_bounded, replace_file

_log = logging.getLogger(__name__)

# Pages look once a second: two in a row may be late.
FRESH_S = 3.0
# A request has 60 bytes.
MOST_BYTES = 1024
# Smaller parts show a few pixels.
_LEAST_SIZE = 0.02

Finite = Annotated[float, Meta(ge=-1e9, le=1e9)]


class Focus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the picture, to set the lens by.

    x, y: of its middle, as shares of the frame.
    size: its width and height, as a share of the frame's.

    Whatever they are, `box` lies in the frame.
    """

    x: Finite = 0.5
    y: Finite = 0.5
    size: Finite = 0.25

    @property
    def box(self) -> Box:
        """Return left, top, width and height as shares of the frame."""
        size = min(1.0, max(_LEAST_SIZE, self.size))
        left, top = (min(1.0 - size, max(0.0, middle - size / 2)) for middle in (self.x, self.y))
        return left, top, size, size


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What somebody looks at. picture: all of the newest frame. focus: a part of it, in full resolution."""

    picture: bool = False
    focus: Focus | None = None


def leave(folder: Path, wanted: Wanted) -> None:
    """Leave a request in the folder. Raises OSError."""
    replace_file(folder / REQUEST, msgspec.json.encode(wanted), 0o640, synced=False)


class Requests:
    """The request of a folder, which others may write to. Used by one thread.

    A request counts from when it was seen to be a new one, by the reader's own clock: that of the file may jump.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / REQUEST
        self._mark = self._look_at()  # who left it may be gone
        self._picture_until_s = self._focus_until_s = -float("inf")
        self._focus: Focus | None = None
        self._warned = False

    def wanted(self, now_mono_s: float) -> Wanted | None:
        """Return what is wanted now, None if nothing is. One `stat` if there is no new request."""
        mark = self._look_at()
        if mark != self._mark:
            self._mark = mark
            self._take(now_mono_s)
        picture, focus = now_mono_s < self._picture_until_s, now_mono_s < self._focus_until_s
        return Wanted(picture, self._focus if focus else None) if picture or focus else None

    def _look_at(self) -> tuple[int, int, int] | None:
        try:
            about = os.lstat(self._path)
        except OSError:  # nobody has looked yet
            return None
        return about.st_ino, about.st_mtime_ns, about.st_ctime_ns

    def _take(self, now_mono_s: float) -> None:
        try:
            data = read_bounded(self._path, MOST_BYTES, follow=False)
            new = decode_json(data, Wanted)
        except FileNotFoundError:
            return
        except (OSError, DecodingError) as error:
            level = logging.DEBUG if self._warned else logging.WARNING
            self._warned = True
            _log.log(level, "%s: not taken for a request: %s", printable(str(self._path)), printable(str(error)))
            return
        # Each for itself: two servers of pages may leave requests in turn.
        if new.picture:
            self._picture_until_s = now_mono_s + FRESH_S
        if new.focus is not None:
            self._focus, self._focus_until_s = new.focus, now_mono_s + FRESH_S
