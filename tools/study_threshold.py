"""Compare rules that choose the threshold for `unknown`, with simulated classifiers.

    python tools/study_threshold.py [--promise 0.95] [--validation 378]

Each repetition draws validation photos, chooses the largest accepted set that passes a rule, and applies its threshold
to 400 new photos. The columns, for each rule:

    kept - 2   how often the precision on the new photos was at least the promise less two points
    in full    how often the true precision was at least the promise
    coverage   as a share of the largest coverage with which the true precision keeps the promise
    none       how often no threshold passed

The figures of trainer/measuring/threshold.py come from here.
"""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from trainer.measuring.threshold import lower_bound

# (spread, honesty): a best score is 1 - 0.8 * Beta(1, spread), and right with probability score ** honesty.
CLASSIFIERS = ((3, 1.0), (6, 1.0), (3, 0.6), (9, 1.0), (12, 1.3))
NEW_PHOTOS = 400
SLACK = 0.02
Bound = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]


def plain(right: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share itself: no bound."""
    return right / n


def clopper_pearson(level: float) -> Bound:
    """Return the one-sided exact bound."""

    def bound(right: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
        low = betaincinv(np.maximum(right, 1), n - np.maximum(right, 1) + 1, 1 - level)
        return np.where(right > 0, low, 0.0)

    return bound


def wilson(level: float) -> Bound:
    """Return the one-sided score bound, the rule in use."""
    return lambda right, n: lower_bound(right, n, level)


# (title, bound, must every stricter threshold, from the first that passes, pass too?)
RULES: tuple[tuple[str, Bound, bool], ...] = (
    ("plain mean reaches it", plain, False),
    ("Clopper-Pearson 70 %", clopper_pearson(0.70), False),
    ("Clopper-Pearson 80 %", clopper_pearson(0.80), False),
    ("Wilson 75 %", wilson(0.75), False),
    ("Wilson 80 %", wilson(0.80), False),
    ("Wilson 85 %", wilson(0.85), False),
    ("Wilson 90 %", wilson(0.90), False),
    ("stricter ones too, C-P 70 %", clopper_pearson(0.70), True),
)


def draw(
    kind: tuple[float, float], shape: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw best scores, and whether they are right; each row sorted, highest score first."""
    spread, honesty = kind
    scores = -np.sort(-(1 - 0.8 * rng.beta(1, spread, shape)), axis=1)
    return scores, rng.random(shape) < scores**honesty


def study(
    kind: tuple[float, float], bound: Bound, strict: bool, args: argparse.Namespace, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Return the shares (kept within the slack, kept in full, coverage of the best possible, none found)."""
    scores, right = draw(kind, (args.repetitions, args.validation), rng)
    n = np.broadcast_to(np.arange(1, args.validation + 1), right.shape)
    passes = bound(right.cumsum(axis=1), n) >= args.promise
    if strict:
        passes = np.logical_and.accumulate(passes | (np.logical_or.accumulate(passes, axis=1) == 0), axis=1) & passes
    found = passes.any(axis=1)
    size = np.where(found, args.validation - passes[:, ::-1].argmax(axis=1), 0)
    threshold = scores[np.arange(len(size)), np.maximum(size, 1) - 1][found]
    new_scores, new_right = draw(kind, (len(threshold), NEW_PHOTOS), rng)
    accepted = new_scores >= threshold[:, None]
    precision = (accepted & new_right).sum(axis=1) / np.maximum(1, accepted.sum(axis=1))
    many_scores, many_right = draw(kind, (1, 1_000_000), rng)
    true = many_right[0].cumsum() / np.arange(1, 1_000_001)
    reach = np.searchsorted(-many_scores[0], -threshold)
    best = np.flatnonzero(true >= args.promise).max() if (true >= args.promise).any() else 1
    kept = (precision >= args.promise - SLACK) | ~accepted.any(axis=1)
    in_full = true[np.maximum(reach, 1) - 1] >= args.promise
    return float(kept.mean()), float(in_full.mean()), float(reach.sum() / len(size) / best), float(1 - found.mean())


def main() -> None:
    """Print one line for each rule, averaged over the kinds of classifier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--promise", type=float, default=0.95)
    parser.add_argument("--validation", type=int, default=378, help="validation photos")
    parser.add_argument("--repetitions", type=int, default=2000)
    args = parser.parse_args()
    print(f"{'rule':<30}{'kept - 2':>10}{'in full':>10}{'coverage':>10}{'none':>8}")
    for title, bound, strict in RULES:
        rng = np.random.default_rng(0)
        figures = np.mean([study(kind, bound, strict, args, rng) for kind in CLASSIFIERS], axis=0)
        print(f"{title:<30}" + "".join(f"{value:>10.1%}" for value in figures[:3]) + f"{figures[3]:>8.1%}")


if __name__ == "__main__":
    main()
