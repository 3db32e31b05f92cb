"""In the space of a class's spread, photos of a class differ alike in all directions, and scores are what they were."""

import numpy as np
import pytest

from edge.teaching.fitting import Numbers, Rows, Table
from edge.teaching.whitening import MOST_CHANNELS, space_of

RNG = np.random.default_rng(7)
CLASSES = np.repeat([0, 1], 4000)
# Light changes the first channel of every photo; what the classes differ in is the second.
FEATURES = RNG.normal(0, [10.0, 0.1, 1.0], (8000, 3)) + np.array([0.0, 1.0, 0.0]) * CLASSES[:, None]


def apart(features: Table) -> float:
    """How far the classes are apart, beside the channel in which photos of a class differ most."""
    first, second = features[CLASSES < 1], features[CLASSES > 0]
    within = max((first.std(axis=0) + second.std(axis=0)) / 2)
    return float(np.linalg.norm(second.mean(axis=0) - first.mean(axis=0)) / within)


def test_what_changes_within_a_class_counts_for_less() -> None:
    assert apart(space_of(FEATURES, CLASSES).features(FEATURES)) > 1.5 * apart(FEATURES)


def test_rows_score_the_same_there_and_come_back() -> None:
    space = space_of(FEATURES, CLASSES)
    rows = Rows(RNG.normal(size=(4, 3)), RNG.normal(size=4))
    there = space.rows(rows)
    assert there.scores_of(space.features(FEATURES)) == pytest.approx(rows.scores_of(FEATURES))
    assert space.rows_back(there).weights == pytest.approx(rows.weights)


def test_features_in_other_units_and_shapes_make_the_same_space() -> None:
    one, other = space_of(FEATURES, CLASSES), space_of(1000 * FEATURES, CLASSES)
    assert other.features(FEATURES) == pytest.approx(one.features(FEATURES))
    views = FEATURES[:6].reshape(2, 3, 3).astype(np.float32)
    assert one.features(views).reshape(6, 3) == pytest.approx(one.features(FEATURES[:6]), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("features", "classes"),
    [
        (np.empty((0, 3)), np.empty(0, np.int64)),
        (FEATURES[:2], np.array([0, 1])),
        (np.ones((10, 3)), np.zeros(10, np.int64)),
        (np.zeros((2, MOST_CHANNELS + 1)), np.zeros(2, np.int64)),
    ],
)
def test_without_a_spread_features_stay_as_they_are(features: Table, classes: Numbers) -> None:
    space = space_of(features, classes)
    assert space.features(FEATURES) is FEATURES
    rows = Rows(np.ones((2, 3)), np.zeros(2))
    assert space.rows(rows) is rows
    assert space.rows_back(rows) is rows
