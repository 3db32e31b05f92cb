"""Raw output becomes scores, checked with numbers computed by hand at both ends of the range."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bundle.manifest import Calibration, OutputTensor, Quantization
from edge.errors import EngineError
from edge.postprocess import dequantize, to_scores, top_k
from edge.records import Scores


def output(dtype: str, scale: float, zero_point: int, activation: str = "logits", classes: int = 3) -> OutputTensor:
    quantization = Quantization(scale=scale, zero_point=zero_point)
    return OutputTensor(classes=classes, dtype=dtype, quantization=quantization, activation=activation)


@pytest.mark.parametrize(
    ("dtype", "raw", "scale", "zero_point", "expected"),
    [
        ("int8", [-128, 0, 127], 0.5, -128, [0.0, 64.0, 127.5]),
        ("int8", [-128, 0, 127], 0.1, 27, [-15.5, -2.7, 10.0]),
        ("uint8", [0, 128, 255], 1 / 256, 0, [0.0, 0.5, 255 / 256]),
    ],
)
def test_dequantization(dtype: str, raw: list[int], scale: float, zero_point: int, expected: list[float]) -> None:
    values = dequantize(np.array([raw], dtype), output(dtype, scale, zero_point))
    assert values.dtype == np.float32
    assert values == pytest.approx(expected, rel=1e-6)


def test_logits_go_through_softmax_at_the_temperature() -> None:
    raw = np.array([[0, 10, 20]], np.int8)
    cold = to_scores(raw, output("int8", 0.1, 0), Calibration()).values
    assert cold == pytest.approx(np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum(), rel=1e-6)
    warm = to_scores(raw, output("int8", 0.1, 0), Calibration(temperature=2.0)).values
    assert warm == pytest.approx(np.exp([0, 0.5, 1]) / np.exp([0, 0.5, 1]).sum(), rel=1e-6)


def test_each_class_has_a_bias() -> None:
    raw = np.array([[0, 10, 20]], np.int8)
    values = to_scores(raw, output("int8", 0.1, 0), Calibration(temperature=2.0, bias=(1.5, 0.0, -0.5))).values
    assert values == pytest.approx(np.exp([1.5, 0.5, 0.5]) / np.exp([1.5, 0.5, 0.5]).sum(), rel=1e-6)
    spec = output("uint8", 1 / 256, 0, "probabilities")
    values = to_scores(np.array([[64, 64, 128]], np.uint8), spec, Calibration(bias=(0.0, float(np.log(3)), 0.0))).values
    assert values == pytest.approx([1 / 6, 3 / 6, 2 / 6], rel=1e-6)


def test_probabilities_are_taken_as_they_are() -> None:
    spec = output("uint8", 1 / 256, 0, "probabilities")
    values = to_scores(np.array([[0, 64, 192]], np.uint8), spec, Calibration()).values
    assert values.tolist() == [0.0, 0.25, 0.75]


def test_probabilities_can_be_recalibrated() -> None:
    spec = output("uint8", 1 / 256, 0, "probabilities")
    values = to_scores(np.array([[0, 64, 192]], np.uint8), spec, Calibration(temperature=2.0)).values
    assert values.sum() == pytest.approx(1.0)
    assert values[2] / values[1] == pytest.approx(3**0.5, rel=1e-5)


@pytest.mark.parametrize("raw", [np.zeros((1, 2), np.int8), np.zeros((1, 3), np.uint8), np.zeros((1, 3), np.float32)])
def test_an_output_of_another_kind_is_refused(raw: np.ndarray) -> None:
    with pytest.raises(EngineError, match="promises 3 values of int8"):
        to_scores(raw, output("int8", 0.1, 0), Calibration())


def test_scores_that_are_not_finite_never_leave() -> None:
    with pytest.raises(EngineError, match="not finite"), np.errstate(all="ignore"):
        to_scores(np.array([[0, 1, 127]], np.int8), output("int8", 1e38, 0), Calibration())


@given(st.lists(st.integers(-128, 127), min_size=2, max_size=40), st.floats(0.001, 2.0), st.floats(0.05, 20))
def test_scores_are_finite_and_sum_to_one(raw: list[int], scale: float, temperature: float) -> None:
    spec = output("int8", scale, 0, classes=len(raw))
    values = to_scores(np.array(raw, np.int8), spec, Calibration(temperature=temperature)).values
    assert np.isfinite(values).all()
    assert values.sum() == pytest.approx(1.0, abs=1e-4)
    assert values[int(np.argmax(raw))] == values.max()


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=30), st.integers(1, 40))
def test_top_k_is_a_stable_sort(values: list[float], k: int) -> None:
    labels = tuple(f"c{i}" for i in range(len(values)))
    best = top_k(Scores(np.array(values, np.float32)), labels, k)
    expected = sorted(range(len(values)), key=lambda i: (-np.float32(values[i]), i))[:k]
    assert [c.score for c in best] == pytest.approx([values[i] for i in expected], abs=1e-6)
    if len(set(values)) == len(values):
        assert [c.label for c in best] == [labels[i] for i in expected]
