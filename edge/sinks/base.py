"""What every sink can do."""

from typing import Protocol

from edge.records import Result


class Sink(Protocol):
    """Takes results; used by one thread. A sink that cannot write says so in the log and goes on: a full
    disk must not blind the camera."""

    def write(self, result: Result) -> None:
        """Record one result."""

    def close(self) -> None:
        """Flush and let go; safe to call twice."""
