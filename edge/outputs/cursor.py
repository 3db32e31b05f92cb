"""Keep how far an output has come in the store, across restarts."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from edge.decoding import DecodingError, decode_json
from edge.outputs.unwritable import report_unwritable
from edge.storage import read_bounded, replace_file

_log = logging.getLogger(__name__)

_MAX_BYTES = 4096
# The copy in memory (/run) outlives a kill of the process, at no cost for the card.
_QUICK_EVERY_S = 0.2
# A synced replacement of a small file writes some 20 kB to a card. With events that trickle in, every ten minutes that
# is 3 MB a day for an output, and after a power cut ten minutes of events come twice. Draining a backlog, one is
# written each _EVENTS events, but at most one a second.
_EVERY_S = 600.0
_EVENTS, _LEAST_S = 500, 1.0
# If there is no copy in memory, a kill must not repeat ten minutes.
_EVERY_WITHOUT_COPY_S = 30.0


class Position(msgspec.Struct, frozen=True):
    """store: the store's id. number: of the last event that was delivered, with all before it."""

    store: str
    number: int


class Cursor:
    """A position in a file, with a copy in memory. Used by one thread."""

    def __init__(self, path: Path, copy: Path | None, before_saving: Callable[[], None] | None = None) -> None:
        """path: on the disk. copy: in a folder that is in memory, None if there is none.

        before_saving: called before the position is written to the disk, so that what it stands for is there first.
        """
        self._path, self._copy, self._before_saving = path, copy, before_saving
        self._every_s = _EVERY_S if copy is not None else _EVERY_WITHOUT_COPY_S
        self._now: Position | None = None
        self._on_disk: Position | None = None
        self._in_memory: Position | None = None
        self._disk_s = self._memory_s = float("-inf")

    def load(self) -> list[Position]:
        """Return what the files hold: the furthest position last."""
        found = [position for path in (self._path, self._copy) if path and (position := _read(path)) is not None]
        return sorted(found, key=lambda position: position.number)

    def advance(self, position: Position) -> None:
        """Note a new position, and write it if that is due."""
        self._now = position
        self.tick()

    def tick(self) -> None:
        """Write what is due. Must be called now and then, also if nothing advances."""
        if self._now is None:
            return
        now_s = time.monotonic()
        if self._copy is not None and self._now != self._in_memory and now_s - self._memory_s >= _QUICK_EVERY_S:
            self._memory_s = now_s
            self._write(self._copy, synced=False)
            self._in_memory = self._now  # if that failed, the next position is soon enough
        if self._now != self._on_disk and self._is_due(now_s - self._disk_s):
            self.save()

    def next_s(self) -> float | None:
        """Return after how many seconds something is due, None if all is written."""
        now_s = time.monotonic()
        if self._copy is not None and self._now != self._in_memory:
            return max(0.0, self._memory_s + _QUICK_EVERY_S - now_s)
        if self._now != self._on_disk:
            return max(_LEAST_S, self._disk_s + self._every_s - now_s)
        return None

    def _is_due(self, since_s: float) -> bool:
        assert self._now is not None
        known = self._on_disk
        if known is None or known.store != self._now.store:
            return since_s >= _LEAST_S
        moved = abs(self._now.number - known.number)
        return since_s >= self._every_s or (moved >= _EVENTS and since_s >= _LEAST_S)

    def save(self) -> None:
        """Write the position to the disk now, if it is not there yet."""
        if self._now is None or self._now == self._on_disk:
            return
        self._disk_s = time.monotonic()
        if self._write(self._path, synced=True):
            self._on_disk = self._now

    def _write(self, path: Path, *, synced: bool) -> bool:
        try:
            if synced and self._before_saving is not None:
                self._before_saving()
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            replace_file(path, msgspec.json.encode(self._now), 0o640, synced=synced)
        except OSError as error:
            report_unwritable(path.parent, error)
            return False
        return True


def _read(path: Path) -> Position | None:
    try:
        return decode_json(read_bounded(path, _MAX_BYTES, follow=False), Position)
    except FileNotFoundError:
        return None
    except (OSError, DecodingError) as error:
        _log.warning("%s: cannot be read, begins anew: %s", path, error)
        return None
