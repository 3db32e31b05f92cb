"""Decode every photo once, through the device's own preprocessing, into an array on disk."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import DatasetError
from trainer.dataset.decoding import Decoders
from trainer.dataset.inspection import PhotoRecord
from trainer.dataset.listing import Listing
from trainer.dataset.prepared import PreparedRows
from trainer.dataset.rows import Rows, RowSource

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Photos:
    """Decoded photos.

    listing: the photos that were read.
    spec: the preprocessing of the model.
    pixels: uint8 (photos, height, width, 3), in the model's channel order, on disk, not prepared.
    hashes, greys: uint8 (photos, 32) and (photos, 256), for trainer.dataset.duplicates.
    unreadable: for each photo that was left out, its file and the reason.
    records: for each photo, what trainer.dataset.inspection found.
    """

    listing: Listing
    spec: Preprocessing
    pixels: Rows
    hashes: NDArray[np.uint8]
    greys: NDArray[np.uint8]
    unreadable: tuple[str, ...]
    records: tuple[PhotoRecord, ...]

    @property
    def seen(self) -> RowSource:
        """Return the photos as the network sees them, prepared."""
        return PreparedRows(self.pixels, self.spec, self.records) if self.spec.preparation else self.pixels


def load_photos(
    listing: Listing,
    spec: Preprocessing,
    tensor: InputTensor,
    folder: Path,
    *,
    workers: int,
    skip_unreadable: bool,
    progress: Progress,
) -> Photos:
    """Decode all photos of `listing` with `workers` child processes into a file under `folder`, not prepared.

    Raises DatasetError if photos cannot be read, naming the first, unless skip_unreadable; StorageError if the disk
    is full."""
    count = len(listing.photos)
    bare = msgspec.structs.replace(spec, preparation=())
    rows = Rows.create(folder, count, (tensor.height, tensor.width, 3), np.uint8, "the decoded photos")
    hashes = np.zeros((count, 32), np.uint8)
    greys = np.zeros((count, 256), np.uint8)
    records: list[PhotoRecord | None] = [None] * count
    problems: dict[int, str] = {}
    with ExitStack() as undo:
        undo.enter_context(rows)
        decoders = undo.enter_context(Decoders(bare, tensor, rows, workers=workers))
        for answer in decoders.decode([photo.path for photo in listing.photos]):
            progress(1)
            if answer.problem is not None:
                problems[answer.index] = answer.problem
                continue
            records[answer.index] = answer.record
            hashes[answer.index] = np.frombuffer(answer.hash, np.uint8)
            greys[answer.index] = np.frombuffer(answer.grey, np.uint8)
        if not skip_unreadable:
            _refuse(problems, count)
        decoders.close()
        undo.pop_all()
    unreadable = tuple(problems[index] for index in sorted(problems))
    known = tuple(record for record in records if record is not None)
    if not problems:
        return Photos(listing, spec, rows, hashes, greys, unreadable, known)
    kept = np.flatnonzero([record is not None for record in records])
    photos = tuple(listing.photos[index] for index in kept)
    listing = replace(listing, photos=photos)
    return Photos(listing, spec, rows.select(kept), hashes[kept], greys[kept], unreadable, known)


def _refuse(problems: dict[int, str], count: int) -> None:
    if not problems:
        return
    first = problems[min(problems)]
    more = f" ({len(problems)} such photos of {count})" if len(problems) > 1 else ""
    raise DatasetError(f"{first}{more}; or leave such photos out with --skip-unreadable")
