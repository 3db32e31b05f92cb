"""Measure what groups look like where there are none: the silhouette of one normal cloud, grouped in the same way.

K-means finds groups in anything, and the fewer the points, the better they look. What there is to compare with has as
many points, and the same mean and deviation along each of their main axes (Y. Liu et al., "Statistical significance of
clustering for high-dimension, low-sample size data", 2008).
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.embedding.source import unit_length
from trainer.features.axes import Points
from trainer.grouping.methods.silhouette import silhouette
from trainer.grouping.methods.space import diffusion

# There are no more points than this: fewer look better grouped, so the comparison only becomes stricter.
_SAMPLE = 1_000
_DRAWS = 4


def silhouette_by_chance(views: Sequence[Points], group: Callable[[Points], NDArray[np.int64]], seed: int) -> float:
    """Return the best silhouette, by `of_all`, of four such clouds, -1 to 1; 0 if no groups were found.

    views: as `diffusion` takes them. group: returns the group of each point, from 0 on; negative: of none.
    """
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(_DRAWS):
        drawn = cloud(views, rng)
        found.append(of_all(drawn[0], group(diffusion(drawn, seed)), seed) or 0.0)
    return max(found)


def of_all(points: Points, groups: NDArray[np.int64], seed: int) -> float | None:
    """Return the mean silhouette as `silhouette` does, but points with a negative group count as 0: a few dense spots
    are in any cloud."""
    found = silhouette(points, groups, seed)
    return None if found is None else found * float((groups >= 0).mean())


def cloud(views: Sequence[Points], rng: np.random.Generator) -> list[Points]:
    """Return as many normal points as each view has, 1,000 at most, with its mean and deviation along each axis.

    The views see the same points: they are scaled and turned in other ways, but show the same photos. Rows have length
    1."""
    drawn = rng.standard_normal((min(len(views[0]), _SAMPLE), max(view.shape[1] for view in views)), dtype=np.float32)
    return [unit_length(view.mean(axis=0) + view.std(axis=0) * drawn[:, : view.shape[1]]) for view in views]
