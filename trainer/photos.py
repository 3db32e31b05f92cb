"""Decode every photo once, through the device's own preprocessing, into an array on disk."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import DatasetError, ImageError, MissingInputError, StorageError
from edge.images import read_image
from edge.preprocess import Preprocessor
from edge.records import Pixels
from trainer.dataset import Listing
from trainer.duplicates import fingerprint

Progress = Callable[[int], None]
_AHEAD = 16  # photos in flight: a decoded 12 MP photo takes 36 MB


@dataclass(frozen=True, slots=True)
class Photos:
    """Decoded photos: pixels is uint8 (photos, height, width, 3) in the model's channel order, on disk and
    mapped; hashes and greys are for trainer.duplicates. unreadable names what was left out (index, why)."""

    listing: Listing
    pixels: NDArray[np.uint8]
    hashes: NDArray[np.uint8]
    greys: NDArray[np.uint8]
    unreadable: tuple[str, ...]


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
    """Decode all photos of `listing` with `workers` threads into a file under `folder`.

    Raises DatasetError at photos that cannot be read, naming the first, unless skip_unreadable; StorageError
    where the disk is full."""
    count = len(listing.photos)
    shape = (count, tensor.height, tensor.width, 3)
    pixels = _create(folder / "pixels.npy", shape)
    hashes = np.zeros((count, 32), np.uint8)
    greys = np.zeros((count, 256), np.uint8)
    problems: dict[int, str] = {}
    for index, outcome in _decode(listing, spec, tensor, workers):
        progress(1)
        if isinstance(outcome, str):
            problems[index] = outcome
            continue
        pixels[index] = outcome
        hashes[index], greys[index] = fingerprint(outcome)
    if problems and not skip_unreadable:
        first = problems[min(problems)]
        more = f" ({len(problems)} such photos of {count})" if len(problems) > 1 else ""
        raise DatasetError(f"{first}{more}; or leave such photos out with --skip-unreadable")
    kept = [i for i in range(count) if i not in problems]
    if problems:
        photos = tuple(listing.photos[i] for i in kept)
        listing = Listing(listing.root, listing.classes, photos, listing.ignored)
        # Move the rows together in place; the tail of the file is left unused.
        for place, index in enumerate(kept):
            pixels[place] = pixels[index]
        pixels, hashes, greys = pixels[: len(kept)], hashes[kept], greys[kept]
    return Photos(listing, pixels, hashes, greys, tuple(problems[i] for i in sorted(problems)))


def _create(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A file of zeros with its space reserved now, so that a full disk is an error here and not a crash
    (SIGBUS) when the memory is touched."""
    import os

    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        path.unlink()  # the mapping keeps it; whatever ends this process, nothing stays on the disk
    except OSError as error:
        size = int(np.prod(shape)) / 1e9
        raise StorageError(
            f"{path.parent}: {size:.1f} GB for the decoded photos do not fit ({error.strerror or error}): "
            "free some space or set TMPDIR to a larger disk"
        ) from error
    return array


def _decode(
    listing: Listing, spec: Preprocessing, tensor: InputTensor, workers: int
) -> Iterator[tuple[int, Pixels | str]]:
    """Pixels, or why not, for each photo in order, decoded a few ahead."""

    def one(path: Path) -> Pixels | str:
        try:
            return Preprocessor(spec, tensor).pixels(read_image(path))
        except (ImageError, MissingInputError) as error:
            return str(error)

    with ThreadPoolExecutor(workers) as pool:
        paths = iter(enumerate(photo.path for photo in listing.photos))
        pending = [(index, pool.submit(one, path)) for index, path in islice(paths, _AHEAD)]
        while pending:
            index, future = pending.pop(0)
            outcome = future.result()
            for following, path in islice(paths, 1):
                pending.append((following, pool.submit(one, path)))
            yield index, outcome
