"""What has no groups has the spread of what may have some, and is grouped in the same way."""

import numpy as np

from trainer.grouping.methods.chance import cloud, of_all, silhouette_by_chance
from trainer.grouping.methods.kmeans import grow, kmeans
from trainer.grouping.methods.silhouette import silhouette

F = np.float32


def test_a_cloud_has_the_proportions_of_the_points_in_each_view() -> None:
    rng = np.random.default_rng(0)
    points = (rng.standard_normal((900, 3)) * (4, 1, 0) + (8, 0, 0)).astype(F)
    one, other = cloud([points, points[:, :2]], rng)
    assert (one.shape, other.shape) == ((900, 3), (900, 2))
    # Rows have length 1: what is left is how the axes relate.
    assert np.linalg.norm(one, axis=1).round(5).tolist() == [1] * 900
    ratios = one[:, 1] / one[:, 0]
    assert abs(float(np.median(ratios))) < 0.02
    assert not one[:, 2].any()
    assert np.allclose(one[:, :2], other)


def test_a_cloud_has_a_thousand_points_at_most() -> None:
    points = np.random.default_rng(0).standard_normal((1_500, 3)).astype(F)
    assert cloud([points], np.random.default_rng(0))[0].shape == (1_000, 3)


def test_clear_groups_are_far_above_chance() -> None:
    rng = np.random.default_rng(3)
    points = (np.repeat(rng.standard_normal((4, 16)) * 5, 25, axis=0) + rng.standard_normal((100, 16))).astype(F)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    own = silhouette(points, kmeans(points, 4, grow(points, 0)), 0)
    assert own is not None
    by_chance = silhouette_by_chance([points], lambda drawn: kmeans(drawn, 4, grow(drawn, 0)), 0)
    assert own > 2 * by_chance
    assert by_chance == silhouette_by_chance([points], lambda drawn: kmeans(drawn, 4, grow(drawn, 0)), 0)


def test_points_of_no_group_count_as_0() -> None:
    points = np.array([[0, 0], [0, 0], [4, 0], [4, 0], [9, 9], [8, 3], [7, 7], [1, 9]], F)
    # Four points with a silhouette of 1, and four of no group.
    assert of_all(points, np.array([0, 0, 1, 1, -1, -1, -1, -1]), 0) == 0.5
    assert of_all(points, np.zeros(8, np.int64), 0) is None


def test_no_groups_at_all_are_no_chance() -> None:
    points = np.eye(12, dtype=F)
    assert silhouette_by_chance([points], lambda drawn: np.full(len(drawn), -1), 0) == 0
