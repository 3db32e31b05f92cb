"""Write events as JSON lines to a file that is rotated."""

import threading
from pathlib import Path

from edge.config.sending import EventLines
from edge.outputs.base import DeliveryError
from edge.outputs.event_record import to_json
from edge.outputs.feed import Gap
from edge.sinks.rotated import RotatedFile
from edge.store.records import StoredEvent


class EventLinesTaker:
    """Events as lines of a file. One that cannot be written is tried again, so that a full disk loses none."""

    def __init__(self, settings: EventLines) -> None:
        self._path = Path(settings.file)
        max_bytes = settings.max_mb * 1_000_000
        self._file = RotatedFile(self._path, max_bytes=max_bytes, keep=settings.keep, durable=True)

    def take(self, what: StoredEvent | Gap, stop: threading.Event) -> None:
        """See Taker.take."""
        try:
            self._file.write(to_json(what) + b"\n")
        except OSError as error:
            self._file.close()
            raise DeliveryError(f"{self._path}: cannot write: {error.strerror or error}") from error

    def sync(self) -> None:
        """Have what was written on the disk: the cursor must not be further than the lines after a power cut."""
        self._file.sync()

    def next_s(self) -> None:
        """See Taker.next_s."""

    def tick(self) -> None:
        """See Taker.tick."""

    def close(self) -> None:
        """See Taker.close."""
        self._file.close()
