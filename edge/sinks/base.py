"""What every sink can do."""

from typing import Protocol

from edge.results import Result


class Sink(Protocol):
    """Takes results; used by one thread. A file that cannot be written is told in the log and the camera goes
    on; a standard output that cannot be written ends the program (StorageError, BrokenPipeError)."""

    def write(self, result: Result) -> None:
        """Record one result."""

    def close(self) -> None:
        """Flush and let go; safe to call twice."""
