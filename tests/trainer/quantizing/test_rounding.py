"""Weights on the int8 grid: rounding errors that cancel in what a layer puts out."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge.bundle.manifest import Preprocessing
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from trainer.learning.predict import Predictor
from trainer.measuring.int8_model import logits_of, run_int8, tensors_of
from trainer.native_output import load_tensorflow
from trainer.quantizing.convert import finish, observe_ranges
from trainer.quantizing.rounding import LEVELS, round_table, round_weights

ALIKE = np.array([[[0, 0, 0], [0, 1, 1], [0, 1, 1]]], float)  # the last two inputs are always equal
OPPOSED = np.array([[[0, 0, 0], [0, 1, -1], [0, -1, 1]]], float)
UNRELATED = np.array([[[0, 0, 0], [0, 1, 0], [0, 0, 1]]], float)


def column(*weights: float) -> np.ndarray:
    """The weights of one output: (1, inputs, 1)."""
    return np.array(weights)[None, :, None]


def plain(table: np.ndarray) -> np.ndarray:
    """Every weight to the nearest step of its own output."""
    step = np.abs(table).max(axis=1, keepdims=True) / LEVELS
    return np.round(table / np.maximum(step, 1e-12)) * step


def output_error(change: np.ndarray, moments: np.ndarray) -> float:
    """Mean square change of all outputs, where `change` is added to the weights."""
    return float(np.einsum("bim,bij,bjm->", change, moments, change))


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        (ALIKE, [0.10, 0.11]),  # 0.208 together: to the nearest each, they would come to 0.20
        (OPPOSED, [0.10, 0.10]),  # they cancel: two errors alike do no harm
        (UNRELATED, [0.10, 0.10]),
    ],
    ids=["alike", "opposed", "unrelated"],
)
def test_an_error_is_made_up_for_by_the_next_weight_if_their_inputs_are_alike(
    moments: list[list[float]], expected: list[float]
) -> None:
    """The largest weight, 1.27, makes the step 0.01."""
    rounded = round_table(column(1.27, 0.104, 0.104), moments, per_tensor=False)
    assert rounded[0, :, 0] == pytest.approx([1.27, *expected])


def test_where_inputs_are_opposed_both_weights_may_move_together() -> None:
    """0.104 x - 0.097 x is 0.007 x: to the nearest each, 0.10 and 0.10 would leave nothing of it."""
    rounded = round_table(column(1.27, 0.104, 0.097), OPPOSED, per_tensor=False)[0, :, 0]
    assert rounded[1] - rounded[2] == pytest.approx(0.01)


def test_the_input_that_matters_most_is_rounded_first_and_the_weaker_one_makes_up_for_it() -> None:
    """The second input is a tenth of the third: it takes ten times the third's error of 0.004, over."""
    moments = np.array([[[0, 0, 0], [0, 0.01, 0.1], [0, 0.1, 1]]], float)
    rounded = round_table(column(1.27, 0.5, 0.104), moments, per_tensor=False)[0, :, 0]
    assert rounded[2] == pytest.approx(0.10)
    assert 0.51 <= rounded[1] <= 0.54


def test_outputs_have_a_step_each_or_one_for_all() -> None:
    table = np.array([[[1.27, 12.7], [0.013, 0.13]]])
    moments = np.eye(2)[None]
    each = round_table(table, moments, per_tensor=False)
    assert each == pytest.approx(np.array([[[1.27, 12.7], [0.01, 0.1]]]))
    together = round_table(table, moments, per_tensor=True)
    assert together == pytest.approx(np.array([[[1.3, 12.7], [0.0, 0.1]]]))


def test_an_output_without_weights_stays_without() -> None:
    table = np.array([[[0.0, 1.0], [0.0, 0.3]]])
    rounded = round_table(table, np.ones((1, 2, 2)), per_tensor=False)
    assert np.array_equal(rounded[0, :, 0], [0, 0])
    assert np.isfinite(rounded).all()


@st.composite
def tables(draw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Weights (groups, inputs, outputs), dead ones among them, and the mean products of some inputs."""
    groups, inputs, outputs = draw(st.tuples(*[st.integers(1, 3), st.integers(1, 9), st.integers(1, 4)]))
    values = st.floats(-8, 8).map(lambda value: 0.0 if abs(value) < 1e-3 else value)
    table = draw(arrays(np.float64, (groups, inputs, outputs), elements=values))
    seen = np.random.default_rng(draw(st.integers(0, 999))).normal(0, 1, (groups, inputs, draw(st.integers(1, 20))))
    return table, seen @ seen.transpose(0, 2, 1) / seen.shape[2]


@settings(deadline=None)
@given(tables(), st.booleans())
def test_every_weight_is_a_step_of_the_grid_and_the_largest_stays_as_it_is(
    drawn: tuple[np.ndarray, np.ndarray], per_tensor: bool
) -> None:
    table, moments = drawn
    rounded = round_table(table, moments, per_tensor=per_tensor)
    largest = np.abs(table).max(axis=None if per_tensor else 1, keepdims=True)
    levels = rounded / np.where(largest > 0, largest / LEVELS, 1)
    assert levels == pytest.approx(np.round(levels), abs=1e-6)
    assert np.abs(levels).max() <= LEVELS + 1e-6
    top = np.abs(table) == largest
    assert rounded[top] == pytest.approx(table[top], rel=1e-9)


def test_outputs_change_less_than_by_rounding_each_weight() -> None:
    """Not for every table, but by far for forty whose inputs are as alike as neighbouring pixels."""
    rng = np.random.default_rng(0)
    this = nearest = 0.0
    for _ in range(40):
        seen = rng.normal(0, 1, (2, 9, 200)) + 2 * rng.normal(0, 1, (2, 1, 200))
        moments = seen @ seen.transpose(0, 2, 1) / 200
        table = rng.normal(0, 1, (2, 9, 4))
        this += output_error(round_table(table, moments, per_tensor=False) - table, moments)
        nearest += output_error(plain(table) - table, moments)
    assert this < nearest / 2


# A whole network


REPRESENTATIVE, HELD_OUT = np.arange(0, 40, 2), np.arange(1, 40, 2)


def int8_logits(ranged: bytes, spec: Preprocessing, pictures: np.ndarray) -> np.ndarray:
    classifier = TfliteClassifier(load_runtime(), finish(ranged))
    tensor, output = tensors_of(classifier)
    return logits_of(run_int8(classifier, spec, tensor, pictures, HELD_OUT, lambda _: None), output)


@pytest.fixture(scope="module")
def rounded(spec: Preprocessing, pictures: np.ndarray, untrained: Callable[..., Any]) -> SimpleNamespace:
    """A folded MobileNetV2 before and after: what it answers as float, and as int8 with and without."""
    load_tensorflow()
    model = untrained("mobilenet_v2", 0.35, pictures)
    expected = Predictor(model, spec).predict(pictures, HELD_OUT)
    before = model.get_weights()
    without = int8_logits(observe_ranges(model, spec, pictures, REPRESENTATIVE), spec, pictures)
    steps = []
    round_weights(model, spec, pictures, REPRESENTATIVE, steps.append)
    ranged = observe_ranges(model, spec, pictures, REPRESENTATIVE)
    return SimpleNamespace(
        model=model,
        before=before,
        expected=expected,
        steps=steps,
        as_float=Predictor(model, spec).predict(pictures, HELD_OUT),
        without=without,
        with_rounding=int8_logits(ranged, spec, pictures),
        tflite=finish(ranged),
    )


def test_a_rounded_network_answers_more_like_its_float_self_on_photos_not_seen(rounded: SimpleNamespace) -> None:
    def error(logits: np.ndarray) -> float:
        return float(np.square(logits - rounded.expected).mean())

    assert error(rounded.with_rounding) < error(rounded.without)


def test_every_representative_photo_is_counted(rounded: SimpleNamespace) -> None:
    assert sum(rounded.steps) == len(REPRESENTATIVE)


def keras_kernels(model: Any) -> list[np.ndarray]:
    """The weights of all convolutions and dense layers, in TFLite's order of axes."""
    axes = {"Conv2D": (3, 0, 1, 2), "DepthwiseConv2D": (3, 0, 1, 2), "Dense": (1, 0)}
    layers = [layer for layer in model.layers if type(layer).__name__ in axes]
    return [layer.get_weights()[0].transpose(axes[type(layer).__name__]) for layer in layers]


def stored_kernels(tflite: bytes) -> list[np.ndarray]:
    """The same ones as the file has them: whole numbers times scales."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        weights = graph.tensors[operator.inputs[1]] if len(operator.inputs) == 3 else None
        if weights is not None:
            levels = np.asarray(model.buffers[weights.buffer].data).view(np.int8).reshape(weights.shape)
            scales = np.asarray(weights.quantization.scale, np.float64)
            axis = [1] * len(weights.shape)
            axis[weights.quantization.quantizedDimension] = len(scales)
            found.append(levels * scales.reshape(axis))
    return found


def test_the_converter_finds_every_weight_on_the_grid_that_it_chooses(rounded: SimpleNamespace) -> None:
    """So that it moves none of them: what was made up for stays made up for."""
    kernels, stored = keras_kernels(rounded.model), stored_kernels(rounded.tflite)
    assert len(kernels) == len(stored) == 53  # 17 blocks of three, less one expansion, and three others
    for kernel, found in zip(kernels, stored, strict=True):
        np.testing.assert_allclose(found, kernel, rtol=1e-5, atol=1e-6 * np.abs(kernel).max())


def test_the_largest_weight_of_each_channel_is_still_the_largest(rounded: SimpleNamespace) -> None:
    for weights, kernel in zip(rounded.before[0::2], rounded.model.get_weights()[0::2], strict=True):
        axes = {4: (0, 1, 2), 2: (0, 1)}[weights.ndim] if weights.shape[-1] != 1 else (0, 1)
        assert np.abs(kernel).max(axis=axes) == pytest.approx(np.abs(weights).max(axis=axes), rel=1e-5)
