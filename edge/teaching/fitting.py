"""Fit rows of a last layer to a few examples: multinomial logistic regression, held to the layer that was there.

All is computed in units of the device's scores: softmax(logits / temperature + bias), so that what is fitted is what
decides. Rows that are not fitted stay, and count as one fixed class: a fit costs the same for 6 classes and for 1,001.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.teaching.minimizing import minimize

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
# What holds a row's bias where it was, beside 1 for the loss of all examples of a class. A bias is one number, and has
# to move freely.
_BIAS_HOLD = 1e-3


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a layer in units of scores. weights: (classes, channels). bias: (classes,)."""

    weights: Table
    bias: Table

    def scores_of(self, features: Table) -> Table:
        """Return what a softmax turns into scores, (examples, classes)."""
        found: Table = features @ self.weights.T + self.bias
        return found


@dataclass(frozen=True, slots=True)
class Examples:
    """What is fitted to. features: (examples, channels). classes, counts: (examples,); counts is what each counts."""

    features: Table
    classes: Numbers
    counts: Table


def fit(examples: Examples, start: Rows, fitted: Sequence[int], holds: Sequence[float]) -> Rows:
    """Return `start` with other rows for the classes `fitted`.

    holds: for each of them what holds it to where it starts, in units of the features' own spread.
    """
    mean = np.average(examples.features, axis=0, weights=examples.counts)
    centred = examples.features - mean
    # By einsum, which needs no second table of this size: on a device that is a tenth of what the pages may take.
    squares = float(np.einsum("ij,ij,i->", centred, centred, examples.counts))
    spread = max(squares / float(examples.counts.sum()), 1e-12)
    places = np.array(fitted, np.int64)
    base, rest = _split(start.scores_of(examples.features), places)
    wanted = examples.classes[:, None] == places
    strength = np.array(holds, np.float64)[:, None] * spread
    shape = len(places), centred.shape[1] + 1

    def loss(flat: Table) -> tuple[float, Table]:
        moved = flat.reshape(shape)
        scores = base + centred @ moved[:, :-1].T + moved[:, -1]
        total = np.logaddexp(rest, _log_sum(scores))
        of_right = np.where(wanted.any(axis=1), np.where(wanted, scores, 0.0).sum(axis=1), rest)
        pulls = examples.counts[:, None] * (np.exp(scores - total[:, None]) - wanted)
        slope = np.empty(shape)
        slope[:, :-1] = pulls.T @ centred + strength * moved[:, :-1]
        slope[:, -1] = pulls.sum(axis=0) + _BIAS_HOLD * moved[:, -1]
        held = float((strength * moved[:, :-1] ** 2).sum() + _BIAS_HOLD * (moved[:, -1] ** 2).sum()) / 2
        return float(examples.counts @ (total - of_right)) + held, slope.reshape(-1)

    found = minimize(loss, np.zeros(shape[0] * shape[1])).reshape(shape)
    weights, bias = start.weights.copy(), start.bias.copy()
    weights[places] += found[:, :-1]
    bias[places] += found[:, -1] - found[:, :-1] @ mean
    return Rows(weights, bias)


def _split(scores: Table, places: Numbers) -> tuple[Table, Table]:
    """Return the columns at `places`, and log(sum(exp)) of all others: one table beside `scores`, as for 1,001 classes
    it is as large as the features."""
    others = np.delete(scores, places, axis=1)
    if not others.shape[1]:
        return scores[:, places], np.full(len(scores), -np.inf)
    highest = others.max(axis=1)
    others -= highest[:, None]
    np.exp(others, out=others)
    return scores[:, places], highest + np.log(others.sum(axis=1))


def _log_sum(scores: Table) -> Table:
    """Return log(sum(exp)) of each row."""
    highest = scores.max(axis=1)
    found: Table = highest + np.log(np.exp(scores - highest[:, None]).sum(axis=1))
    return found
