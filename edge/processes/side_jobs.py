"""Run short programs beside the worker, each in a process of its own with a time limit: trials and resets."""

import logging
import time
from collections.abc import Sequence

from edge.processes.child import Child

_log = logging.getLogger(__name__)

_DIE_S = 1.0


class SideJobs:
    """The programs that run now. Used by one thread, which must call `finished` now and then."""

    def __init__(self) -> None:
        self._running: dict[Child, tuple[str, float]] = {}

    def start(
        self, what: str, module: str, words: Sequence[str], limit_s: float, *, pass_fds: Sequence[int] = ()
    ) -> bool:
        """Run `python -m MODULE WORDS` for at most `limit_s` seconds; False if no process can be started."""
        try:
            child = Child(module, words, pass_fds=pass_fds)
        except OSError as error:
            _log.warning("%s: no process could be started: %s", what, error)
            return False
        self._running[child] = (what, time.monotonic() + limit_s)
        return True

    def runs(self, what: str) -> bool:
        """Return whether such a job is running."""
        return any(name == what for name, _ in self._running.values())

    def finished(self) -> list[tuple[str, int | None]]:
        """Return the jobs that ended since the last call with their exit statuses; None if it hung and was killed."""
        done = []
        for child, (what, ends_s) in list(self._running.items()):
            child.relay()
            status = child.exit_status()
            if status is None and time.monotonic() < ends_s:
                continue
            if status is None:
                child.kill()
                if not child.wait(_DIE_S):
                    _log.error("%s (process %d) cannot be killed: it hangs in a driver", what, child.pid)
                    # It stays on the list, so that no others pile up behind it.
                    self._running[child] = (what, float("inf"))
                    continue
            del self._running[child]
            child.close()
            done.append((what, status))
        return done

    def close(self) -> None:
        """Kill what still runs."""
        for child in self._running:
            child.end(_DIE_S)
        self._running.clear()
