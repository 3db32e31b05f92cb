"""Test whether two classifiers differ by more than chance on the same photos. Pure."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtri

from trainer.measuring.metrics import Interval

SIGNIFICANT = 0.05


class Paired(msgspec.Struct, frozen=True):
    """The comparison, photo by photo.

    both, only_a, only_b, neither: how many photos both, only A, only B or neither named rightly.
    difference: the share that B named rightly minus that of A, with its paired 95 % interval, -1..1.
    p: McNemar's exact p value.
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    difference: Interval
    p: float


def compare_answers(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> Paired:
    """Compare the answers of A and B. right_a, right_b: bool (photos,), at least one: whether each is right."""
    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    both = int((right_a & right_b).sum())
    n = len(right_a)
    return Paired(
        both, only_a, only_b, n - both - only_a - only_b, difference(only_a, only_b, n), mcnemar(only_a, only_b)
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p value of McNemar's test (1947; the binomial form, no approximation).

    If A and B were equally good, each photo that only one names rightly would be a toss of a fair coin, and a result
    at least this uneven would have the probability p. It is 1 if they never differ."""
    return min(1.0, 2 * float(bdtr(min(only_a, only_b), only_a + only_b, 0.5)))


def difference(only_a: int, only_b: int, n: int, level: float = 0.95) -> Interval:
    """Return (only_b - only_a) / n with Bonett and Price's interval (J. Educ. Behav. Stat. 37, 2012)."""
    # It is Wald's interval after adding one photo to each of the two counts. Fagerland, Lydersen and Laake (Stat. Med.
    # 33, 2014) recommend it for paired shares. It does not shrink to a point if the two never differ.
    z = float(ndtri(0.5 + level / 2))
    a, b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = z * math.sqrt((a + b - (b - a) ** 2) / (n + 2))
    return Interval((only_b - only_a) / n, max(-1.0, b - a - half), min(1.0, b - a + half))
