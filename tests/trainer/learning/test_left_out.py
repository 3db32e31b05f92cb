"""How things fare that belong to no class, estimated by leaving out one class at a time."""

from pathlib import Path

import numpy as np
import pytest

import trainer.learning.left_out
from trainer.dataset.rows import Rows, RowSource
from trainer.learning.head import Examples, Head, train_head
from trainer.learning.left_out import LeftOut, leave_one_class_out

CHANNELS = 16
Four = tuple[Examples, tuple[np.ndarray, np.ndarray], Head]
NAMES = tuple(f"class {number}" for number in range(51))


def clouds(classes: int, each: int, seed: int, spread: float = 0.15) -> tuple[np.ndarray, np.ndarray]:
    """Class n lies around unit vector n, and equally far from all others: features and labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    features = rng.normal(0, spread, (len(labels), CHANNELS))
    features[np.arange(len(labels)), labels] += 1
    return features.astype(np.float32), labels


def examples(features: RowSource, labels: np.ndarray) -> Examples:
    return Examples(features, labels, np.ones(len(labels)))


def head_of(train: Examples, val: tuple[np.ndarray, np.ndarray], classes: int) -> Head:
    return train_head(train, val, classes, lambda _: None)


@pytest.fixture(scope="module")
def four() -> Four:
    """Four classes that overlap a little, with 40 validation photos each."""
    train, val = examples(*clouds(4, 60, 0, spread=0.5)), clouds(4, 40, 1, spread=0.5)
    return train, val, head_of(train, val, 4)


def test_every_class_is_left_out_once_and_all_of_its_validation_photos_are_shown(four: Four) -> None:
    found = leave_one_class_out(*four, 0.95, NAMES)
    assert [(row.name, row.photos) for row in found] == [(name, 40) for name in NAMES[:4]]


def test_a_class_that_is_like_no_other_is_mostly_called_unknown() -> None:
    """At the origin, the left-out class pulls no score up; the others are far out and sure of themselves."""
    (features, labels), (val_features, val_labels) = clouds(4, 60, 0), clouds(4, 60, 1)
    for some, truth in ((features, labels), (val_features, val_labels)):
        some[truth != 3] *= 4
        some[truth == 3] = np.random.default_rng(2).normal(0, 0.1, (60, CHANNELS))
        wrong = np.flatnonzero(truth != 3)[::30]
        truth[wrong] = (truth[wrong] + 1) % 3  # else nothing need be called unknown to keep the promise
    train, val = examples(features, labels), (val_features, val_labels)
    found = leave_one_class_out(train, val, head_of(train, val, 4), 0.97, NAMES)
    assert found[3].unknown >= 0.9
    assert found[3].mistaken == 1 - found[3].unknown


def test_a_class_that_is_the_twin_of_another_is_not_told_from_it() -> None:
    """Class 3 looks like class 2: with either left out, its photos are taken for the other."""
    (features, labels), (val_features, val_labels) = clouds(3, 80, 0), clouds(3, 80, 1)
    for truth in (labels, val_labels):
        truth[160::2] = 3
    train, val = examples(features, labels), (val_features, val_labels)
    found = leave_one_class_out(train, val, head_of(train, val, 4), 0.8, NAMES)
    assert min(found[0].unknown, found[1].unknown) >= 0.3
    assert max(found[2].unknown, found[3].unknown) <= 0.1


def test_the_higher_the_promise_the_more_is_called_unknown(four: Four) -> None:
    """Blurred classes, where a promise costs something."""
    shares = [
        np.mean([row.unknown for row in leave_one_class_out(*four, promise, NAMES)]) for promise in (0.6, 0.8, 0.9)
    ]
    assert shares == sorted(set(shares))


def test_nothing_is_called_unknown_where_the_promise_cannot_be_shown(four: Four) -> None:
    """Too few validation photos for 99.9 %: the threshold is 0."""
    assert {row.unknown for row in leave_one_class_out(*four, 0.999, NAMES)} == {0.0}


@pytest.mark.parametrize("classes", [1, 2])
def test_with_fewer_than_three_classes_there_is_no_estimate(classes: int) -> None:
    head = Head(np.zeros((CHANNELS, classes)), np.zeros(classes), 1.0, 0.1)
    assert leave_one_class_out(examples(*clouds(classes, 9, 0)), clouds(classes, 9, 1), head, 0.95, NAMES) == ()


def test_without_a_promise_there_is_no_threshold_and_no_estimate(four: Four) -> None:
    assert leave_one_class_out(*four, 0.0, NAMES) == ()


def test_of_many_classes_the_first_twelve_stand_for_all() -> None:
    train, val = examples(*clouds(14, 20, 0)), clouds(14, 5, 1)
    found = leave_one_class_out(train, val, head_of(train, val, 14), 0.9, NAMES)
    assert [row.name for row in found] == list(NAMES[:12])
    assert {row.photos for row in found} == {5}


def test_with_too_many_classes_there_is_no_estimate() -> None:
    """Each of the heads would take minutes."""
    head = Head(np.zeros((CHANNELS, 51)), np.zeros(51), 1.0, 0.1)
    some = np.zeros((51, CHANNELS), np.float32), np.arange(51)
    assert leave_one_class_out(examples(*some), some, head, 0.95, NAMES) == ()


def test_features_on_disk_give_the_same_estimate(four: Four, tmp_path: Path) -> None:
    train, val, head = four
    with Rows.create(tmp_path, *train.features.shape[:1], train.features.shape[1:], np.float32, "a test") as rows:
        rows.write_block(0, train.features)
        assert leave_one_class_out(examples(rows, train.labels), val, head, 0.9, NAMES) == leave_one_class_out(
            *four, 0.9, NAMES
        )


def test_of_many_photos_so_many_are_learned_from_spread_evenly(four: Four, monkeypatch: pytest.MonkeyPatch) -> None:
    train, val, head = four
    learned = []
    fit_linear = trainer.learning.left_out.fit_linear
    monkeypatch.setattr(trainer.learning.left_out, "MAX_ROWS", 24)
    monkeypatch.setattr(
        trainer.learning.left_out, "fit_linear", lambda some, *rest: learned.append(some) or fit_linear(some, *rest)
    )
    leave_one_class_out(train, val, head, 0.9, NAMES)
    counts = [np.bincount(some.labels).tolist() for some in learned]
    assert counts == [[6, 6, 6]] * 4, "the three other classes, numbered from 0"


def test_the_weights_of_the_photos_count_here_too(four: Four) -> None:
    """A wrong label that weighs nothing changes nothing."""
    train, val, head = four
    doubled = Examples(
        np.concatenate([train.features, train.features]),
        np.concatenate([train.labels, (train.labels + 1) % 4]),
        np.repeat([1.0, 0.0], len(train.labels)),
    )
    for row, expected in zip(
        leave_one_class_out(doubled, val, head, 0.9, NAMES), leave_one_class_out(*four, 0.9, NAMES), strict=True
    ):
        assert isinstance(row, LeftOut)
        assert row.unknown == pytest.approx(expected.unknown, abs=0.051)
