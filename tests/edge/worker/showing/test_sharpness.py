"""The figure by which a lens is set: the highest where it is sharp, whatever else changes."""

import cv2
import numpy as np
import pytest

from edge.records import Pixels
from edge.worker.showing.sharpness import Sharpness


def scene(width: int = 400, height: int = 300) -> Pixels:
    """Branches before a sky: lines of many directions and widths."""
    drawn = np.full((height, width, 3), 150, np.uint8)
    draw = np.random.default_rng(3)
    for _ in range(120):
        ends = draw.integers(0, [width, height], (2, 2))
        colour = [int(value) for value in draw.integers(20, 230, 3)]
        cv2.line(drawn, ends[0].tolist(), ends[1].tolist(), colour, int(draw.integers(1, 9)), cv2.LINE_AA)
    return drawn


def out_of_focus(image_bgr: Pixels, sigma: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(image_bgr, (0, 0), sigma), np.uint8)


def noisy(image_bgr: Pixels, deviation: float, seed: int = 5) -> Pixels:
    noise = np.random.default_rng(seed).normal(0, deviation, image_bgr.shape)
    return np.clip(image_bgr + noise, 0, 255).astype(np.uint8)


SIGMAS = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0)


def test_it_falls_with_each_step_out_of_focus() -> None:
    sharpness, sharp = Sharpness(), scene()
    figures = [sharpness.of(sharp), *(sharpness.of(out_of_focus(sharp, sigma)) for sigma in SIGMAS)]
    assert figures == sorted(figures, reverse=True)
    assert figures[2] < 0.7 * figures[0], "a blur of a pixel shows"


def test_it_does_so_in_a_sensors_noise() -> None:
    sharpness, sharp = Sharpness(), scene()
    figures = [sharpness.of(noisy(out_of_focus(sharp, sigma), 6.0)) for sigma in SIGMAS]
    assert figures[:5] == sorted(figures[:5], reverse=True)
    assert figures[0] > 2 * figures[4]


def test_the_cameras_own_exposure_hardly_moves_it() -> None:
    sharp = scene()
    darker = (sharp * 0.5).astype(np.uint8)
    sharpness = Sharpness()
    assert sharpness.of(darker) == pytest.approx(sharpness.of(sharp), rel=0.05)
    # A step out of focus moves it more.
    assert sharpness.of(out_of_focus(sharp, 1.0)) < 0.8 * sharpness.of(darker)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_nothing_is_not_sharp(value: int) -> None:
    assert Sharpness().of(np.full((40, 60, 3), value, np.uint8)) == 0.0


def test_noise_in_the_dark_is_not_taken_for_a_sharp_picture() -> None:
    dark = noisy(np.zeros((200, 200, 3), np.uint8), 2.0)
    assert Sharpness().of(dark) < 0.2 * Sharpness().of(scene())


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (3000, 30), (30, 3000)])
def test_a_part_of_any_size_is_measured(size: tuple[int, int]) -> None:
    assert Sharpness().of(np.zeros((*size, 3), np.uint8)) == 0.0


def test_of_a_large_part_the_middle_counts() -> None:
    large = np.full((1400, 1500, 3), 150, np.uint8)
    large[:100] = scene(1500, 100)
    assert Sharpness().of(large) == 0.0


def test_it_measures_parts_of_changing_size_and_a_part_of_a_frame() -> None:
    frame_bgr = scene()
    one = Sharpness()
    parts = [frame_bgr[20:120, 30:180], frame_bgr[:50, :50], frame_bgr[20:120, 30:180]]
    assert [one.of(part) for part in parts] == [Sharpness().of(part.copy()) for part in parts]
