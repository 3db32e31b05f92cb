"""Read the store while the recorder writes it: read-only, never a checkpoint, any number of readers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from edge.store.records import Filter, HourCount, StoredEvent, StoredSample


class StoreReader:
    """A store that is open for reading. A context manager. Used by one thread."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises MissingInputError if there is none, DataError if it is damaged, of a newer version or no
        store at all."""
        raise NotImplementedError

    def __enter__(self) -> "StoreReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; safe to call twice."""
        raise NotImplementedError

    def store_id(self) -> str:
        """Return the random id that this store got when it was created."""
        raise NotImplementedError

    def numbers(self) -> tuple[int, int]:
        """Return the numbers of the first and of the last event that are there; (0, 0) for none."""
        raise NotImplementedError

    def after(self, number: int, limit: int) -> list[StoredEvent]:
        """Return the next events after this number, in their order; fewer than `limit` only at the end."""
        raise NotImplementedError

    def count_after(self, number: int) -> int:
        """Return how many events there are after this number."""
        raise NotImplementedError

    def events(self, wanted: Filter, *, limit: int | None = None, newest_first: bool = True) -> Iterator[StoredEvent]:
        """Yield events by the time of their begin. Yields while the recorder goes on, from one state of the store."""
        raise NotImplementedError

    def count(self, wanted: Filter) -> int:
        """Return how many events there are."""
        raise NotImplementedError

    def hours(self, wanted: Filter) -> list[HourCount]:
        """Return the counts by label and hour, in order of hours, then labels."""
        raise NotImplementedError

    def labels(self) -> Sequence[str]:
        """Return all labels that events or marks have, sorted."""
        raise NotImplementedError

    def find(self, name: str) -> StoredEvent | None:
        """Return the event of this number or of this Event.name; None if there is none."""
        raise NotImplementedError

    def samples(self, *, exported: bool | None = None) -> Iterator[StoredSample]:
        """Yield the harvest, oldest first."""
        raise NotImplementedError
