"""Labels along ties: they reach their own group, with how sure they are, and are tested on photos that lost theirs."""

import numpy as np
import pytest

from trainer.features.axes import Points
from trainer.picking.carrying import Carrier
from trainer.picking.propagation import shares_of, ties_of
from trainer.picking.space import principal


def two_moons() -> tuple[Points, np.ndarray]:
    """Return two half rings, each in the other's arms: no straight line parts them."""
    angles = np.linspace(0, np.pi, 60)
    one = np.c_[np.cos(angles), np.sin(angles), np.full(60, 3.0)]
    other = np.c_[1 - np.cos(angles), 0.5 - np.sin(angles), np.full(60, 3.0)]
    return np.vstack([one, other]).astype(np.float32), np.repeat([0, 1], 60)


def test_one_label_each_finds_two_interlocked_groups() -> None:
    points, truth = two_moons()
    shares = shares_of(ties_of(points), np.array([30, 90]), np.array([0, 1]), 2)
    reached = shares.sum(axis=1) > 0
    assert reached.all()
    assert (shares.argmax(axis=1) == truth).mean() > 0.9


def test_shares_are_those_of_the_classes_and_a_label_stays() -> None:
    points, truth = two_moons()
    labelled = np.array([5, 30, 55, 65, 90, 115])
    shares = shares_of(ties_of(points), labelled, truth[labelled], 3)
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (shares[labelled].argmax(axis=1) == truth[labelled]).all()
    assert (shares[:, 2] == 0).all()


def test_two_photos_between_a_label_each() -> None:
    # By hand: four photos in a row, equally far, with ties of 1 on a ring cut open; the middle ones lean to their side.
    points = np.array([[1, 0], [0.9, 0.2], [0.2, 0.9], [0, 1]], np.float32)
    shares = shares_of(ties_of(points), np.array([0, 3]), np.array([0, 1]), 2)
    assert shares[1, 0] > 0.5 > shares[2, 0]
    assert shares[1, 0] == pytest.approx(shares[2, 1], abs=1e-4)


def test_a_photo_that_loses_its_label_is_judged_by_the_others() -> None:
    points, truth = two_moons()
    labelled = np.arange(0, 120, 6)
    labels = truth[labelled].copy()
    labels[3] = 1 - labels[3]  # a wrong label
    found = Carrier(points, 2).held_out(labelled, labels, 0)
    assert found[3].argmax() != labels[3]
    assert (np.delete(found, 3, axis=0).argmax(axis=1) == np.delete(labels, 3)).mean() > 0.8


def test_a_class_of_one_photo_cannot_be_got_back() -> None:
    points, _ = two_moons()
    found = Carrier(points, 2).held_out(np.array([0, 1, 2, 100]), np.array([0, 0, 0, 1]), 0)
    assert found[3, 1] < 0.01


def test_copies_and_lone_photos_have_ties() -> None:
    points = np.array([[1, 0]] * 30 + [[0, 1.0]], np.float32)
    shares = shares_of(ties_of(points), np.array([0]), np.array([0]), 1)
    assert np.isfinite(shares).all()
    assert (shares[:30] == 1).all()


def test_points_keep_distances_between_few_features() -> None:
    features = np.random.default_rng(0).uniform(0, 1, (50, 8)).astype(np.float32)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    points = principal(features, np.arange(50))
    assert np.linalg.norm(points[3] - points[7]) == pytest.approx(np.linalg.norm(unit[3] - unit[7]), abs=1e-5)
