"""Batches of augmented photos: their content, and that any machine can make any part of any of them again."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.manifest import Preprocessing
from trainer.dataset.prepared import PreparedRows
from trainer.dataset.rows import Rows
from trainer.learning.augment import Augmentation
from trainer.learning.batches import BATCH, Batches

# Photo i is i + 1 all over, so that an unchanged one is recognised by its pixels.
PIXELS = np.repeat(np.arange(1, 201, dtype=np.uint8), 4 * 4 * 3).reshape(200, 4, 4, 3)
NOISE = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3)).astype(np.uint8)
TRAIN = np.arange(199, 99, -1)  # 100 of them, 3 steps an epoch
UNCHANGED = Augmentation(mirror=False, zoom=(1.0, 1.0), turn_deg=0.0, shift=0.0, light=0.0, offset=0.0, flaws=0.0)
CHANGED = Augmentation(mirror=True, flaws=0.5)


def seen(batches: Batches, epoch: int) -> list[int]:
    """Return the photos of an epoch, in their order."""
    first = epoch * batches.steps_per_pass
    return [int(i) for batch in batches.of_steps(first, first + batches.steps_per_pass) for i in batch.indices]


def test_a_batch_holds_the_pixels_of_the_photos_that_it_names() -> None:
    for batch in Batches(PIXELS, TRAIN, UNCHANGED, seed=0).of_steps(0, 3):
        assert batch.pixels.dtype == np.uint8
        assert np.array_equal(batch.pixels, PIXELS[batch.indices])


def test_every_photo_comes_at_most_once_an_epoch_and_only_photos_to_learn_from() -> None:
    batches = Batches(PIXELS, TRAIN, UNCHANGED, seed=0)
    for epoch in range(4):
        photos = seen(batches, epoch)
        assert len(set(photos)) == len(photos) == 3 * BATCH
        assert set(photos) <= set(TRAIN)


def test_photos_that_fill_no_batch_of_their_own_have_their_turn_in_other_epochs() -> None:
    batches = Batches(PIXELS, TRAIN, UNCHANGED, seed=0)
    left_out = [set(TRAIN) - set(seen(batches, epoch)) for epoch in range(6)]
    assert {len(some) for some in left_out} == {100 - 3 * BATCH}
    assert not set.intersection(*left_out)


def test_every_epoch_and_every_seed_has_another_order() -> None:
    orders = [seen(Batches(PIXELS, TRAIN, UNCHANGED, seed), epoch) for seed in (0, 1) for epoch in range(3)]
    assert all(one != other for one, other in itertools.combinations(orders, 2))


def test_a_photo_looks_different_in_every_epoch() -> None:
    one = np.array([7])
    batches = Batches(NOISE, one, CHANGED, seed=0)
    first, second = batches.of_steps(0, 2)
    assert (first.indices, second.indices) == (one, one)
    assert not np.array_equal(first.pixels, second.pixels)


def test_the_same_photo_twice_in_a_batch_is_changed_in_two_ways() -> None:
    batch = next(Batches(NOISE, np.array([7, 7]), CHANGED, seed=0).of_steps(0, 1))
    assert not np.array_equal(*batch.pixels)


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (31, 1), (32, 1), (63, 1), (64, 2)])
def test_a_step_takes_32_photos_or_all_that_there_are(count: int, steps: int) -> None:
    batches = Batches(PIXELS, np.arange(count), UNCHANGED, seed=0)
    assert batches.steps_per_pass == steps
    assert {len(batch.indices) for batch in batches.of_steps(0, 2 * steps)} == {min(count, BATCH)}


@settings(deadline=None, max_examples=30)
@given(size=st.integers(1, 40), count=st.integers(1, 100), step=st.integers(0, 9))
def test_the_parts_of_all_members_together_are_the_batch_of_one(size: int, count: int, step: int) -> None:
    """They agree pixel for pixel, also if there are more members than photos."""
    indices = np.arange(count)
    whole = next(Batches(NOISE, indices, CHANGED, seed=3).of_steps(step, step + 1))
    pixels, places = np.zeros_like(whole.pixels), np.full(len(whole.indices), -1)
    for rank in range(size):
        part = next(Batches(NOISE, indices, CHANGED, seed=3, rank=rank, size=size).of_steps(step, step + 1))
        assert part.pixels.shape == (len(part.indices), 8, 8, 3)
        pixels[rank::size], places[rank::size] = part.pixels, part.indices
    assert np.array_equal(places, whole.indices)
    assert np.array_equal(pixels, whole.pixels)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 9))
def test_batches_from_any_step_on_are_those_of_the_start(first: int) -> None:
    whole = list(Batches(NOISE, TRAIN, CHANGED, seed=0).of_steps(0, 9))
    resumed = list(Batches(NOISE, TRAIN, CHANGED, seed=0).of_steps(first, 9))
    assert [batch.step for batch in resumed] == list(range(first, 9))
    for batch, again in zip(whole[first:], resumed, strict=True):
        assert np.array_equal(batch.indices, again.indices)
        assert np.array_equal(batch.pixels, again.pixels)


def test_going_back_in_steps_gives_the_same_batches_again() -> None:
    """After its timed steps, a training with a time budget goes back to the first."""
    batches = Batches(NOISE, TRAIN, CHANGED, seed=0)
    (first,) = batches.of_steps(0, 1)
    list(batches.of_steps(1, 7))
    (again,) = batches.of_steps(0, 1)
    assert np.array_equal(first.pixels, again.pixels)


def test_photos_on_disk_give_the_batches_of_photos_in_memory(tmp_path: Path) -> None:
    with Rows.create(tmp_path, len(NOISE), NOISE.shape[1:], np.uint8, "a test") as rows:
        rows.write_block(0, NOISE)
        on_disk = list(Batches(rows, TRAIN, CHANGED, seed=0).of_steps(0, 2))
    in_memory = list(Batches(NOISE, TRAIN, CHANGED, seed=0).of_steps(0, 2))
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(on_disk, in_memory, strict=True))


def test_the_photos_themselves_are_never_changed() -> None:
    before = NOISE.copy()
    list(Batches(NOISE, TRAIN, CHANGED, seed=0).of_steps(0, 3))
    assert np.array_equal(NOISE, before)


def test_pictures_are_altered_before_they_are_prepared() -> None:
    """Light that training adds must be taken away again by an equalization, as on the device."""
    dim = NOISE // 3 + 20
    spec = Preprocessing(
        channel_order="rgb", resize="squash", mean=(0.0,) * 3, std=(1.0,) * 3, preparation=("grey", "equalize")
    )
    rows = PreparedRows(dim, spec, [])
    lit = replace(UNCHANGED, light=0.3, offset=20.0)
    (batch,) = Batches(rows, TRAIN, lit, seed=0).of_steps(0, 1)
    assert (batch.pixels == batch.pixels[..., :1]).all()
    assert (batch.pixels.min(axis=(1, 2, 3)) == 0).all()
    assert (batch.pixels.max(axis=(1, 2, 3)) == 255).all()
    (again,) = Batches(rows, TRAIN, lit, seed=0).of_steps(0, 1)
    assert np.array_equal(again.pixels, batch.pixels)
