"""Start the process of a worker, and the line to it."""

import os
from typing import Protocol

from edge.processes.child import Child, LineAllowance
from edge.processes.messages import SupervisorChannel, pair

# Of all workers: one that fails again and again must not bring its libraries' lines again and again.
_LINES = LineAllowance()
# How long a killed one may take to disappear: it holds no device yet.
_DIE_S = 2.0


class StartWorker(Protocol):
    """Starts the process of a worker."""

    def __call__(self, parent: int) -> tuple[SupervisorChannel, Child]:
        """Start it, to end with the process `parent`. Raises OSError if no process can be started."""


def start_worker(parent: int, module: str = "edge.worker.main") -> tuple[SupervisorChannel, Child]:
    """Start a worker, as StartWorker does. module: what it runs."""
    channel, theirs = pair()
    try:
        with theirs:
            words = [str(theirs.fileno()), str(parent)]
            return channel, Child(module, words, pass_fds=[theirs.fileno()], allowance=_LINES)
    except OSError:
        channel.close()
        raise


class EarlyWorker:
    """A worker that is started before there is a supervisor, and handed to it when that starts its first one.

    Both load libraries for a tenth of a second, which is a third of the time to the first result. Used by one thread.
    """

    def __init__(self) -> None:
        """Start it. Raises OSError if no process can be started."""
        self._started: tuple[SupervisorChannel, Child] | None = start_worker(os.getpid())

    def __call__(self, parent: int) -> tuple[SupervisorChannel, Child]:
        """Return the one that was started, then a new one at each call, as StartWorker does."""
        started, self._started = self._started, None
        return started or start_worker(parent)

    def close(self) -> None:
        """End the one that was started if nobody took it; safe to call twice."""
        if self._started is not None:
            channel, child = self._started
            self._started = None
            channel.close()
            child.kill()
            child.wait(_DIE_S)
            child.close()
