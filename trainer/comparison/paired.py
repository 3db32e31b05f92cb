"""Two classifiers on the same photos: is the difference more than chance? Pure."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtri

from trainer.measuring.metrics import Interval

SIGNIFICANT = 0.05


class Paired(msgspec.Struct, frozen=True):
    """Counts of the photos that both, only A, only B or neither named rightly; difference is the share right
    of B minus that of A with its paired 95 % interval, -1..1; p is McNemar's exact one."""

    both: int
    only_a: int
    only_b: int
    neither: int
    difference: Interval
    p: float


def compare_answers(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> Paired:
    """right_a, right_b: (n,), n at least 1: was photo i named rightly by A, by B?"""
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    both = int((right_a & right_b).sum())
    n = len(right_a)
    return Paired(
        both, only_a, only_b, n - both - only_a - only_b, difference(only_a, only_b, n), mcnemar(only_a, only_b)
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """The two-sided exact p value: if A and B were equally good, each photo that only one names rightly would
    be a fair coin, and a split at least this uneven would come up with probability p (McNemar 1947; the
    binomial form, no approximation). 1 where they never differ."""
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def difference(only_a: int, only_b: int, n: int, level: float = 0.95) -> Interval:
    """(only_b - only_a) / n with Bonett and Price's interval (J. Educ. Behav. Stat. 37, 2012): Wald's, after
    adding one photo to each of the two counts. Recommended for paired shares by Fagerland, Lydersen and Laake
    (Stat. Med. 33, 2014); it does not shrink to a point where the two never differ."""
    z = float(ndtri(0.5 + level / 2))
    a, b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = z * math.sqrt((a + b - (b - a) ** 2) / (n + 2))
    return Interval((only_b - only_a) / n, max(-1.0, b - a - half), min(1.0, b - a + half))
