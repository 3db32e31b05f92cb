"""Few photos: those for validation join those that are learned from, once they have done their work. Pure."""

from dataclasses import replace

import numpy as np

from trainer.dataset.photo_set import PhotoSet
from trainer.learning.choice import learned_something
from trainer.learning.epochs import Best

# For training and validation together: 80 photos of each of eight classes. Measured with ten a class only, where it
# brought 4 to 7 points (docs/training.md). It doubles the time, so sets of a thousand and more go without. Photos that
# a machine labelled are none of these: they validate nothing, and few labels by hand are few beside them, too.
FEW_PHOTOS = 640
# But with so many photos, by whomever labelled, a second training takes too long.
TOO_MANY = 2_000
# What the second network counts in the mean of both. Two trainings from one start end in one basin; between these ends
# a network is as good as at the better one or better (as found by Wortsman et al., Model soups, ICML 2022). The second
# knows more photos. Measured: docs/training.md.
OF_SECOND = 0.75


def joins(photos: PhotoSet, best: Best) -> bool:
    """Return whether a second training with all photos is worth while, after one that came to `best`.

    Not if the head alone, or an earlier epoch, had to take the place of the last state: that rests on photos which a
    second training could not be judged by."""
    return best.choice is not None and best.choice.keeps_last and are_few(photos)


def are_few(photos: PhotoSet) -> bool:
    """Return whether so few photos have a label by hand that those for validation are too many to lose."""
    by_hand = np.setdiff1d(np.concatenate([photos.train, photos.val]), photos.machine_made)
    return len(by_hand) <= FEW_PHOTOS and len(photos.train) + len(photos.val) <= TOO_MANY


def joined(photos: PhotoSet) -> PhotoSet:
    """Return the same photos, of which none is left to validate with."""
    return replace(photos, train=np.sort(np.concatenate([photos.train, photos.val])), val=photos.val[:0])


def succeeded(best: Best) -> bool:
    """Return whether the second training, which no photos judge, may be trusted by the loss on its own photos."""
    return learned_something(best.epochs)
