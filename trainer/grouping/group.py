"""Group photos by their features."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from trainer.features.extract import PhotoFeatures
from trainer.features.neighbours import few_threads
from trainer.grouping.methods.chance import of_all, silhouette_by_chance
from trainer.grouping.methods.choosing import choose_number
from trainer.grouping.methods.density import hdbscan
from trainer.grouping.methods.isodata import Isodata, isodata
from trainer.grouping.methods.kmeans import grow, kmeans
from trainer.grouping.methods.ordering import seriate
from trainer.grouping.methods.silhouette import silhouette
from trainer.grouping.methods.space import diffusion, principal
from trainer.grouping.once import counted_with
from trainer.grouping.times import visits
from trainer.grouping.views import halves

Method = Literal["kmeans", "isodata", "hdbscan"]
METHODS: tuple[Method, ...] = ("kmeans", "isodata", "hdbscan")
# Groups are clear if their silhouette is so much, and so many times what chance reaches with as many photos. Pictures
# of pure noise reach 0.2 to 0.9 times that (12, 60 and 500 of them); TrashNet reaches 2.8 times at 6 groups and 4.3
# times at 50, and leaves that differ by their disease alone have a silhouette of 0.03.
_CLEAR, _ABOVE_CHANCE = 0.02, 1.25


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to group.

    groups: how many groups; for ISODATA, K; for HDBSCAN, the most. None to choose.
    isodata: the parameters of ISODATA; its `wanted` is replaced by `groups`, or what is chosen.
    gap_s: a visit ends when its camera takes no picture for so long.
    """

    method: Method = "kmeans"
    groups: int | None = None
    seed: int = 0
    gap_s: float = 300.0
    isodata: Isodata = field(default_factory=lambda: Isodata(1))


@dataclass(frozen=True, slots=True)
class Grouping:
    """Photos in groups.

    numbers: int64 (photos,), the group of each photo, from 1 on; 0 if no group is sure. Neighbours in number are alike.
    order: int64 (photos,), all photos group by group, those of no group last, neighbours alike
    counted_with: int64 (photos,), the photo that each is counted with: itself, or one that shows the same
    visits: int64 (photos,), from 1 on; 0 if the time is not known
    groups: how many there are
    silhouette: between the photos' own features, whose map was grouped: the map has some in noise, too. None if there
        are fewer than two groups
    clear: whether the groups differ by more than those of as many photos without any would
    """

    numbers: NDArray[np.int64]
    order: NDArray[np.int64]
    counted_with: NDArray[np.int64]
    visits: NDArray[np.int64]
    groups: int
    silhouette: float | None
    clear: bool

    @property
    def different(self) -> int:
        """Return how many photos count."""
        return len(np.unique(self.counted_with))


def group(photos: PhotoFeatures, wishes: Wishes) -> Grouping:
    """Group `photos`, whose features come from BothWays.

    Raises DatasetError if there are fewer different photos than groups are wanted."""
    with few_threads(len(photos.paths)):
        return _group(photos, wishes)


def _group(photos: PhotoFeatures, wishes: Wishes) -> Grouping:
    once = counted_with(photos)
    firsts, member_of = np.unique(once, return_inverse=True)
    views = [view for half in halves(photos.features) for view in principal(half, firsts)]
    points = diffusion(views, wishes.seed)
    found = _in_order(_apply(points, wishes), points, wishes.seed)
    count = int(found.max())
    quality = silhouette(views[0], found - 1, wishes.seed)
    return Grouping(
        numbers=found[member_of],
        order=_order(points, found, member_of, wishes.seed),
        counted_with=once,
        visits=visits(photos.records, wishes.gap_s),
        groups=count,
        silhouette=quality,
        clear=quality is not None and quality >= _CLEAR and _is_above_chance(views, found - 1, wishes),
    )


def _is_above_chance(views: Sequence[NDArray[np.float32]], found: NDArray[np.int64], wishes: Wishes) -> bool:
    """Return whether groups, from 0 on or UNSURE, are clearly better than as many in a cloud without any."""
    count = int(found.max()) + 1

    def grouped(points: NDArray[np.float32]) -> NDArray[np.int64]:
        if wishes.method == "hdbscan":
            return hdbscan(points, wishes.groups, wishes.seed)
        return kmeans(points, min(count, len(points) // 2), grow(points, wishes.seed))

    quality = of_all(views[0], found, wishes.seed)
    return quality is not None and quality >= _ABOVE_CHANCE * silhouette_by_chance(views, grouped, wishes.seed)


def _apply(points: NDArray[np.float32], wishes: Wishes) -> NDArray[np.int64]:
    """Return the group of each point, from 0 on, or UNSURE."""
    different = len(np.unique(points, axis=0))
    if wishes.groups is not None and wishes.groups > different:
        raise DatasetError(
            f"{wishes.groups} groups of {different:,} different photos (near-duplicates count once): must be 1 to "
            f"{different:,}: ask for fewer groups"
        )
    if wishes.method == "hdbscan":
        return hdbscan(points, wishes.groups, wishes.seed)
    wanted = wishes.groups or choose_number(points, wishes.seed)
    if wishes.method == "kmeans":
        return kmeans(points, wanted, grow(points, wishes.seed))
    return isodata(points, replace(wishes.isodata, wanted=wanted), wishes.seed)


def _in_order(found: NDArray[np.int64], points: NDArray[np.float32], seed: int) -> NDArray[np.int64]:
    """Number the groups from 1 on so that neighbours are alike; UNSURE becomes 0."""
    centres = [points[found == number].mean(axis=0) for number in range(int(found.max()) + 1)]
    numbers = np.zeros(len(centres) + 1, np.int64)  # the last place is that of UNSURE, -1
    if centres:
        numbers[seriate(np.stack(centres), seed)] = np.arange(1, len(centres) + 1)
    return numbers[found]


def _order(
    points: NDArray[np.float32], found: NDArray[np.int64], member_of: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Return all photos group by group, neighbours alike, each followed by those that are counted with it."""
    rank = np.empty(len(points), np.int64)
    placed = 0
    for number in [*range(1, int(found.max()) + 1), 0]:
        members = np.flatnonzero(found == number)
        rank[members[seriate(points[members], seed)]] = np.arange(placed, placed + len(members))
        placed += len(members)
    return np.argsort(rank[member_of], kind="stable")
