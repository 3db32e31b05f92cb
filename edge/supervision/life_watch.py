"""Detect a worker that reports healthy but looks at nothing, or whose results all come too late."""

import time
from dataclasses import dataclass

from edge.config.settings import Settings
from edge.errors import UnavailableError
from edge.source_kind import source_kind
from edge.supervision.recovery import Fault

# A single hiccup of the board (a card that swaps, a burst of other work) makes a result or two late. With a gate the
# next result may be hours away, so a count is needed beside the time.
_MANY_LATE = 3


@dataclass(slots=True)
class _Late:
    """Results that were too old when they were ready, in a row: a published one ends it."""

    count: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    oldest_s: float = 0.0  # the largest age among them


class LifeWatch:
    """The supervisor's own clock since the last sign of life. Used by one thread.

    There are two signs: a result that was published, and fresh frames that the gate turned away. A still scene, a
    motion gate or a schedule gives no results for hours and is no fault.

    A result that was too old to publish is no sign. While frames are turned away the clock never runs out, so late
    results are judged by themselves: many in a row, over as long a time as the clock allows, are a fault.

    A replay is never judged by silence: thousands of unreadable pictures, a slow drive or a pause between two frames
    of a video may take any time.

    A replaced worker is given the full time again.
    """

    def __init__(self, settings: Settings) -> None:
        self._camera, self._engine = settings.camera, settings.engine
        self._is_replay = source_kind(settings.camera.source) == "replay"
        self._sign_s = time.monotonic()
        self._served_s: float | None = None
        self._late = _Late()
        self._explained = False

    def seconds(self, now: float) -> float:
        """Return the seconds since the last sign of life, or since the start of the program."""
        return now - self._sign_s

    def worker_begins(self) -> None:
        """Note that another process was started, which is not judged before it serves."""
        self._served_s = None

    def worker_serves(self) -> None:
        """Note that engine and camera are open: from now on a sign of life is expected."""
        self._served_s, self._late, self._explained = time.monotonic(), _Late(), False

    def published(self) -> None:
        """Note a result that was published; call it after the sinks, which may wait for a reader."""
        self._sign_s, self._late = time.monotonic(), _Late()

    def looked(self) -> None:
        """Note fresh frames that the gate turned away."""
        # Late results stay on record: these frames show that the camera is well, and nothing of the engine.
        self._sign_s = time.monotonic()

    def explained(self) -> None:
        """Note that the camera failed: until it is open again, that is why nothing comes."""
        self._late, self._explained = _Late(), True

    def too_old(self, age_s: float) -> bool:
        """Return True if a live result of this age must not be published, and note it if so."""
        if age_s <= self._camera.patience_s:
            return False
        late, now = self._late, time.monotonic()
        if not late.count:
            late.first_s = now
        late.count += 1
        late.last_s, late.oldest_s = now, max(late.oldest_s, age_s)
        return True

    def excuse(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which the supervisor itself was not running."""
        now = time.monotonic()
        self._sign_s = min(now, self._sign_s + away_s)
        self._late.first_s = min(now, self._late.first_s + away_s)
        if self._served_s is not None:
            self._served_s = min(now, self._served_s + away_s)

    def fault(self, now: float, limit_fps: float | None) -> Fault | None:
        """Return what to blame a serving worker for, None if nothing. limit_fps: the rate that it was given, None for
        all frames."""
        if self._served_s is None or self._explained:
            return None
        longest_s = self._longest_s(limit_fps)
        silent = now - max(self._sign_s, self._served_s) >= longest_s
        if self._late.count and (silent or self._is_always_late(longest_s)):
            return _fault(
                f"no fresh result for {longest_s:.0f} s: they are up to {self._late.oldest_s:.1f} s old when ready, "
                f"at most {self._camera.patience_s:g} s (camera.timeout_s): the engine or the camera is too slow",
                late=True,
            )
        # Without frozen_s a camera may repeat one picture for ever, and nothing else comes of it.
        if silent and self._camera.frozen_s and not self._is_replay:
            return _fault(f"no frame was looked at for {longest_s:.0f} s")
        return None

    def patience_s(self, limit_fps: float | None) -> float:
        """Return how long a serving worker may look at nothing before it is blamed; infinite if it never is.
        limit_fps: as in `fault`."""
        return float("inf") if self._is_replay or not self._camera.frozen_s else self._longest_s(limit_fps)

    def _is_always_late(self, longest_s: float) -> bool:
        late = self._late
        return late.count >= _MANY_LATE and late.last_s - late.first_s >= longest_s

    def _longest_s(self, limit_fps: float | None) -> float:
        # Each wait that a worker judges by itself, one after the other: a stall, twice, as a frame may come just before
        # it is one; a frozen picture; an inference. 13 s with the defaults.
        patience_s = max(self._camera.patience_s, 3 / limit_fps if limit_fps else 0.0)
        return 2 * patience_s + self._camera.frozen_s + self._engine.timeout_s


def _fault(why: str, *, late: bool = False) -> Fault:
    return Fault("hang", "worker", why, UnavailableError.exit_status, late)
