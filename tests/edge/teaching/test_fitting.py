"""Rows are fitted to what the examples say, and rows that are not fitted stay as they are."""

import numpy as np
import pytest

from edge.teaching.fitting import Examples, Rows, fit
from edge.teaching.minimizing import minimize

RNG = np.random.default_rng(3)
OLD = Rows(np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]]), np.zeros(2))
CENTRES = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
CLASSES = np.repeat([0, 1, 2], 20)
FEATURES = CENTRES[CLASSES] + RNG.normal(0, 0.1, (60, 3))


def test_the_minimum_of_a_narrow_valley_is_found() -> None:
    scales = np.array([1.0, 1e2, 1e4])

    def valley(place: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> tuple[float, object]:
        off = place - [3.0, -2.0, 1.0]
        return float(scales @ off**2) / 2, scales * off

    assert minimize(valley, np.zeros(3), most=500, tolerance=1e-9) == pytest.approx([3, -2, 1], abs=1e-4)


def test_a_new_row_finds_its_class_and_the_others_stay_to_the_bit() -> None:
    start = Rows(np.vstack([OLD.weights, OLD.weights.mean(0)]), np.zeros(3))
    found = fit(Examples(FEATURES, CLASSES, np.full(60, 1 / 20)), start, [2], [1e-3])
    assert np.array_equal(found.scores_of(FEATURES).argmax(axis=1), CLASSES)
    assert np.array_equal(found.weights[:2], start.weights[:2])
    assert np.array_equal(found.bias[:2], start.bias[:2])


def test_it_is_the_same_twice_and_for_features_in_other_units() -> None:
    start = Rows(np.vstack([OLD.weights, np.zeros(3)]), np.zeros(3))
    counts = np.full(60, 1 / 20)
    found = fit(Examples(FEATURES, CLASSES, counts), start, [2], [1e-3])
    again = fit(Examples(FEATURES, CLASSES, counts), start, [2], [1e-3])
    assert np.array_equal(found.weights, again.weights)
    scaled = fit(Examples(100 * FEATURES, CLASSES, counts), Rows(start.weights / 100, start.bias), [2], [1e-3])
    assert scaled.scores_of(100 * FEATURES) == pytest.approx(found.scores_of(FEATURES), abs=0.05)


def test_a_strong_hold_keeps_rows_that_are_fitted_near_where_they_were() -> None:
    wrong = 1 - CLASSES[:40]
    moved = [
        np.abs(
            fit(Examples(FEATURES[:40], wrong, np.full(40, 1 / 20)), OLD, [0, 1], [hold] * 2).weights - OLD.weights
        ).max()
        for hold in (1e-3, 1e3)
    ]
    assert moved[0] > 1 > 0.01 > moved[1]
