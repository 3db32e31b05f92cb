"""Which photos are chosen: one of each group, larger groups first; doubtful ones, and not twice the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.features.axes import Points
from trainer.picking.choose import doubts_of, typical, uncertain

NONE = np.zeros(0, np.int64)


def blobs(*sizes: int) -> tuple[Points, np.ndarray]:
    """Return points around corners far from each other, and the corner of each."""
    rng = np.random.default_rng(3)
    corners = np.repeat(np.arange(len(sizes)), sizes)
    return (10 * np.eye(len(sizes))[corners] + rng.normal(0, 0.3, (len(corners), len(sizes)))).astype(
        np.float32
    ), corners


def test_each_group_gives_one_photo_the_largest_first() -> None:
    points, corners = blobs(5, 40, 20)
    assert corners[typical(points, 3, 0, NONE)].tolist() == [1, 2, 0]


def test_the_photo_of_a_group_is_the_one_in_its_middle() -> None:
    points = np.array([[0, 0], [1, 0], [2, 0], [50, 0], [51, 0], [52.0, 0]], np.float32)
    assert sorted(typical(points, 2, 0, NONE).tolist()) == [1, 4]


def test_groups_that_hold_a_label_give_no_photo() -> None:
    points, corners = blobs(30, 30, 30)
    chosen = typical(points, 2, 0, np.array([0]))
    assert sorted(corners[chosen].tolist()) == [1, 2]


def test_doubtful_photos_come_from_the_doubtful_group_and_differ() -> None:
    points, corners = blobs(30, 30, 30)
    doubts = np.where(corners == 1, 0.9, 0.01)
    chosen = uncertain(points, doubts, 5, 0)
    assert (corners[chosen] == 1).sum() >= 3
    assert len(set(chosen.tolist())) == 5


def test_the_most_doubtful_photo_comes_first() -> None:
    points, _ = blobs(10, 10)
    doubts = np.linspace(0, 1, 20)
    chosen = uncertain(points, doubts, 4, 0)
    assert (np.diff(doubts[chosen]) <= 0).all()


def test_fewer_photos_than_wanted_are_all_taken() -> None:
    points, _ = blobs(3, 2)
    assert sorted(typical(points, 9, 0, np.array([1])).tolist()) == [0, 2, 3, 4]
    assert sorted(uncertain(points, np.zeros(5), 9, 0).tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("doubt", [0.0, 1.0])
def test_photos_that_are_all_alike_are_chosen_once_each(doubt: float) -> None:
    points = np.ones((20, 4), np.float32)
    assert len(set(typical(points, 7, 0, np.array([2])).tolist()) - {2}) == 7
    assert len(set(uncertain(points, np.full(20, doubt), 7, 0).tolist())) == 7


def test_doubt_is_the_lead_of_the_best_answer_turned_round() -> None:
    scores = np.array([[1, 0, 0], [0.5, 0.5, 0], [0.6, 0.1, 0.3]], np.float32)
    assert doubts_of(scores) == pytest.approx([0, 1, 0.7])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 15), st.integers(0, 4), st.integers(0, 3))
def test_as_many_as_there_are_and_none_twice(photos: int, count: int, labelled: int, seed: int) -> None:
    points = np.random.default_rng(seed).integers(0, 2, (photos, 2)).astype(np.float32)
    known = np.arange(min(labelled, photos - 1))
    chosen = typical(points, count, seed, known)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, photos - len(known))
    assert not set(chosen.tolist()) & set(known.tolist())
