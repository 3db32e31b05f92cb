"""The protocol of every sink."""

from typing import Protocol

from edge.results import Result


class Sink(Protocol):
    """An output for results. Used by one thread: the supervisor's, which also judges the worker and feeds systemd's
    watchdog. So `write` must return within milliseconds and never wait for a disk to sync; durable storage needs a
    process of its own.

    If a file cannot be written, that is logged, `fault` gives the reason, and the camera goes on. If standard output
    cannot be written, the program ends (StorageError, BrokenPipeError).
    """

    @property
    def fault(self) -> str | None:
        """Why results are lost at present, for people; None if they are kept."""

    def write(self, result: Result) -> None:
        """Record one result."""

    def close(self) -> None:
        """Flush and close; safe to call twice."""
