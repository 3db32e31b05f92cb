"""Main axes and neighbours of photos: as by hand, whatever the size of the blocks that are read."""

import numpy as np
import pytest

from trainer.features.axes import Points, Scatter
from trainer.features.neighbours import degrees_of, few_threads, nearest_neighbours, normalized, ties_of


def as_they_are(features: Points) -> Points:
    return features.copy()


def test_main_axes_are_those_of_the_covariance_widest_first() -> None:
    # Three points on a line along (3, 4), one of them twice as far: all of the spread is along it.
    features = np.array([[3, 4], [6, 8], [-9, -12]], np.float32)
    scatter = Scatter(features, np.arange(3), as_they_are)
    main = scatter.main_axes()
    assert main.mean == pytest.approx([0, 0])
    assert main.variances == pytest.approx([(25 + 100 + 225) / 3, 0], abs=1e-9)
    assert np.abs(main.axes[:, 0]) == pytest.approx([0.6, 0.8])
    assert np.abs(scatter.along(main, 1)).reshape(-1) == pytest.approx([5, 10, 15])


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).random((50, 6), dtype=np.float32)
    rows = np.arange(0, 50, 2)
    whole = Scatter(features, rows, as_they_are)
    monkeypatch.setattr("trainer.features.axes._BLOCK", 7)
    parts = Scatter(features, rows, as_they_are)
    one, other = whole.along(whole.main_axes(), 4), parts.along(parts.main_axes(), 4)
    assert one.shape == (25, 4)
    assert np.abs(one @ one.T - other @ other.T).max() < 1e-5


def test_neighbours_come_nearest_first_without_the_point_itself() -> None:
    points = np.array([[0.0], [1.0], [3.0]], np.float32)
    distances, numbers = nearest_neighbours(points, 2)
    assert numbers.tolist() == [[1, 2], [0, 2], [1, 0]]
    assert distances.tolist() == [[1, 3], [1, 2], [2, 3]]


def test_ties_of_two_points_by_hand() -> None:
    # Each is the other's scale: exp(-d^2 / (d * d)).
    points = np.array([[1, 0], [0, 1]], np.float32)
    ties = ties_of(points).toarray()
    assert ties == pytest.approx(np.array([[1e-6, np.exp(-1)], [np.exp(-1), 1e-6]]), abs=1e-9)


def test_normalized_ties_have_the_eigenvalue_one_for_the_roots_of_the_degrees() -> None:
    ties = ties_of(np.random.default_rng(1).random((30, 3), dtype=np.float32))
    degrees = degrees_of(ties)
    matrix = normalized(ties, degrees).toarray()
    assert np.allclose(matrix, matrix.T)
    assert matrix @ np.sqrt(degrees) == pytest.approx(np.sqrt(degrees))


def test_few_photos_are_computed_on_one_thread() -> None:
    from threadpoolctl import threadpool_info

    nearest_neighbours(np.eye(3, dtype=np.float32), 1)  # loads the libraries whose threads are counted
    before = [pool["num_threads"] for pool in threadpool_info()]
    with few_threads(19_999):
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    with few_threads(20_000):
        assert [pool["num_threads"] for pool in threadpool_info()] == before
