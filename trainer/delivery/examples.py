"""Make the sheet of examples for the report: photos as they were read, and as the network saw them."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.images import readable_name
from edge.records import Pixels
from trainer.dataset.prepared import changed_row
from trainer.delivery.records import Delivery
from trainer.learning.augment import augment, augmentation_for
from trainer.pages import thumbnail
from trainer.quantizing.convert import spread
from trainer.report.build import Example

PHOTOS = 6
ALTERED = 4
_SIDE = 112


def make_examples(given: Delivery) -> tuple[Example, ...]:
    """Return the sheet of a training: photos of different classes, if there are so many."""
    return tuple(_example(given, int(index)) for index in _choose(given))


def _choose(given: Delivery) -> NDArray[np.int64]:
    photos = given.data.photo_set
    _, first = np.unique(photos.labels[photos.train], return_index=True)
    others = np.setdiff1d(photos.train, photos.train[first])
    fill = spread(others, PHOTOS - len(first)) if len(first) < PHOTOS else others[:0]
    return np.concatenate([spread(photos.train[first], PHOTOS), fill])


def _example(given: Delivery, index: int) -> Example:
    run, photos, seen = given.run, given.data.photos, given.data.photo_set.pixels
    how = augmentation_for(run.options)
    draws = [np.random.default_rng((run.options.seed, index, n)) for n in range(ALTERED)]
    altered = [changed_row(seen, index, partial(augment, how=how, rng=rng)) for rng in draws]
    listing = photos.listing
    return Example(
        name=readable_name(listing.photos[index].path.relative_to(listing.root)),
        photo=_small(photos.pixels[index]),
        prepared=_small(seen[index]) if run.spec.preparation else None,
        # The head alone learns from photos as they are.
        altered=tuple(map(_small, altered)) if given.learned.history.epochs else (),
    )


def _small(picture: Pixels) -> bytes:
    return thumbnail.encode(picture, (_SIDE, _SIDE))
