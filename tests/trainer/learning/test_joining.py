"""Few photos: the validation photos join those that are learned from, once they have chosen."""

from dataclasses import replace

import numpy as np
import pytest

from trainer.dataset.photo_set import PhotoSet
from trainer.learning.epochs import Best, Choice, Epoch
from trainer.learning.joining import FEW_PHOTOS, TOO_MANY, are_few, joined, joins, succeeded


def photos(train: int, val: int) -> PhotoSet:
    """Every fourth photo is one for validation, as long as there are some."""
    order = np.random.default_rng(0).permutation(train + val)
    return PhotoSet(
        np.zeros((train + val, 1, 1, 3), np.uint8), np.arange(train + val) % 3, np.sort(order[val:]), order[:val]
    )


def best(*, last: int, rival: int, p: float = 1.0, learned: bool = True) -> Best:
    return Best(0.5, 1.0, last, choice=Choice(last, rival, 12, 1, 8, p, learned))


@pytest.mark.parametrize(
    ("number", "found", "again"),
    [
        (FEW_PHOTOS, best(last=10, rival=10), True),
        (FEW_PHOTOS, best(last=10, rival=0, p=0.3), True),
        (FEW_PHOTOS + 1, best(last=10, rival=10), False),
        (60, best(last=10, rival=0, p=0.01), False),
        (60, best(last=10, rival=3, learned=False), False),
        (60, Best(0.5, 1.0, 0), False),
    ],
    ids=["few", "no worse than by chance", "ample", "the head is better", "broke down", "nothing trained"],
)
def test_few_photos_of_which_the_last_state_was_kept(number: int, found: Best, again: bool) -> None:
    assert joins(photos(number - 10, 10), found) is again


def test_labels_that_a_machine_made_make_no_set_ample() -> None:
    some = photos(FEW_PHOTOS + 1000, 100)
    assert not are_few(some)
    assert are_few(replace(some, machine_made=some.train[:1100]))
    assert are_few(replace(some, machine_made=np.arange(FEW_PHOTOS + 1100)))


def test_so_many_photos_by_machine_take_too_long_for_a_second_training() -> None:
    some = photos(TOO_MANY - 100, 100)
    assert are_few(replace(some, machine_made=some.train))
    more = photos(TOO_MANY - 99, 100)
    assert not are_few(replace(more, machine_made=more.train))


def test_every_photo_is_learned_from_once_and_none_is_left_to_judge_by() -> None:
    some = replace(photos(48, 12), weights=np.linspace(0, 1, 60, dtype=np.float32))
    found = joined(some)
    assert found.train.tolist() == list(range(60))
    assert len(found.val) == 0
    assert found.weights is some.weights


@pytest.mark.parametrize(("losses", "well"), [((1.0, 0.5), True), ((1.0,), True), ((0.5, 1.0), False)])
def test_only_its_own_loss_can_show_that_it_broke_down(losses: tuple[float, ...], well: bool) -> None:
    epochs = tuple(Epoch(number, loss, float("inf"), 0.0, 1e-3) for number, loss in enumerate(losses, 1))
    assert succeeded(Best(0.0, float("inf"), len(losses), epochs=epochs)) is well
