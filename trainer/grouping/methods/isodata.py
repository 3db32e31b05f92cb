"""Group points by ISODATA: K-means whose groups are split, merged and dropped until their number suits the data.

G. Ball and D. Hall, "ISODATA, a novel method of data analysis and pattern classification" (1965), with the rules of
J. Tou and R. Gonzalez, "Pattern recognition principles" (1974), section 3.3.6. Two things differ. THETA_S and THETA_C
are no distances, which would mean nothing between features of different networks: they are multiples of the median
spread of K groups and of the median distance from one's centre to the next, as plain K-means finds them in these points
(the yardstick). And the end is K-means' own: the centres are moved until no point changes its group. That may be a poor
optimum: unless the groups are clearly tighter than what K-means finds from Ward's tree, which is rare, the latter with
as many groups is the result. So what ISODATA decides is their number.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.errors import DatasetError
from edge.printable import counted
from trainer.grouping.methods.kmeans import Tree, grow, kmeans

Points = NDArray[np.float32]
Numbers = NDArray[np.int64]
# How far the two halves of a split group begin from its centre, in standard deviations of its widest axis.
GAMMA = 0.5
# The movement of centres ends by itself; this many rounds are never needed (2,521 photos: at most 40).
_MOST_MOVES = 300
_USUAL_LEAST = 5  # points of a group
# Less of a difference in looseness is chance: the agreement with classes does not follow it.
_CLEARLY = 0.99


@dataclass(frozen=True, slots=True)
class Isodata:
    """The parameters of ISODATA, by the names that the books give them.

    wanted: K, the number of groups wanted. The result has more than half and less than twice as many, if there are
        enough different points.
    rounds: I, how often groups are split or merged at most
    pairs: P (also L), how many pairs of groups are merged in one round
    smallest: THETA_N, a group with fewer points is dropped, and its points go to the next nearest. None for 5, or fewer
        if K groups would have fewer than 15 points each: they could else not come about
    spread: THETA_S, a group is split if its standard deviation along its widest axis is above this multiple of the
        yardstick's
    distance: THETA_C, two groups are merged if their centres are nearer than this multiple of the yardstick's distance
    start: how many groups to begin with; None for K. An end far from that of K gives way to it
    """

    wanted: int
    rounds: int = 60
    pairs: int = 3
    smallest: int | None = None
    spread: float = 1.0
    distance: float = 0.9
    start: int | None = None

    def least(self, points: int) -> int:
        """Return THETA_N for so many points."""
        return min(_USUAL_LEAST, points // (3 * self.wanted)) if self.smallest is None else self.smallest


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What THETA_S and THETA_C are multiples of, in the unit of the points.

    spread: median over K groups of the standard deviation along a group's widest axis
    distance: median over K groups of the distance from a group's centre to the nearest other one
    """

    spread: float
    distance: float


def isodata(points: Points, parameters: Isodata, seed: int) -> Numbers:
    """Return the group of each point, int64 (points,), from 0 on without gaps. The same for the same seed.

    points: float32 (points, axes), at least one. Raises DatasetError if groups of `smallest` points cannot be more than
        half as many as wanted.

    An end that is far from the one that begins with K groups owes its number to the start, not to the points, and gives
    way to that. So the numbers from any two starts differ by a factor of two at most."""
    check_smallest(parameters, len(points))
    tree = grow(points, seed)
    yardstick = measure(points, parameters.wanted, tree)
    groups = rounds_from(points, parameters, yardstick, seed)
    if parameters.start not in (None, parameters.wanted):
        usual = rounds_from(points, replace(parameters, start=None), yardstick, seed)
        if are_far(int(groups.max()) + 1, int(usual.max()) + 1):
            groups = usual
    return tightest(points, groups, tree)


def check_smallest(parameters: Isodata, points: int) -> None:
    """Raise DatasetError if so many points cannot make more than half of the groups wanted."""
    most = max(1, points // max(1, parameters.least(points)))
    if most < fewest_groups(parameters.wanted):
        raise DatasetError(
            f"--smallest {parameters.smallest}: {points:,} different photos make at most {counted(most, 'group')} so "
            f"large, and {parameters.wanted:,} are wanted: make --smallest at most "
            f"{points // fewest_groups(parameters.wanted)}, or ask for fewer groups"
        )


def rounds_from(points: Points, parameters: Isodata, yardstick: Yardstick, seed: int) -> Numbers:
    """Return the groups that splits and mergers end with after the start that `parameters` name, as isodata does."""
    from sklearn.cluster import kmeans_plusplus

    start, least = min(parameters.start or parameters.wanted, len(points)), parameters.least(len(points))
    centres, _ = kmeans_plusplus(points, start, random_state=seed)
    still = 0
    for number in range(1, parameters.rounds + 1):
        centres, groups = drop_small(points, centres, least)
        before = len(centres)
        if is_time_to_split(number, before, parameters.wanted):
            centres = split(points, groups, centres, parameters, yardstick)
        else:
            centres = merge(centres, np.bincount(groups, minlength=before), parameters, yardstick)
        still = still + 1 if len(centres) == before else 0
        if still == 2:  # neither a split nor a merger is left to do
            break
    centres, _ = drop_small(points, centres, least)
    return settle(points, centres)


def are_far(one: int, other: int) -> bool:
    """Return True if two numbers of groups differ by more than the root of two: two near a third differ by two."""
    return bool(max(one, other) ** 2 > 2 * min(one, other) ** 2)


def measure(points: Points, wanted: int, tree: Tree) -> Yardstick:
    """Return the yardstick of `points`, from K-means with `wanted` groups."""
    from scipy.spatial.distance import cdist

    groups = kmeans(points, wanted, tree)
    centres = means(points, groups, int(groups.max()) + 1)
    apart = cdist(centres, centres)
    np.fill_diagonal(apart, np.inf)
    near = apart.min(axis=1)
    distance = float(np.median(near)) if np.isfinite(near).all() else 0.0
    return Yardstick(float(np.median(deviations(points, groups, centres).max(axis=1))), distance)


def is_time_to_split(number: int, groups: int, wanted: int) -> bool:
    """Return True if round `number`, from 1 on, splits, and False if it merges.

    Few groups, up to K / 2, are always split; many, from 2 K on, are always merged; between them the two take turns."""
    if 2 * groups <= wanted:
        return True
    return groups < 2 * wanted and number % 2 == 1


def fewest_groups(wanted: int) -> int:
    """Return the least number of groups that is more than half of `wanted`."""
    return wanted // 2 + 1


def most_groups(wanted: int) -> int:
    """Return the largest number of groups that is less than twice `wanted`."""
    return 2 * wanted - 1


def nearest(points: Points, centres: Points) -> Numbers:
    """Return the index of the nearest centre of each point, int64 (points,); of two alike, the first."""
    from sklearn.metrics import pairwise_distances_argmin

    found: Numbers = pairwise_distances_argmin(points, centres).astype(np.int64)
    return found


def means(points: Points, groups: Numbers, count: int) -> Points:
    """Return the mean of each group's points, float32 (count, axes). Each group must have some."""
    return np.asarray(_sums(points, groups, count) / np.bincount(groups, minlength=count)[:, None], np.float32)


def _sums(values: Points, groups: Numbers, count: int) -> NDArray[np.float64]:
    from scipy.sparse import csr_matrix

    places = np.arange(len(values))
    members = csr_matrix((np.ones(len(values)), (groups, places)), (count, len(values)))
    return np.asarray(members @ values.astype(np.float64))


def drop_small(points: Points, centres: Points, smallest: int) -> tuple[Points, Numbers]:
    """Return the means of the groups with `smallest` points or more, and the group of each point.

    The smallest group goes first, as its points may make another one large enough. One group is always left."""
    groups = nearest(points, centres)
    while len(centres) > 1:
        sizes = np.bincount(groups, minlength=len(centres))
        if sizes.min() >= max(1, smallest):
            break
        centres = np.delete(centres, sizes.argmin(), axis=0)
        groups = nearest(points, centres)
    return means(points, groups, len(centres)), groups


def deviations(points: Points, groups: Numbers, centres: Points) -> NDArray[np.float64]:
    """Return the standard deviation of each group along each axis, float64 (groups, axes)."""
    squares = _sums((points - centres[groups]) ** 2, groups, len(centres))
    return np.asarray(np.sqrt(squares / np.bincount(groups, minlength=len(centres))[:, None]))


def mean_distances(points: Points, groups: Numbers, centres: Points) -> tuple[NDArray[np.float64], float]:
    """Return the mean distance of each group's points from its centre, float64 (groups,), and that of all points."""
    apart = np.linalg.norm(points - centres[groups], axis=1).astype(np.float64)
    sizes = np.bincount(groups, minlength=len(centres))
    return np.bincount(groups, apart, minlength=len(centres)) / sizes, float(apart.mean())


def split(points: Points, groups: Numbers, centres: Points, parameters: Isodata, yardstick: Yardstick) -> Points:
    """Return the centres after each group that is too wide was replaced by two.

    Too wide is one whose deviation along its widest axis exceeds THETA_S, if its points are also farther from
    their centre than points are on average, and are more than 2 (THETA_N + 1). If there are only K / 2 groups or
    fewer, the width alone counts, and the widest group is split in any case if its points differ. The number of groups
    stays below 2 K: the widest go first."""
    spread = deviations(points, groups, centres)
    widest = spread.max(axis=1)
    from_centre, overall = mean_distances(points, groups, centres)
    sizes = np.bincount(groups, minlength=len(centres))
    wide = widest > parameters.spread * yardstick.spread
    if 2 * len(centres) <= parameters.wanted:
        wide[widest.argmax()] = True
    else:
        wide &= (from_centre > overall) & (sizes > 2 * (parameters.least(len(points)) + 1))
    wide &= (widest > 0) & (sizes >= 2)
    room = max(1, most_groups(parameters.wanted) - len(centres))
    chosen = [group for group in np.argsort(-widest, kind="stable") if wide[group]][:room]
    halves = []
    for group in chosen:
        step = np.zeros(points.shape[1], np.float32)
        step[spread[group].argmax()] = GAMMA * widest[group]
        halves += [centres[group] + step, centres[group] - step]
    return np.vstack([np.delete(centres, chosen, axis=0), *halves]) if chosen else centres


def merge(centres: Points, sizes: Numbers, parameters: Isodata, yardstick: Yardstick) -> Points:
    """Return the centres after the nearest pairs, P at most, were replaced by their means weighted by size.

    A pair must be nearer than THETA_C, and no group is in two pairs. From 2 K groups on the nearest pairs are merged
    however far apart they are, until there are fewer. More than K / 2 groups stay."""
    from scipy.spatial.distance import pdist

    if len(centres) < 2:
        return centres
    apart = pdist(centres)
    ones, others = np.triu_indices(len(centres), 1)
    surplus = len(centres) - most_groups(parameters.wanted)
    room = min(parameters.pairs, len(centres) - fewest_groups(parameters.wanted))
    merged: list[Points] = []
    gone: set[int] = set()
    for place in np.argsort(apart, kind="stable"):
        one, other = int(ones[place]), int(others[place])
        near = apart[place] < parameters.distance * yardstick.distance or len(merged) < surplus
        if len(merged) >= room or not near:
            break
        if one in gone or other in gone:
            continue
        gone |= {one, other}
        weights = sizes[[one, other]] / sizes[[one, other]].sum()
        merged.append(np.asarray(weights @ centres[[one, other]], np.float32))
    return np.vstack([np.delete(centres, sorted(gone), axis=0), *merged]) if merged else centres


def settle(points: Points, centres: Points) -> Numbers:
    """Move the centres to their points' means until no point changes its group (Lloyd), and return the groups.

    A group that loses its last point is gone."""
    groups = nearest(points, centres)
    for _ in range(_MOST_MOVES):
        _, groups = np.unique(groups, return_inverse=True)
        centres = means(points, groups, int(groups.max()) + 1)
        moved = nearest(points, centres)
        if np.array_equal(moved, groups):
            break
        groups = moved
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def tightest(points: Points, groups: Numbers, tree: Tree) -> Numbers:
    """Return `groups` if they are clearly tighter than as many by K-means, else those."""
    others = kmeans(points, int(groups.max()) + 1, tree)
    return groups if looseness(points, groups) < _CLEARLY * looseness(points, others) else others


def looseness(points: Points, groups: Numbers) -> float:
    """Return the sum of the points' squared distances from the centres of their groups."""
    centres = means(points, groups, int(groups.max()) + 1)
    return float(((points - centres[groups]) ** 2).sum(dtype=np.float64))
