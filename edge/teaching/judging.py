"""Fit a layer, and judge it on photos that it was not fitted to.

The examples are divided into five parts. Each part is judged by a layer that was fitted to the other four, so every
figure is about photos that the layer had not seen. The layer of the new bundle is then fitted to all.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.teaching.fitting import Examples, Numbers, Rows, Table, fit

FOLDS = 5
# What holds a row: see edge.teaching.fitting. On TrashNet, 20 photos, new classes are found best with 0.003 of 0.0001
# to 0.01. Rows that are there hold more: they were fitted to many photos.
HOLD_NEW, HOLD_OLD = 3e-3, 1e-2
# A new class may take so many of the answers to other classes that were right. The whole loss must stay under 2 points.
MOST_TAKEN = 0.02
MOST_LOST = 0.02


@dataclass(frozen=True, slots=True)
class Material:
    """What a layer is fitted to and judged on.

    known: how many classes are not new.
    features, classes: of photos and remembered examples; the photos come first.
    turned: (photos, views, channels), the photos turned about.
    """

    known: int
    features: Table
    classes: Numbers
    turned: Table

    @property
    def photos(self) -> int:
        """How many are photos."""
        return len(self.turned)

    def examples(self, rows: NDArray[np.bool_]) -> Examples:
        """Return what some of the rows, bool (rows,), have to say: half of what a photo counts goes to its views."""
        photos = np.flatnonzero(rows[: self.photos])
        views = self.turned.shape[1]
        classes = np.concatenate([self.classes[rows], np.repeat(self.classes[photos], views)])
        features = np.concatenate([self.features[rows], self.turned[photos].reshape(-1, self.features.shape[1])])
        counts = np.where(np.flatnonzero(rows) < self.photos, 0.5, 1.0)
        counts = np.concatenate([counts, np.full(len(photos) * views, 0.5 / views)])
        return Examples(features, classes, self._weighed(classes, counts, rows))

    def _weighed(self, classes: Numbers, counts: Table, rows: NDArray[np.bool_]) -> Table:
        """Return the counts so that each new class has 1 in all, and those known as much as all new ones together."""
        weighed = counts.copy()
        new = np.unique(classes[classes >= self.known])
        for number in new:
            weighed[classes == number] /= counts[classes == number].sum()
        known = classes < self.known
        weighed[known] *= max(1, len(new)) / max(counts[known].sum(), 1e-12)
        return weighed


@dataclass(frozen=True, slots=True)
class Judged:
    """A fitted layer and the answers to examples that it was not fitted to.

    rows: in units of scores. before, after: (examples, classes), what a softmax turns into scores; before without the
        new classes. changed: bool (classes,).
    """

    rows: Rows
    before: Table
    after: Table
    changed: NDArray[np.bool_]


def fit_and_judge(material: Material, start: Rows) -> Judged:
    """Return the layer fitted to all of `material`, and answers to each example by one that was fitted without it.

    start: the rows that are there, in units of scores. If there are new classes, the others keep their rows.
    """
    new = range(material.known, int(material.classes.max()) + 1)
    taught = np.unique(material.classes[: material.photos])
    fitted = list(new) or [int(number) for number in taught]
    begin = _with_new(start, len(new))
    holds = [HOLD_NEW if number >= material.known else HOLD_OLD for number in fitted]
    folds = _folds(material)
    after = np.empty((len(folds), len(begin.bias)))
    for fold in range(FOLDS):
        out = folds == fold
        after[out] = fit(material.examples(~out), begin, fitted, holds).scores_of(material.features[out])
    rows = fit(material.examples(np.ones(len(folds), bool)), begin, fitted, holds)
    changed = np.isin(np.arange(len(begin.bias)), fitted)
    before = start.scores_of(material.features)
    if new:
        shift = _shift(before, after, material)
        after[:, material.known :] -= shift
        bias = rows.bias.copy()
        bias[material.known :] -= shift
        rows = Rows(rows.weights, bias)
    return Judged(rows, before, after, changed)


def _with_new(start: Rows, new: int) -> Rows:
    """Return rows for new classes behind those that are there: their mean, from which a fit leads away."""
    weights = np.repeat(start.weights.mean(axis=0)[None], new, axis=0)
    bias = np.repeat(start.bias.mean()[None], new)
    return Rows(np.concatenate([start.weights, weights]), np.concatenate([start.bias, bias]))


def _folds(material: Material) -> Numbers:
    """Return the part that each example is in. Neighbours, such as frames of one visit, share a part."""
    found = np.zeros(len(material.classes), np.int64)
    for remembered in (False, True):
        of_kind = (np.arange(len(found)) >= material.photos) == remembered
        for number in np.unique(material.classes[of_kind]):
            rows = np.flatnonzero(of_kind & (material.classes == number))
            found[rows] = np.arange(len(rows)) * FOLDS // len(rows)
    return found


def _shift(before: Table, after: Table, material: Material) -> float:
    """Return what to take off the new classes so that they take few right answers from the others, or 0."""
    lead = after[:, material.known :].max(axis=1) - after[:, : material.known].max(axis=1)
    right = (before.argmax(axis=1) == material.classes) & (material.classes < material.known)
    others = np.sort(lead[right])[::-1]
    spare = int(MOST_TAKEN * (material.classes < material.known).sum())
    return max(0.0, float(others[spare]) + 1e-6) if spare < len(others) else 0.0
