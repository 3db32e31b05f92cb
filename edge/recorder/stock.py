"""Keep the files of pictures, or those of samples, within their budget and the reserve of their disk."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol
from zlib import crc32

from edge.errors import FieldfareError, StorageError
from edge.recorder.budget import Candidate, choose, excess
from edge.recorder.pictures import PictureFolder, remove_picture
from edge.store.writing import StoreWriter

_log = logging.getLogger(__name__)

# Names that are compared at once, in about 100 bytes each.
_NAMES_AT_ONCE = 10_000
# Stays free whatever the settings allow: the store's log needs it, and events matter more than their pictures.
_LEAST_FREE = 8_000_000


class Contents(Protocol):
    """What is kept in the files of a folder, by the number of its event or sample."""

    def candidates(self, store: StoreWriter) -> Iterator[Candidate]:
        """Yield what may go."""
        ...

    def files(self, store: StoreWriter, numbers: Sequence[int]) -> Sequence[Path]:
        """Return the files of these."""
        ...

    def all_files(self, store: StoreWriter) -> Iterator[str]:
        """Yield the paths of all."""
        ...

    def remove(self, store: StoreWriter, numbers: Sequence[int]) -> None:
        """Remove these from the store, and leave the files."""
        ...


class EventPictures:
    """The pictures of events. Implements Contents."""

    def candidates(self, store: StoreWriter) -> Iterator[Candidate]:
        """See Contents."""
        for group in store.picture_groups():
            yield Candidate(
                number=group.event,
                label=group.label,
                size=group.size,
                score=group.peak,
                second=group.second,
                verdict=group.verdict,
                exported=group.exported,
            )

    def files(self, store: StoreWriter, numbers: Sequence[int]) -> Sequence[Path]:
        """See Contents."""
        return store.picture_files(numbers)

    def all_files(self, store: StoreWriter) -> Iterator[str]:
        """See Contents."""
        return store.all_picture_files()

    def remove(self, store: StoreWriter, numbers: Sequence[int]) -> None:
        """See Contents."""
        store.remove_pictures(numbers)


class Samples:
    """The frames for the next training. Implements Contents."""

    def candidates(self, store: StoreWriter) -> Iterator[Candidate]:
        """See Contents."""
        for one in store.sample_gists():
            # What was drawn at random balances the rest, so its score does not count against it.
            score = 0.0 if "random" in one.sample.reasons else one.sample.score
            yield Candidate(
                number=one.number,
                label=one.sample.label,
                size=one.size,
                score=score,
                second=one.sample.top[1].score if len(one.sample.top) > 1 else 0.0,
                exported=one.exported,
            )

    def files(self, store: StoreWriter, numbers: Sequence[int]) -> Sequence[Path]:
        """See Contents."""
        return store.sample_files(numbers)

    def all_files(self, store: StoreWriter) -> Iterator[str]:
        """See Contents."""
        return store.all_sample_files()

    def remove(self, store: StoreWriter, numbers: Sequence[int]) -> None:
        """See Contents."""
        store.remove_samples(numbers)


class Stock:
    """The files of one kind. Used by one thread.

    used: bytes of those that the store knows. strays: bytes of those that no store knows, left by a power cut or by a
        store that was set aside: they go first.
    """

    def __init__(
        self, folder: PictureFolder, contents: Contents, most_mb: int, reserve_mb: int, alive: Callable[[], None]
    ) -> None:
        """alive: called now and then during long work."""
        self.folder = folder
        self.used = self.strays = 0
        self._contents, self._alive = contents, alive
        self._most, self._reserve = most_mb * 1_000_000, max(_LEAST_FREE, reserve_mb * 1_000_000)
        self._entries = 0
        # Whose files are gone, and whose rows could not be removed; of the store of this id.
        self._unlinked: list[int] = []
        self._unlinked_of = ""

    @property
    def is_wanted(self) -> bool:
        """Whether any may be kept at all."""
        return self._most > 0

    def measure(self, store: StoreWriter) -> None:
        """Find how much the files in the store take."""
        self._count(self._candidates(store))

    def has_room(self, incoming: int) -> bool:
        """Return whether so many bytes more fit."""
        return self._shortage(incoming) == 0

    def make_room(self, store: StoreWriter, incoming: int = 0) -> int:
        """Remove what is worth least until so many bytes more fit. Return how many files of the store went. Raises as
        the store does."""
        if self._unlinked and self._unlinked_of == store.store_id:
            self._contents.remove(store, self._unlinked)
        self._unlinked = []
        size = self._shortage(incoming)
        if size and self.strays:
            size -= self._remove_strays(store, size)
        if size <= 0 or not self.used:
            return 0
        counts = self._count(self._candidates(store))
        chosen = list(choose(self._candidates(store), counts, size))
        removed = self._remove(store, [one.number for one in chosen])
        self.used -= sum(one.size for one in chosen)
        return removed

    def find_strays(self, store: StoreWriter) -> Iterator[None]:
        """Find how much the files take that the store does not know, and remove what was half written. Raises as the
        store does. Yields after each piece of the work, so that events can be kept meanwhile."""
        try:
            if not self.folder.is_of(store.path):
                _log.warning("%s: another store has its pictures there: choose another folder", self.folder.root)
                return
            found, parts = 0, self._parts
            for part in range(parts):
                found += sum(size for _, size in self._strays(store, part, parts))
                yield
            self.strays = found
        except FieldfareError:
            raise
        except OSError as error:
            _log.warning("%s: cannot look for files of no event: %s", self.folder.root, error)
        if self.strays:
            _log.info("%s: %.1f MB are of no event in the store: they go first", self.folder.root, self.strays / 1e6)

    def _shortage(self, incoming: int) -> int:
        """Return how many bytes must go before so many fit."""
        used = self.used + self.strays + incoming
        try:
            free = self.folder.free_bytes()
        except OSError as error:
            # A disk that cannot even report that is no reason to remove anything from it.
            _log.debug("%s: %s", self.folder.root, error)
            free = incoming + self._reserve
        return excess(used, self._most, free - incoming, self._reserve)

    def _candidates(self, store: StoreWriter) -> Iterator[Candidate]:
        """Yield what may go. 100,000 take 0.4 s on an x86-64 core to be ranked, and several times that on a Pi."""
        for number, one in enumerate(self._contents.candidates(store)):
            if number % _NAMES_AT_ONCE == 0:
                self._alive()
            yield one

    def _count(self, candidates: Iterator[Candidate]) -> Counter[str]:
        """Count candidates by label, and what they take."""
        counts: Counter[str] = Counter()
        self.used = 0
        for one in candidates:
            counts[one.label] += 1
            self.used += one.size
        self._entries = counts.total()
        return counts

    def _remove(self, store: StoreWriter, numbers: Sequence[int]) -> int:
        files = self._contents.files(store, numbers)
        try:
            self._contents.remove(store, numbers)
        except StorageError:
            # The disk may be so full that not even this can be written: then the files go first.
            self._unlinked += numbers
            self._unlinked_of = store.store_id
            self._unlink(files)
            raise
        self._unlink(files)
        return len(files)

    def _remove_strays(self, store: StoreWriter, size: int) -> int:
        removed = 0
        try:
            for path, taken in self._all_strays(store):
                if removed >= size:
                    break
                self._unlink([path])
                removed += taken
        except FieldfareError:
            raise
        except OSError as error:
            _log.debug("%s: cannot look for files of no event: %s", self.folder.root, error)
        self.strays = max(0, self.strays - removed) if removed else 0
        return removed

    @property
    def _parts(self) -> int:
        """In how many parts the names are compared."""
        return 1 + self._entries // _NAMES_AT_ONCE

    def _all_strays(self, store: StoreWriter) -> Iterator[tuple[Path, int]]:
        parts = self._parts
        for part in range(parts):
            self._alive()
            yield from self._strays(store, part, parts)

    def _strays(self, store: StoreWriter, part: int, parts: int) -> Iterator[tuple[Path, int]]:
        """Yield the files of this part that the store does not know, with their sizes."""
        # Nothing may be kept in between: a new picture would be in the folder, and not among those that are known.
        known = {hash(path) for path in self._contents.all_files(store) if _part(path, parts) == part}
        for entry, whole in self.folder.entries():
            if _part(entry.name, parts) != part:
                continue
            if not whole:
                Path(entry.path).unlink(missing_ok=True)
            elif hash(entry.path) not in known:
                path = Path(entry.path)
                yield path, _size(path)

    def _unlink(self, paths: Sequence[Path]) -> None:
        for path in paths:
            try:
                remove_picture(path)
            except OSError as error:  # it is a stray from now on
                _log.debug("%s: cannot remove: %s", path, error)


def _part(path: str, parts: int) -> int:
    return crc32(path.rpartition("/")[2].encode(errors="surrogateescape")) % parts


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
