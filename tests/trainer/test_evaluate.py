"""Figures measured through the device's own runtime and scores."""

import numpy as np
import pytest

from edge.bundle.manifest import Calibration, OutputTensor, Quantization
from trainer.evaluate import TEMPERATURES, best_temperature, logits_of, run_int8, top1
from trainer.rows import Rows

OUTPUT = OutputTensor(classes=4, dtype="int8", quantization=Quantization(scale=0.1, zero_point=5), activation="logits")
UNCALIBRATED = Calibration()


def raw(*values: int) -> np.ndarray:
    """An output tensor as the runtime hands it over."""
    return np.array([values], np.int8)


def outputs_that_mean(temperature: float, count: int = 4000) -> tuple[list[np.ndarray], np.ndarray]:
    """int8 logits, and labels drawn from softmax(logits / temperature)."""
    rng = np.random.default_rng(0)
    quantized = rng.integers(-60, 60, (count, 1, 4)).astype(np.int8)
    logits = (quantized[:, 0].astype(float) - 5) * 0.1 / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    steps = (odds / odds.sum(axis=1, keepdims=True)).cumsum(axis=1)
    labels = (rng.random((count, 1)) > steps).sum(axis=1).clip(0, 3)
    return list(quantized), labels


def certain(margin: float, count: int) -> np.ndarray:
    """Logits of so many photos, (count, 4): the first class leads by `margin`."""
    return np.tile(np.array([margin, 0, 0, 0], np.float32), (count, 1))


# The outputs


class Sums:
    """In place of a classifier: each output is the sum of the input, counted in hundreds."""

    def load(self, fill):
        self.memory = np.zeros((1, 32, 32, 3), np.int8)
        fill(self.memory)

    def invoke(self):
        return np.array([[int(self.memory.astype(int).sum()) // 100]])


@pytest.mark.parametrize("on_disk", [False, True])
def test_every_photo_is_quantized_as_on_the_device_and_run_in_order(spec, tensor, tmp_path, on_disk):
    """A level of 0..255 becomes level - 128 (scale 1/127.5, zero point -1)."""
    pixels = np.repeat(np.array([0, 100, 128, 255], np.uint8), 32 * 32 * 3).reshape(4, 32, 32, 3)
    steps = []
    with Rows.create(tmp_path, 4, (32, 32, 3), np.uint8, "a test") as rows:
        rows.write_block(0, pixels)
        source = rows if on_disk else pixels
        outputs = run_int8(Sums(), spec, tensor, source, np.array([3, 0, 1]), steps.append)
    assert [int(output[0, 0]) for output in outputs] == [(level - 128) * 3072 // 100 for level in (255, 0, 100)]
    assert steps == [1, 1, 1]


def test_logits_are_the_dequantized_outputs():
    found = logits_of([raw(-128, 127, 5, 6), raw(0, 0, 0, 0)], OUTPUT)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[-13.3, 12.2, 0, 0.1], [-0.5] * 4]), abs=1e-5)


def test_top1_is_the_share_of_best_scores_that_are_right():
    outputs = [raw(9, 1, 1, 1), raw(1, 9, 1, 1), raw(1, 1, 9, 1), raw(1, 1, 1, 9), raw(-128, -127, -128, -128)]
    assert top1(outputs, np.array([0, 1, 2, 3, 1]), OUTPUT, UNCALIBRATED) == 1.0
    assert top1(outputs, np.array([0, 1, 0, 0, 0]), OUTPUT, UNCALIBRATED) == pytest.approx(0.4)


def test_the_temperature_does_not_change_which_class_is_best():
    outputs, labels = outputs_that_mean(1.0, count=200)
    plain = top1(outputs, labels, OUTPUT, UNCALIBRATED)
    assert 0.3 < plain < 1
    for temperature in (0.25, 3.7):
        assert top1(outputs, labels, OUTPUT, Calibration(temperature=temperature)) == plain


# The temperature


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 2.0, 5.0])
def test_a_known_temperature_is_found_again(temperature):
    outputs, labels = outputs_that_mean(temperature)
    assert best_temperature(logits_of(outputs, OUTPUT), labels) == pytest.approx(temperature, rel=0.08)


def test_temperatures_are_tried_between_a_tenth_and_ten_in_even_steps():
    assert (TEMPERATURES[0], TEMPERATURES[-1]) == pytest.approx((0.1, 10))
    assert TEMPERATURES[1:] / TEMPERATURES[:-1] == pytest.approx(np.full(240, 1.0194), abs=1e-4)


@pytest.mark.parametrize(("photos", "score"), [(8, 0.9), (18, 0.95), (98, 0.99)])
def test_photos_that_are_all_answered_rightly_do_not_ask_for_scores_of_one(photos, score):
    """One more is counted in which the answer was wrong: of 8, the share is 9 in 10."""
    temperature = best_temperature(certain(10, photos), np.zeros(photos, np.int64))
    odds = np.exp(10 / temperature)
    assert odds / (odds + 3) == pytest.approx(score, abs=0.005)


def test_answers_that_are_never_right_ask_for_even_scores():
    assert best_temperature(certain(10, 8), np.ones(8, np.int64)) == 10.0


def test_small_logits_that_are_always_right_ask_for_the_lowest_temperature():
    assert best_temperature(certain(0.1, 8), np.zeros(8, np.int64)) == 0.1


def test_two_classes_have_a_temperature_too():
    """9 of 10: ln 9 apart."""
    logits = certain(5, 8)[:, :2]
    assert best_temperature(logits, np.zeros(8, np.int64)) == pytest.approx(5 / np.log(9), rel=0.02)


def test_scaling_the_logits_scales_the_temperature():
    outputs, labels = outputs_that_mean(1.0)
    logits = logits_of(outputs, OUTPUT)
    assert best_temperature(3 * logits, labels) == pytest.approx(3 * best_temperature(logits, labels), rel=0.02)


def test_huge_logits_do_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        assert best_temperature(certain(1e30, 8), np.ones(8, np.int64)) == 10.0
