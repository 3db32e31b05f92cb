"""Turn features into points of fewer axes, in which groups and neighbours are found."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import Features, unit_length
from edge.errors import DatasetError

Points = NDArray[np.float32]
# On TrashNet 64 axes find neighbours of the same class as often as all 1,280 channels do, in a tenth of the time.
AXES = 64
_BLOCK = 4096
# Beside other busy processes, threads wait for each other: a second's work took minutes. From so many photos on they
# are worth it.
_MANY = 20_000


def principal(features: Features) -> Points:
    """Return the features, scaled to length 1 and centred, along their main axes: float32 (photos, up to 64).

    features: float32 (photos, channels), at least one photo. Reads them in blocks, so that no second copy is needed.

    Raises DatasetError if a value is not finite.
    """
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(features), _BLOCK)]
    mean, products = np.zeros(features.shape[1]), np.zeros((features.shape[1],) * 2)
    for block in blocks:
        if not np.isfinite(features[block]).all():
            raise DatasetError("the network's features of some photos are no numbers: use other weights")
        mean += unit_length(features[block]).sum(axis=0, dtype=np.float64) / len(features)
    for block in blocks:
        centred = unit_length(features[block]) - mean
        products += centred.T @ centred
    axes = np.linalg.eigh(products)[1][:, ::-1][:, :AXES]
    return np.concatenate([((unit_length(features[block]) - mean) @ axes).astype(np.float32) for block in blocks])


def few_threads(photos: int) -> AbstractContextManager[object]:
    """Return a block in which libraries compute on one thread, unless there are many photos."""
    from threadpoolctl import threadpool_limits

    return nullcontext() if photos >= _MANY else threadpool_limits(limits=1)
