"""See photos through a bundle's network: the features of each, and of the same photo turned about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import BundleFeatures
from edge.errors import DatasetError, ImageError, MissingInputError
from edge.images import read_image
from edge.inference.golden import shrink
from edge.preprocess import Preprocessor
from edge.printable import counted
from edge.records import Pixels
from edge.teaching.photos import LEAST_OF_NEW, Photo, few_words
from edge.teaching.remembering import Remembered

# Two photos are one if their features are nearer than this, beside their length: a copy, a frame of the same moment.
_ALIKE = 0.02
FRAMES_KEPT = 8  # for the new bundle's golden inputs

Features = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """Photos as the network sees them.

    classes: int64 (photos,). features: (photos, channels), of the photos as they are.
    turned: (photos, views, channels), of them mirrored and turned about; most of the memory, so float32 as computed.
    frames_bgr: some of the photos, small.
    """

    classes: NDArray[np.int64]
    features: Features
    turned: NDArray[np.float32]
    frames_bgr: tuple[Pixels, ...]


def see(photos: Sequence[Photo], labels: Sequence[str], source: BundleFeatures, note: Callable[[str], None]) -> Seen:
    """Return what the network sees. note: called with each photo that cannot be read, and is left out.

    Raises DatasetError if no photo can be read.
    """
    preprocessor = Preprocessor(source.spec, source.tensor)
    numbers = {label: number for number, label in enumerate(labels)}
    classes, features = [], []
    frames: list[Pixels] = []
    step = max(1, len(photos) // FRAMES_KEPT)
    for place, photo in enumerate(photos):
        try:
            frame_bgr = read_image(photo.path)
        except (ImageError, MissingInputError) as error:
            note(f"left out: {error}")
            continue
        features.append(source.features(np.stack(_views(preprocessor.pixels(frame_bgr)))))
        classes.append(numbers[photo.label])
        if place % step == 0 and len(frames) < FRAMES_KEPT:
            frames.append(shrink(frame_bgr))
    if not classes:
        raise DatasetError("none of the photos can be read: nothing to teach from")
    found = np.stack(features)
    return Seen(np.array(classes, np.int64), found[:, 0].astype(np.float64), found[:, 1:], tuple(frames))


def without_copies(seen: Seen) -> Seen:
    """Return the photos of which no earlier one of the same class looks the same."""
    kept: list[int] = []
    for row, (own, features) in enumerate(zip(seen.classes, seen.features, strict=True)):
        if not are_alike(seen.features[[k for k in kept if seen.classes[k] == own]], features).any():
            kept.append(row)
    return Seen(seen.classes[kept], seen.features[kept], seen.turned[kept], seen.frames_bgr)


def unlike(remembered: Remembered, seen: Seen) -> Remembered:
    """Return the remembered examples that are none of the photos, which an earlier teaching may have left behind."""
    # Else a layer would be judged by the copy of a photo that it was fitted to.
    kept = np.ones(len(remembered.classes), np.bool_)
    for own, features in zip(seen.classes, seen.features, strict=True):
        rows = np.flatnonzero(remembered.classes == own)
        kept[rows] &= ~are_alike(remembered.features[rows], features)
    return remembered[kept]


def are_alike(others: Features, features: Features) -> NDArray[np.bool_]:
    """Return which rows of `others` are those of the same photo as `features`."""
    distances = np.linalg.norm(others - features, axis=1)
    found: NDArray[np.bool_] = distances < _ALIKE * max(float(np.linalg.norm(features)), 1e-9)
    return found


def without_small(
    seen: Seen, labels: tuple[str, ...], known: int, note: Callable[[str], None]
) -> tuple[Seen, tuple[str, ...]]:
    """Return photos and labels without new classes of which too few photos differ. known: how many are not new.

    note: called with each class that is left out. Raises DatasetError if no photo is left."""
    counts = np.bincount(seen.classes, minlength=len(labels))
    kept = [number for number in range(len(labels)) if number < known or counts[number] >= LEAST_OF_NEW]
    for number in sorted(set(range(len(labels))) - set(kept)):
        note(few_words(labels[number], int(counts[number])))
    rows = np.isin(seen.classes, kept)
    if not rows.any():
        raise DatasetError(
            f"no class is left to teach: a new one needs {LEAST_OF_NEW} photos that differ: mark other events, too"
        )
    numbers = np.searchsorted(np.array(kept), seen.classes[rows]).astype(np.int64)
    left = Seen(numbers, seen.features[rows], seen.turned[rows], seen.frames_bgr)
    return left, tuple(labels[number] for number in kept)


def check_enough(seen: Seen, labels: Sequence[str], known: int, given: Sequence[Photo]) -> None:
    """Raise DatasetError if a new class has too few photos that differ. known: how many classes are not new."""
    for number in range(known, len(labels)):
        different = int((seen.classes == number).sum())
        if different < LEAST_OF_NEW:
            all_of_it = sum(photo.label == labels[number] for photo in given)
            raise DatasetError(
                f"the new class {labels[number][:80]!r} has {counted(different, 'photo')} of use, of {all_of_it}, "
                f"must have at least {LEAST_OF_NEW} that differ, better 20: add photos of other moments"
            )


def _views(pixels: Pixels) -> list[Pixels]:
    """Return a fitted picture as it is, mirrored both ways and, if it is a square, in quarter turns."""
    # With 20 photos of one class of TrashNet, new photos of it were found 3 points more often than without.
    found = [pixels, pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1]]
    if pixels.shape[0] == pixels.shape[1]:
        found += [np.rot90(pixels), np.rot90(pixels, 3)]
    return [np.ascontiguousarray(view) for view in found]
