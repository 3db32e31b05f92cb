"""Turn features into points of fewer axes, in which groups and neighbours are found."""

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, unit_length
from trainer.features.axes import Points, Scatter

# On TrashNet 64 axes find neighbours of the same class as often as all 1,280 channels do, in a tenth of the time.
AXES = 64


def principal(features: Features, rows: NDArray[np.int64]) -> Points:
    """Return some features, scaled to length 1 and centred, along their main axes: float32 (rows, up to 64).

    features: float32 (photos, channels), finite. rows: the photos that count, one or more."""
    scatter = Scatter(features, rows, unit_length)
    return scatter.along(scatter.main_axes(), AXES)
