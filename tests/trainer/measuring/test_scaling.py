"""Figures measured through the device's own runtime and scores."""

from pathlib import Path

import numpy as np
import pytest

from edge.bundle.manifest import InputTensor, OutputTensor, Preprocessing, Quantization
from trainer.dataset.rows import Rows
from trainer.measuring.int8_model import logits_of, run_int8
from trainer.measuring.scaling import BIAS_SIGMA, MOST_BIAS, TEMPERATURES, Scaling, best_scaling, best_temperature

OUTPUT = OutputTensor(classes=4, dtype="int8", quantization=Quantization(scale=0.1, zero_point=5), activation="logits")


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

    def load(self, tensor: np.ndarray) -> None:
        assert (tensor.shape, tensor.dtype) == ((1, 32, 32, 3), np.int8)
        self.memory = tensor

    def invoke(self) -> np.ndarray:
        return np.array([[int(self.memory.astype(int).sum()) // 100]])


@pytest.mark.parametrize("on_disk", [False, True])
def test_every_photo_is_quantized_as_on_the_device_and_run_in_order(
    spec: Preprocessing, tensor: InputTensor, tmp_path: Path, on_disk: bool
) -> None:
    """A level of 0..255 becomes level - 128 (scale 1/127.5, zero point -1)."""
    pixels = np.repeat(np.array([0, 100, 128, 255], np.uint8), 32 * 32 * 3).reshape(4, 32, 32, 3)
    steps = []
    with Rows.create(tmp_path, 4, (32, 32, 3), np.uint8, "a test") as rows:
        rows.write_block(0, pixels)
        source = rows if on_disk else pixels
        outputs = run_int8(Sums(), spec, tensor, source, np.array([3, 0, 1]), steps.append)
    assert [int(output[0, 0]) for output in outputs] == [(level - 128) * 3072 // 100 for level in (255, 0, 100)]
    assert steps == [1, 1, 1]


def test_logits_are_the_dequantized_outputs() -> None:
    found = logits_of([raw(-128, 127, 5, 6), raw(0, 0, 0, 0)], OUTPUT)
    assert found.dtype == np.float32
    assert found == pytest.approx(np.array([[-13.3, 12.2, 0, 0.1], [-0.5] * 4]), abs=1e-5)


def test_the_temperature_does_not_change_which_class_is_best() -> None:
    outputs, _ = outputs_that_mean(1.0, count=200)
    logits = logits_of(outputs, OUTPUT)
    for temperature in (0.25, 1.0, 3.7):
        assert np.array_equal(Scaling(temperature).scores(logits).argmax(axis=1), logits.argmax(axis=1))


# The temperature


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 2.0, 5.0])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    outputs, labels = outputs_that_mean(temperature)
    assert best_temperature(logits_of(outputs, OUTPUT), labels) == pytest.approx(temperature, rel=0.08)


def test_temperatures_are_tried_between_a_tenth_and_ten_in_even_steps() -> None:
    assert (TEMPERATURES[0], TEMPERATURES[-1]) == pytest.approx((0.1, 10))
    assert TEMPERATURES[1:] / TEMPERATURES[:-1] == pytest.approx(np.full(240, 1.0194), abs=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_no_temperature_is_more_likely(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 10 ** rng.uniform(-1, 1), (60, 4)).astype(np.float32)
    labels = np.where(rng.random(60) < 0.6, logits.argmax(axis=1), rng.integers(0, 4, 60))
    found = best_temperature(logits, labels)

    def loss(temperature: float) -> float:
        scores = Scaling(temperature).scores(logits.astype(np.float64)) * (1 - 1e-12) + 1e-13
        right = np.log(scores[np.arange(60), labels])
        others = (np.log(scores).sum(axis=1) - right) / 3
        return -((1 - 0.5 / 61) * right + 0.5 / 61 * others).mean()

    assert loss(found) <= min(map(loss, TEMPERATURES)) + 1e-6


@pytest.mark.parametrize(("photos", "score"), [(8, 0.944), (18, 0.974), (98, 0.995)])
def test_photos_that_are_all_answered_rightly_do_not_ask_for_scores_of_one(photos: int, score: float) -> None:
    """Half a photo more is counted in which the answer was wrong: of 8, the share is 8.5 in 9."""
    temperature = best_temperature(certain(10, photos), np.zeros(photos, np.int64))
    odds = np.exp(10 / temperature)
    assert odds / (odds + 3) == pytest.approx(score, abs=0.005)


def test_answers_that_are_never_right_ask_for_even_scores() -> None:
    assert best_temperature(certain(10, 8), np.ones(8, np.int64)) == 10.0


def test_small_logits_that_are_always_right_ask_for_the_lowest_temperature() -> None:
    assert best_temperature(certain(0.1, 8), np.zeros(8, np.int64)) == 0.1


def test_two_classes_have_a_temperature_too() -> None:
    """8.5 of 9: ln 17 apart."""
    logits = certain(5, 8)[:, :2]
    assert best_temperature(logits, np.zeros(8, np.int64)) == pytest.approx(5 / np.log(17), rel=0.02)


def test_scaling_the_logits_scales_the_temperature() -> None:
    outputs, labels = outputs_that_mean(1.0)
    logits = logits_of(outputs, OUTPUT)
    assert best_temperature(3 * logits, labels) == pytest.approx(3 * best_temperature(logits, labels), rel=0.02)


def test_huge_logits_do_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        assert best_temperature(certain(1e30, 8), np.ones(8, np.int64)) == 10.0


# Temperature and biases


def biased(bias: tuple[float, ...], count: int = 6000, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from softmax(logits + bias)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, len(bias))).astype(np.float32)
    scores = Scaling(1.0, bias).scores(logits)
    return logits, (scores.cumsum(axis=1) < rng.random(count)[:, None]).sum(axis=1).clip(0, len(bias) - 1)


def test_known_biases_are_found_again() -> None:
    scaling = best_scaling(*biased((0.6, 0.0, -0.6, 0.0)))
    assert scaling.temperature == pytest.approx(1.0, rel=0.08)
    assert scaling.bias == pytest.approx((0.6, 0.0, -0.6, 0.0), abs=0.12)


def test_with_biases_scores_are_the_shares_of_a_class() -> None:
    logits, labels = biased((0.6, 0.0, -0.6, 0.0))
    shares = np.bincount(labels, minlength=4) / len(labels)
    assert Scaling(1.0).scores(logits).mean(axis=0) != pytest.approx(shares, abs=0.03)
    assert best_scaling(logits, labels).scores(logits).mean(axis=0) == pytest.approx(shares, abs=0.01)


def test_a_sound_network_keeps_its_answers() -> None:
    logits, labels = biased((0.0, 0.0, 0.0, 0.0))
    scaling = best_scaling(logits, labels)
    assert np.abs(scaling.bias).max() < 0.1
    assert (scaling.scores(logits).argmax(axis=1) == logits.argmax(axis=1)).mean() > 0.98


@pytest.mark.parametrize("photos", [1, 2, 6])
def test_few_photos_hardly_move_a_class(photos: int) -> None:
    scaling = best_scaling(certain(0.1, photos), np.ones(photos, np.int64))
    assert np.abs(scaling.bias).max() <= BIAS_SIGMA**2 * photos + 1e-3


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
@pytest.mark.parametrize("label", [0, 1])
def test_there_is_a_scaling_for_whatever_a_network_says(value: float, label: int) -> None:
    logits = certain(value, 8)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        scores = best_scaling(logits, np.full(8, label, np.int64)).scores(logits)
    assert np.isfinite(scores).all()
    assert scores.sum(axis=1) == pytest.approx(np.ones(8))


def test_a_bundle_takes_the_biases_of_a_network_that_is_always_wrong() -> None:
    scaling = best_scaling(certain(1e30, 5000), np.ones(5000, np.int64))
    assert np.abs(scaling.bias).max() <= MOST_BIAS


@pytest.mark.slow
def test_a_thousand_classes_are_no_burden() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 1, (3000, 1000)).astype(np.float32)
    scaling = best_scaling(logits, rng.integers(0, 1000, 3000))
    assert len(scaling.bias) == 1000
    assert scaling.temperature == 10.0  # it knows nothing
