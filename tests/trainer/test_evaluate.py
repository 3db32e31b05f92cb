"""Figures measured through the device's own runtime and scores."""

import numpy as np
import pytest

from edge.bundle.manifest import Calibration, OutputTensor, Quantization
from trainer.evaluate import TEMPERATURES, fit_temperature, top1
from trainer.predict import log_loss

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


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 3.0])
def test_a_known_temperature_is_found_again(temperature):
    outputs, labels = outputs_that_mean(temperature)
    assert fit_temperature(outputs, labels, OUTPUT) == pytest.approx(temperature, rel=0.07)


def test_the_temperature_stays_within_the_range_that_is_searched():
    """Always right at the lower end, never right at the upper one."""
    outputs = [raw(100, 0, 0, 0)] * 8
    assert fit_temperature(outputs, np.zeros(8, np.int64), OUTPUT) == TEMPERATURES[0] == 0.25
    assert fit_temperature(outputs, np.ones(8, np.int64), OUTPUT) == TEMPERATURES[-1] == 4.0


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


def test_log_loss_is_the_mean_negative_log_likelihood():
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
    assert log_loss(logits, np.array([0, 2])) == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)


def test_log_loss_does_not_overflow():
    assert log_loss(np.array([[1e4, 0.0]]), np.array([1])) == pytest.approx(1e4)
