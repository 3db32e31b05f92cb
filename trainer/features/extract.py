"""Compute the features of many photos, in parts, so that a hundred thousand need little memory and disk."""

import errno
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, FeatureSource
from edge.errors import DatasetError
from edge.images import readable_name
from trainer.dataset.decoding import Decoders
from trainer.dataset.inspection import PhotoRecord
from trainer.dataset.photo_folders import gone, is_gone
from trainer.dataset.rows import Rows
from trainer.progress import Progress

# Decoded photos that are on disk at once: 310 MB at 224 pixels.
_PART = 2048
_BATCH = 32


@dataclass(frozen=True, slots=True)
class PhotoFeatures:
    """Photos with their features.

    paths: of the photos that could be read, in the order given
    features: float32 (photos, channels)
    hashes, greys: uint8 (photos, 32) and (photos, 256), for trainer.dataset.duplicates
    records: for each photo, what trainer.dataset.inspection found
    unreadable: for each photo that was left out, its file and the reason
    """

    paths: tuple[Path, ...]
    features: Features
    hashes: NDArray[np.uint8]
    greys: NDArray[np.uint8]
    records: tuple[PhotoRecord, ...]
    unreadable: tuple[str, ...]


def extract(paths: Sequence[Path], source: FeatureSource, *, workers: int, progress: Progress) -> PhotoFeatures:
    """Compute the features of `paths` with `source`, and decode them with `workers` child processes.

    Raises DatasetError if none can be read, or if features are not finite; MissingInputError if photos vanish
    meanwhile; StorageError if the disk is full.
    """
    count = len(paths)
    features = np.zeros((count, source.channels), np.float32)
    hashes, greys = np.zeros((count, 32), np.uint8), np.zeros((count, 256), np.uint8)
    records: list[PhotoRecord | None] = [None] * count
    problems: dict[int, str] = {}
    with tempfile.TemporaryDirectory(prefix="fieldfare-features-") as folder, progress.stage("features", count) as show:
        for start in range(0, count, _PART):
            part = paths[start : start + _PART]
            shape = (source.tensor.height, source.tensor.width, 3)
            with (
                Rows.create(Path(folder), len(part), shape, np.uint8, "the decoded photos") as rows,
                Decoders(source.spec, source.tensor, rows, workers=workers) as decoders,
            ):
                for answer in decoders.decode(part):
                    place = start + answer.index
                    if answer.problem is not None:
                        problems[place] = answer.problem
                        continue
                    records[place] = answer.record
                    hashes[place] = np.frombuffer(answer.hash, np.uint8)
                    greys[place] = np.frombuffer(answer.grey, np.uint8)
                _check_there([paths[place] for place in problems if place >= start], len(part))
                for begin in range(0, len(part), _BATCH):
                    pixels = rows[begin : begin + _BATCH]
                    features[start + begin : start + begin + len(pixels)] = source.features(pixels)
                    show(len(pixels))
    found = _of_readable(paths, features, hashes, greys, records, problems)
    _check_finite(found)
    return found


def _check_finite(found: PhotoFeatures) -> None:
    # The sum of a row is not finite if one of its values is not, and needs no second table of truth values.
    sound = np.isfinite(found.features.sum(axis=1, dtype=np.float64))
    if bad := np.flatnonzero(~sound).tolist():
        raise DatasetError(
            f"{len(bad):,} of {len(sound):,} photos have features that are not finite, such as "
            f"{readable_name(found.paths[bad[0]])}: the weights are damaged or of another network: give others"
        )


def _check_there(failed: Sequence[Path], count: int) -> None:
    """Raise MissingInputError if photos were not damaged but are gone: a card that was taken out, for one.

    failed: those of `count` photos that could not be decoded"""
    out_of_reach = 0
    for path in failed:
        try:
            with path.open("rb") as file:
                file.read(1)
        except OSError as error:
            # A bad sector is one photo's fault; a device that fails for most of them is gone.
            out_of_reach += error.errno == errno.EIO
            if is_gone(error) or 2 * out_of_reach > count:
                raise gone(path, error) from error


def _of_readable(
    paths: Sequence[Path],
    features: Features,
    hashes: NDArray[np.uint8],
    greys: NDArray[np.uint8],
    records: list[PhotoRecord | None],
    problems: dict[int, str],
) -> PhotoFeatures:
    unreadable = tuple(problems[place] for place in sorted(problems))
    known = tuple(record for record in records if record is not None)
    if not known:
        raise DatasetError(unreadable[0] if unreadable else "no photos")
    if problems:
        kept = [place for place, record in enumerate(records) if record is not None]
        paths = [paths[place] for place in kept]
        for place, row in enumerate(kept):  # no second table: of 100,000 photos it would take a gigabyte
            features[place] = features[row]
        features = features[: len(kept)]
        hashes, greys = hashes[kept], greys[kept]
    return PhotoFeatures(tuple(paths), features, hashes, greys, known, unreadable)
