"""How long nothing was published, and when that is a fault though the worker says that all is well."""

import time

from edge.config import Settings
from edge.errors import UnavailableError
from edge.supervision.worker_watch import Fault


class Silence:
    """The supervisor's own clock since the last result that it gave out. Used by one thread.

    A worker may look healthy and give nothing: its results are all too old when they are ready, or it is wrong about
    its own state. One that is replaced for that is given as long again.
    """

    def __init__(self, settings: Settings) -> None:
        self._camera, self._engine = settings.camera, settings.engine
        self._since_s = time.monotonic()
        self._started_s: float | None = None
        self._oldest_s = 0.0  # of the results that came too late, since the last that did not
        self._explained = False

    def seconds(self, now: float) -> float:
        """Since the last result, or since the start of the program."""
        return now - self._since_s

    def worker_begins(self) -> None:
        """Another process is started: it has not said anything yet."""
        self._started_s = None

    def worker_serves(self) -> None:
        """Engine and camera are open: from here on results are to be expected."""
        self._started_s, self._oldest_s, self._explained = time.monotonic(), 0.0, False

    def broken(self) -> None:
        """A result was given out. To be said once that is done: a standard output may wait for its reader."""
        self._since_s, self._oldest_s = time.monotonic(), 0.0

    def explained(self) -> None:
        """The camera failed: that is why nothing comes, until it is open again."""
        self._oldest_s, self._explained = 0.0, True

    def too_old(self, age_s: float) -> bool:
        """Is a live result of this age one that must not be given out? One that is counts as silence."""
        if age_s <= self._camera.patience_s:
            return False
        self._oldest_s = max(self._oldest_s, age_s)
        return True

    def excuse(self, away_s: float) -> None:
        """For so long nothing was heard: the supervisor itself was held up."""
        now = time.monotonic()
        self._since_s = min(now, self._since_s + away_s)
        if self._started_s is not None:
            self._started_s = min(now, self._started_s + away_s)

    def fault(self, now: float, limit_fps: float | None) -> Fault | None:
        """What to blame a worker for that serves and gives nothing. limit_fps: the rate it was told, None for all
        frames."""
        # Without frozen_s a camera may repeat itself for ever.
        if self._started_s is None or self._explained or not (self._camera.frozen_s or self._oldest_s):
            return None
        longest_s = (
            2 * max(self._camera.patience_s, 3 / limit_fps if limit_fps else 0.0)
            + self._camera.frozen_s
            + self._engine.timeout_s
        )
        if now - max(self._since_s, self._started_s) < longest_s:
            return None
        why = f"no fresh result for {longest_s:.0f} s"
        if self._oldest_s:
            why += (
                f": they are up to {self._oldest_s:.1f} s old when ready, at most {self._camera.patience_s:g} s "
                "(camera.timeout_s): the engine or the camera is too slow"
            )
        return Fault("hang", "worker", why, UnavailableError.exit_status)
