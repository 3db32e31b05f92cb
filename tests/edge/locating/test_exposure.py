"""The line from the background's light to a frame's, whatever moves in it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.locating.exposure import Exposure, Floats

SAMPLES = 768


def scene(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).uniform(30, 160, SAMPLES).astype(np.float32)


def noise(deviation: float, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0, deviation, SAMPLES).astype(np.float32)


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 0.0), (0.6, 0.0), (1.4, 5.0), (1.0, 30.0), (0.8, -10.0)])
def test_a_step_of_the_light_is_found_in_one_frame(gain: float, offset: float) -> None:
    exposure, background = Exposure(), scene()
    assert exposure.fit(gain * background + offset + noise(1.0), background)
    assert exposure.gain == pytest.approx(gain, abs=0.03)
    assert exposure.offset == pytest.approx(offset, abs=3.0)


def test_a_thing_that_covers_a_third_of_the_frame_does_not_bend_it() -> None:
    exposure, background = Exposure(), scene()
    seen = 0.7 * background + noise(1.0)
    seen[: SAMPLES // 3] = 240
    assert exposure.fit(seen, background)
    assert exposure.gain == pytest.approx(0.7, abs=0.03)


def test_another_scene_fits_no_line() -> None:
    assert not Exposure().fit(scene(7), scene())


def test_a_wall_of_one_brightness_has_an_offset_and_no_wild_gain() -> None:
    exposure = Exposure()
    assert exposure.fit(140 + noise(1.0), np.full(SAMPLES, 100, np.float32) + noise(0.5, 2))
    assert exposure.gain * 100 + exposure.offset == pytest.approx(140, abs=2)


def test_the_noise_of_a_sensor_is_learned() -> None:
    exposure, background = Exposure(), scene()
    for number in range(60):
        exposure.fit(background + noise(3.0, number), background)
    assert exposure.noise == pytest.approx(3.0, rel=0.15)


@given(
    seen=arrays(np.float32, SAMPLES, elements=st.floats(0, 255, width=32)),
    background=arrays(np.float32, SAMPLES, elements=st.floats(0, 255, width=32)),
)
def test_any_samples_give_numbers(seen: Floats, background: Floats) -> None:
    exposure = Exposure()
    exposure.fit(seen, background)
    assert 0.125 <= exposure.gain <= 8
    assert np.isfinite([exposure.offset, exposure.noise]).all()
