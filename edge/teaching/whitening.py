"""Give features a space in which photos of one class differ by the same in all directions: "whitening".

Twenty photos show little of how photos of a class differ. The classes that are there show it: light, distance and
background change all of them alike. In this space a fit needs a larger step to go where classes differ in themselves,
and so uses what tells one from another. It stays linear, so the layer has the same shape as before.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.teaching.fitting import Numbers, Rows, Table

# How much of the spread is taken as equal in all directions, as 500 examples cannot show that of 1,280 channels.
# TrashNet at 224 pixels, 20 photos, 5 draws, at 2 points lost: of metal 73 % are found, and 64 % without whitening, of
# glass 54 and 50 % (while rows of known classes still moved). 0.35 and 0.65 were within 2 points of it, with a spread
# that the new photos showed, too.
_EQUAL = 0.5
# MobileNets have no more, but for the widest. The matrices of more would not fit into what the pages may take: with 200
# photos and 1,001 classes of 1,280 channels 186 MiB of 240 are used.
MOST_CHANNELS = 1280


@dataclass(frozen=True, slots=True)
class Space:
    """A linear map of features. root, inverse: (channels, channels), of the spread within a class; None if features
    stay as they are."""

    root: Table | None
    inverse: Table | None

    def features(self, features: NDArray[np.floating]) -> Table:
        """Return features, (..., channels), in this space."""
        plain = features.astype(np.float64, copy=False)
        found: Table = plain if self.inverse is None else plain @ self.inverse.T
        return found

    def rows(self, rows: Rows) -> Rows:
        """Return rows that give features in this space the scores that `rows` give them as they are."""
        return rows if self.root is None else Rows(rows.weights @ self.root, rows.bias)

    def rows_back(self, rows: Rows) -> Rows:
        """Return what `rows` of this space are for features as they are."""
        return rows if self.inverse is None else Rows(rows.weights @ self.inverse, rows.bias)


def space_of(features: Table, classes: Numbers) -> Space:
    """Return the space in which examples, (examples, channels), differ alike from those of their class, each class
    counting the same. Features stay as they are if no class has two, or they all are the same."""
    channels = features.shape[1]
    spread = np.zeros((channels, channels))
    if channels <= MOST_CHANNELS:
        for number in np.unique(classes):
            own = features[classes == number]
            if len(own) > 1:
                off = own - own.mean(axis=0)
                spread += off.T @ off / (len(own) - 1)
    level = float(np.trace(spread)) / channels
    if not level > 0:
        return Space(None, None)
    spread *= (1 - _EQUAL) / level
    spread[np.diag_indices(channels)] += _EQUAL
    root = np.linalg.cholesky(spread).astype(np.float64, copy=False)
    return Space(root, np.linalg.inv(root).astype(np.float64, copy=False))
