"""A camera that shows the very same picture again is found out; one that has nothing to show is not blamed."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import CameraError
from edge.worker.freshness import FreshnessGuard

Picture = NDArray[np.uint8]


def noise(seed: int) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)


def fresh(guard: FreshnessGuard, picture: Picture, now_s: float) -> bool:
    """Of a camera whose frames are as small as the model's input."""
    return guard.is_fresh(picture, picture.copy(), now_s)


def test_frames_that_differ_in_one_pixel_are_fresh() -> None:
    guard, picture = FreshnessGuard(2.0), noise(1)
    assert fresh(guard, picture, 0.0)
    for now_s in range(1, 100):
        picture = picture.copy()
        picture[4, 4, 1] += 1
        assert fresh(guard, picture, float(now_s))
    assert guard.repeated == 0


def test_a_repetition_is_left_out_and_counted() -> None:
    guard = FreshnessGuard(2.0)
    seen = [fresh(guard, noise(seed), seed / 10) for seed in (1, 1, 2, 2, 2, 3)]
    assert seen == [True, False, True, False, False, True]
    assert guard.repeated == 3


def test_repetition_for_too_long_is_a_frozen_camera() -> None:
    guard = FreshnessGuard(2.0)
    fresh(guard, noise(1), 0.0)
    for now_s in (0.1, 1.0, 2.0):
        assert not fresh(guard, noise(1), now_s)
    with pytest.raises(CameraError, match=r"very same picture for 2 s: frozen \(camera.frozen_s\)"):
        fresh(guard, noise(1), 2.1)


def test_a_new_picture_in_between_begins_the_count_anew() -> None:
    guard = FreshnessGuard(2.0)
    for now_s in range(20):
        fresh(guard, noise(now_s // 2), float(now_s))
    assert guard.repeated == 10


def test_zero_lets_repetition_last_for_ever() -> None:
    guard = FreshnessGuard(0.0)
    assert fresh(guard, noise(1), 0.0)
    assert not any(fresh(guard, noise(1), now_s * 1e3) for now_s in range(1, 10))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 20, 30)], ids=["dark", "white", "one colour"])
def test_one_colour_all_over_is_no_freeze(colour: tuple[int, int, int]) -> None:
    guard = FreshnessGuard(2.0)
    assert all(fresh(guard, np.full((8, 8, 3), colour, np.uint8), float(now_s)) for now_s in range(100))
    assert guard.repeated == 0


@pytest.mark.parametrize(("specks", "second"), [(4, True), (12, False)])
def test_hot_pixels_in_the_dark_are_no_freeze_but_a_small_thing_is(specks: int, second: bool) -> None:
    guard, picture = FreshnessGuard(2.0), np.zeros((32, 32, 3), np.uint8)
    picture[:specks, 0] = 200
    assert [fresh(guard, picture.copy(), 0.0) for _ in range(2)] == [True, second]


def test_memory_of_the_picture_may_be_used_again() -> None:
    guard, memory = FreshnessGuard(2.0), noise(1)
    assert fresh(guard, memory, 0.0)
    memory[:] = noise(2)
    assert fresh(guard, memory, 0.1)
    assert not fresh(guard, memory, 0.2)


def test_after_a_fault_the_first_picture_proves_nothing_until_another_follows() -> None:
    guard = FreshnessGuard(2.0, distrust=True)
    assert not fresh(guard, noise(1), 0.0)
    assert not fresh(guard, noise(1), 0.1)
    assert fresh(guard, noise(2), 0.2)
    assert guard.repeated == 1


def test_a_camera_that_was_opened_again_with_the_same_picture_is_still_frozen() -> None:
    guard = FreshnessGuard(0.5)
    fresh(guard, noise(1), 0.0)
    fresh(guard, noise(1), 0.1)
    with pytest.raises(CameraError):
        fresh(guard, noise(1), 1.0)
    # It is opened anew.
    assert not fresh(guard, noise(1), 2.0)
    with pytest.raises(CameraError):
        fresh(guard, noise(1), 2.5)
    # Again, and now it lives: only a second picture shows it.
    assert [fresh(guard, noise(seed), 3.0) for seed in (2, 3, 4)] == [False, True, True]


def test_noise_that_the_resize_rounds_away_is_life_all_the_same() -> None:
    """A clipped scene, with little left to tell its frames apart."""
    guard, resized = FreshnessGuard(2.0), noise(1)
    assert all(guard.is_fresh(resized, noise(seed), float(seed)) for seed in range(10))
    frozen = noise(9)
    assert not guard.is_fresh(resized, frozen.copy(), 10.0)
    with pytest.raises(CameraError, match="frozen"):
        guard.is_fresh(resized, frozen.copy(), 12.5)
