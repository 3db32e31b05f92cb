"""Each step of ISODATA by hand, and its rules: the number stays between half and twice K."""

import numpy as np
import pytest

from edge.errors import DatasetError
from trainer.grouping.methods.isodata import (
    Isodata,
    Yardstick,
    are_far,
    deviations,
    drop_small,
    fewest_groups,
    is_time_to_split,
    isodata,
    looseness,
    mean_distances,
    means,
    measure,
    merge,
    most_groups,
    nearest,
    rounds_from,
    settle,
    split,
)
from trainer.grouping.methods.kmeans import grow

F = np.float32


def table(*rows: tuple[float, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(rows, F)


def test_each_point_goes_to_the_nearest_centre_and_to_the_first_of_two_alike() -> None:
    assert nearest(table((0, 0), (4, 0), (2, 0)), table((0, 0), (4, 0))).tolist() == [0, 1, 0]


def test_a_centre_is_the_mean_of_its_points() -> None:
    found = means(table((0, 0), (2, 0), (10, 4)), np.array([0, 0, 1]), 2)
    assert found.tolist() == [[1, 0], [10, 4]]


def test_a_group_under_theta_n_is_dropped_and_its_points_go_to_the_next_nearest() -> None:
    points = table((0, 0), (1, 0), (2, 0), (5, 0), (10, 0), (11, 0), (12, 0))
    centres, groups = drop_small(points, table((1, 0), (5, 0), (11, 0)), smallest=2)
    assert groups.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert centres.tolist() == [[2, 0], [11, 0]]  # (0 + 1 + 2 + 5) / 4 and (10 + 11 + 12) / 3


def test_the_last_group_stays_however_small() -> None:
    centres, groups = drop_small(table((0, 0), (2, 0)), table((0, 0), (2, 0)), smallest=9)
    assert (centres.tolist(), groups.tolist()) == ([[1, 0]], [0, 0])


def test_deviations_and_distances_of_a_group() -> None:
    points, groups = table((0, 0), (4, 2), (4, -2), (8, 0), (20, 0)), np.array([0, 0, 0, 0, 1])
    centres = means(points, groups, 2)
    # Along the first axis -4, 0, 0, 4: the root of 32 / 4; along the second 0, 2, -2, 0: the root of 8 / 4.
    assert deviations(points, groups, centres) == pytest.approx(np.array([[8**0.5, 2**0.5], [0, 0]]))
    of_groups, overall = mean_distances(points, groups, centres)
    assert of_groups == pytest.approx([(4 + 2 + 2 + 4) / 4, 0])
    assert overall == pytest.approx(12 / 5)


WIDE_AND_NARROW = table(*((x, 0) for x in (-6, -5, -4, 4, 5, 6)), *((100 + x, 0) for x in (-1, -1, 0, 0, 1, 1)))
TWO = np.array([0] * 6 + [1] * 6)


def test_a_wide_group_is_split_along_its_widest_axis_by_half_a_deviation() -> None:
    centres = means(WIDE_AND_NARROW, TWO, 2)
    found = split(WIDE_AND_NARROW, TWO, centres, Isodata(2, smallest=1, spread=1.5), Yardstick(1, 1))
    step = 0.5 * (154 / 6) ** 0.5  # 36 + 25 + 16, twice, are 154
    assert found == pytest.approx(table((100, 0), (step, 0), (-step, 0)), abs=1e-4)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (Isodata(2, smallest=1, spread=6), "no deviation is above 6 times the yardstick"),
        (Isodata(2, smallest=2, spread=1.5), "6 points are not more than 2 (THETA_N + 1)"),
    ],
)
def test_a_group_that_is_narrow_or_small_is_not_split(parameters: Isodata, why: str) -> None:
    centres = means(WIDE_AND_NARROW, TWO, 2)
    assert len(split(WIDE_AND_NARROW, TWO, centres, parameters, Yardstick(1, 1))) == 2, why


def test_a_group_nearer_to_its_centre_than_points_are_on_average_is_not_split() -> None:
    # Both deviate by more than 0.5; the second's points are nearer than the average of 2.83.
    centres = means(WIDE_AND_NARROW, TWO, 2)
    assert len(split(WIDE_AND_NARROW, TWO, centres, Isodata(2, smallest=1, spread=0.5), Yardstick(1, 1))) == 3


def test_up_to_half_of_k_the_widest_group_is_split_in_any_case() -> None:
    centres = means(WIDE_AND_NARROW, TWO, 2)
    assert len(split(WIDE_AND_NARROW, TWO, centres, Isodata(4, smallest=9, spread=99), Yardstick(1, 1))) == 3


def test_points_that_are_all_alike_are_never_split() -> None:
    points = np.ones((20, 2), F)
    assert len(split(points, np.zeros(20, np.int64), points[:1], Isodata(8), Yardstick(1, 1))) == 1


def test_no_more_are_split_than_leave_less_than_two_k() -> None:
    points = table(*((100 * group + x, 0) for group in range(3) for x in (-3, 3)))
    groups = np.repeat([0, 1, 2], 2)
    found = split(points, groups, means(points, groups, 3), Isodata(2, spread=0), Yardstick(1, 1))
    assert len(found) <= 4


def test_the_nearest_pairs_are_merged_to_their_mean_weighted_by_size() -> None:
    centres, sizes = table((0, 0), (1, 0), (10, 0), (12, 0), (50, 0)), np.array([3, 1, 1, 1, 9])
    found = merge(centres, sizes, Isodata(5, pairs=2, distance=1), Yardstick(1, 3))
    assert found == pytest.approx(table((50, 0), (0.25, 0), (11, 0)))


def test_at_most_p_pairs_are_merged_and_none_beyond_theta_c() -> None:
    centres, sizes = table((0, 0), (1, 0), (10, 0), (12, 0), (50, 0)), np.ones(5, np.int64)
    assert len(merge(centres, sizes, Isodata(5, pairs=1, distance=1), Yardstick(1, 3))) == 4
    assert len(merge(centres, sizes, Isodata(5, pairs=2, distance=1), Yardstick(1, 1.5))) == 4
    assert len(merge(centres, sizes, Isodata(5, pairs=2, distance=1), Yardstick(1, 0.5))) == 5


def test_a_group_is_in_one_pair_only() -> None:
    centres = table((0, 0), (1, 0), (2, 0))
    found = merge(centres, np.ones(3, np.int64), Isodata(3, pairs=2, distance=1), Yardstick(1, 5))
    assert found == pytest.approx(table((2, 0), (0.5, 0)))


def test_from_two_k_on_the_nearest_are_merged_however_far_apart() -> None:
    centres = table((0, 0), (10, 0), (30, 0), (70, 0))
    assert len(merge(centres, np.ones(4, np.int64), Isodata(2, distance=0), Yardstick(1, 1))) == 3


def test_more_than_half_of_k_stay() -> None:
    centres = table(*((x, 0) for x in range(6)))
    assert len(merge(centres, np.ones(6, np.int64), Isodata(9, pairs=9, distance=9), Yardstick(1, 9))) == 5


@pytest.mark.parametrize(
    ("number", "groups", "splits"),
    [(1, 6, True), (2, 6, False), (2, 3, True), (1, 12, False), (1, 11, True), (2, 4, False)],
)
def test_few_groups_are_split_many_are_merged_and_between_them_they_take_turns(
    number: int, groups: int, splits: bool
) -> None:
    assert is_time_to_split(number, groups, wanted=6) is splits


def test_more_than_half_and_less_than_twice() -> None:
    assert [(fewest_groups(k), most_groups(k)) for k in (1, 6, 7)] == [(1, 1), (4, 11), (4, 13)]


def test_the_yardstick_is_the_median_of_k_groups() -> None:
    points = table(*((100 * group + x, 0) for group in range(3) for x in (-1, 1)))
    assert measure(points, 3, grow(points, 0)) == Yardstick(1.0, 100.0)


def test_settling_moves_points_until_none_changes_and_drops_what_is_empty() -> None:
    points = table((0, 0), (1, 0), (9, 0), (10, 0))
    assert settle(points, table((0, 0), (1, 0), (99, 0))).tolist() == [0, 0, 1, 1]


def test_looseness_is_the_sum_of_squares() -> None:
    assert looseness(table((0, 0), (2, 0), (5, 0)), np.array([0, 0, 1])) == 2


def blobs(seed: int, count: int, each: int = 40) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((count, 8)) * 6
    return (np.repeat(centres, each, axis=0) + rng.standard_normal((count * each, 8))).astype(F)


@pytest.mark.parametrize("start", [1, 3, 10, 40])
def test_from_any_start_the_number_ends_between_half_and_twice_k(start: int) -> None:
    found = isodata(blobs(3, 8), Isodata(8, start=start), seed=1)
    assert 4 < len(np.unique(found)) < 16
    assert found.tolist() == isodata(blobs(3, 8), Isodata(8, start=start), seed=1).tolist()


@pytest.mark.parametrize(("points", "wanted"), [(72, 30), (72, 72), (400, 200), (60, 12), (9, 4), (2, 1), (3, 3)])
def test_many_groups_of_few_points_are_more_than_half_of_those_wanted(points: int, wanted: int) -> None:
    found = isodata(np.random.default_rng(5).standard_normal((points, 6)).astype(F), Isodata(wanted), seed=0)
    assert wanted < 2 * len(np.unique(found)) < 4 * wanted


def test_a_least_size_that_leaves_no_room_for_half_of_k_is_refused() -> None:
    points = np.random.default_rng(5).standard_normal((72, 6)).astype(F)
    said = "at most 14 groups so large, and 30 are wanted: make --smallest at most 4, or"
    with pytest.raises(DatasetError, match=said):
        isodata(points, Isodata(30, smallest=5), seed=0)
    isodata(points, Isodata(30, smallest=4), seed=0)


def test_clear_groups_are_found_from_another_number() -> None:
    found = isodata(blobs(0, 6), Isodata(6, start=3), seed=0)
    assert [len(set(found[i * 40 : i * 40 + 40].tolist())) for i in range(6)] == [1] * 6


@pytest.mark.parametrize(("one", "other", "far"), [(12, 12, False), (10, 14, False), (10, 15, True), (23, 16, True)])
def test_numbers_are_far_if_they_differ_by_more_than_the_root_of_two(one: int, other: int, far: bool) -> None:
    assert are_far(one, other) is far
    assert are_far(other, one) is far


def test_from_any_start_the_number_is_within_two_of_that_from_any_other() -> None:
    """Points without groups, where the rounds themselves end at one number or another, by their start."""
    points = np.random.default_rng(2).standard_normal((300, 4)).astype(F)
    starts = (3, 6, 12, 24, 40)
    parameters = [Isodata(12, start=start) for start in starts]
    yardstick = measure(points, 12, grow(points, 0))
    by_themselves = [len(np.unique(rounds_from(points, one, yardstick, 0))) for one in parameters]
    ends = [len(np.unique(isodata(points, one, seed=0))) for one in parameters]
    assert len(set(by_themselves)) > 1
    assert max(ends) <= 2 * min(ends)


def test_an_end_far_from_that_of_k_gives_way_to_it() -> None:
    """With no round at all, the end is the start."""
    points = blobs(3, 8)
    usual = isodata(points, Isodata(8, rounds=0), seed=1)
    assert isodata(points, Isodata(8, rounds=0, start=40), seed=1).tolist() == usual.tolist()
    near = isodata(points, Isodata(8, rounds=0, start=9), seed=1)
    assert len(np.unique(near)) == 9
