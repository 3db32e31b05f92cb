"""The space in which alike photos are near: clear groups stay clear, and odd input keeps it finite."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from trainer.grouping.methods.choosing import choose_number
from trainer.grouping.methods.density import UNSURE, hdbscan
from trainer.grouping.methods.kmeans import grow, kmeans
from trainer.grouping.methods.ordering import seriate
from trainer.grouping.methods.silhouette import silhouette
from trainer.grouping.methods.space import diffusion
from trainer.grouping.methods.space import principal as principal_of

Features = NDArray[np.float32]


def principal(given: Features) -> list[Features]:
    """Return the points of all rows."""
    return principal_of(given, np.arange(len(given)))


def features(groups: int, each: int, apart: float, seed: int = 0) -> tuple[Features, NDArray[np.int64]]:
    """Return features as after a rectifier: `groups` of them, `apart` deviations from each other, and their groups."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((groups, 48)) * apart
    labels = np.repeat(np.arange(groups), each)
    return np.abs(centres[labels] + rng.standard_normal((len(labels), 48))).astype(np.float32), labels


def test_rows_have_length_one_along_at_most_128_axes() -> None:
    rng = np.random.default_rng(0)
    for points in principal(rng.random((300, 200), dtype=np.float32)):
        assert points.shape == (300, 128)
        assert np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)


def test_rows_that_do_not_count_change_nothing() -> None:
    given = features(4, 30, 2)[0]
    rows = np.arange(0, 120, 3)
    assert np.array_equal(principal_of(given, rows)[1], principal(given[rows])[1])


@pytest.mark.parametrize("each", [30, 150])
def test_clear_groups_are_found_and_counted(each: int) -> None:
    given, labels = features(5, each, 2)
    points = diffusion(principal(given), 0)
    assert choose_number(points, 0) == 5
    assert adjusted_rand_score(labels, kmeans(points, 5, grow(points, 0))) > 0.97
    found = hdbscan(points, None, 0)
    assert adjusted_rand_score(labels[found >= 0], found[found >= 0]) > 0.97


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 20])
def test_few_points_stay_finite(count: int) -> None:
    points = diffusion(principal(np.random.default_rng(0).random((count, 16), dtype=np.float32)), 0)
    assert len(points) == count
    assert np.isfinite(points).all()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_points_all_alike_stay_finite_and_are_one_group(value: float) -> None:
    points = diffusion(principal(np.full((40, 16), value, np.float32)), 0)
    assert np.isfinite(points).all()
    assert choose_number(points, 0) == 1


def test_copies_are_tied_to_others_too() -> None:
    given, _ = features(3, 20, 2)
    given[:15] = given[0]
    assert np.isfinite(diffusion(principal(given), 0)).all()


def test_groups_without_any_tie_between_them_are_told_apart() -> None:
    given = np.zeros((60, 3), np.float32)
    given[np.arange(60), np.repeat([0, 1, 2], 20)] = 1
    given += np.random.default_rng(0).random((60, 3), dtype=np.float32) / 1000
    points = diffusion(principal(given), 0)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 20), kmeans(points, 3, grow(points, 0))) == 1


def test_the_silhouette_by_hand() -> None:
    points = np.array([[0.0], [1.0], [10.0], [12.0]], np.float32)
    # a = 1, 1, 2, 2; b = 11, 10, 9.5, 11.5
    expected = np.mean([10 / 11, 9 / 10, 7.5 / 9.5, 9.5 / 11.5])
    assert silhouette(points, np.array([0, 0, 1, 1]), 0) == pytest.approx(expected)
    assert silhouette(np.vstack([points, [[5.0]]]), np.array([0, 0, 1, 1, -1]), 0) == pytest.approx(expected)
    assert silhouette(points, np.array([0, 0, 0, 0]), 0) is None
    assert silhouette(points, np.array([0, 1, 2, 3]), 0) is None


def test_an_order_has_neighbours_that_are_alike() -> None:
    line = np.random.default_rng(0).permutation(900).astype(np.float32)[:, None]
    order = seriate(line, 0)
    assert sorted(order.tolist()) == list(range(900))
    assert np.abs(np.diff(line[order, 0])).mean() < 6  # in random order 300
    assert seriate(np.ones((700, 2), np.float32), 0).tolist() == list(range(700))


def test_hdbscan_is_unsure_of_few_points_and_joins_to_the_number_given() -> None:
    given, _ = features(6, 30, 3)
    points = diffusion(principal(given), 0)
    assert hdbscan(points[:9], None, 0).tolist() == [UNSURE] * 9
    assert len(np.unique(hdbscan(points, 3, 0)[hdbscan(points, 3, 0) >= 0])) == 3


def test_of_many_points_a_sample_is_grouped(monkeypatch: pytest.MonkeyPatch) -> None:
    given, labels = features(4, 60, 3)
    points = diffusion(principal(given), 0)
    for module in ("density", "kmeans", "choosing"):
        monkeypatch.setattr(f"trainer.grouping.methods.{module}._SAMPLE", 100)
    assert choose_number(points, 0) == 4
    assert adjusted_rand_score(labels, kmeans(points, 4, grow(points, 0))) == 1
    found = hdbscan(points, None, 0)
    assert adjusted_rand_score(labels[found >= 0], found[found >= 0]) > 0.97
