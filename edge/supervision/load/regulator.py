"""Read the board's sensors once a second, and keep the rate that the governor allows."""

import logging
import time

from edge.board import Board
from edge.config.running import Load
from edge.supervision.load.governor import Governor, Sample
from edge.supervision.status import LoadStatus

_log = logging.getLogger(__name__)

# Temperature moves slowly, power alarms last for seconds, and a look reads several files.
_EVERY_S = 1.0


class Regulator:
    """Joins board and governor. Used by one thread.

    limit_fps: frames a second that may be looked at, None for no limit.
    reason: why fewer than in the settings, None if not.
    load: the same for the status, with what the board reports.
    """

    def __init__(self, load: Load, camera_fps: float | None, board: Board | None = None) -> None:
        self._board = board or Board()
        self._governor = Governor(load, target_fps=camera_fps, cpus=self._board.cpus())
        self._cpus = self._board.cpus()
        self._max_fps = self.limit_fps = load.max_fps
        self._limiter: str | None = None
        self.reason: str | None = None
        self.load = LoadStatus(limit_fps=self.limit_fps)
        self._next_s = 0.0
        self._last_cpu: tuple[float, float] | None = None

    def look(self, pids: list[int], frames: int) -> bool:
        """Read the sensors if that is due; True if limit or reason changed. pids: the service's processes. frames:
        those looked at so far."""
        now = time.monotonic()
        if now < self._next_s:
            return False
        self._next_s = now + _EVERY_S
        used = [self._board.cpu_s(pid) for pid in pids]
        cpu_s = sum(value for value in used if value is not None)
        readings = self._board.readings()
        allowed = self._governor.update(Sample(now, readings, cpu_s, frames))
        percent = self._percent(now, cpu_s)
        # Without a reason the governor's figure is only what the camera gives: that is no limit.
        limit_fps = allowed.fps if allowed.reason else self._max_fps
        changed = limit_fps != self.limit_fps or allowed.reason != self.reason
        if allowed.limited_by not in (None, self._limiter):
            _log.warning("slowed down to %.3g decisions a second: %s", limit_fps, allowed.reason)
        elif self.reason and not allowed.reason:
            _log.info("at full speed again")
        self.limit_fps, self.reason = limit_fps, allowed.reason
        self._limiter = allowed.limited_by or (self._limiter if allowed.reason else None)
        self.load = LoadStatus(
            temperature_c=readings.temperature_c,
            cpu_percent=percent,
            limit_fps=None if limit_fps is None else round(limit_fps, 3),
            reason=allowed.reason,
        )
        return changed

    def _percent(self, now: float, cpu_s: float) -> float | None:
        """Return the share of all cores since the last look; None at first, and with a new worker."""
        last, self._last_cpu = self._last_cpu, (now, cpu_s)
        if last is None or cpu_s < last[1] or now <= last[0]:
            return None
        return round(100 * (cpu_s - last[1]) / (now - last[0]) / self._cpus, 1)
