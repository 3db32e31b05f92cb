"""A model with another last layer computes what the numbers of that layer say, in every runtime."""

from pathlib import Path

import numpy as np
import pytest
from handmade_models import classifier
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.importing.feature_tensor import with_features_as_output
from edge.inference.runtime import TfliteRuntime
from edge.inference.tflite import TfliteClassifier
from edge.teaching.last_layer import LastLayer, read_last_layer
from edge.teaching.rewriting import NewLayer, with_last_layer

# A layer that is fully connected or a convolution of 1x1; weights of one scale, and of one a class; int8 and uint8.
REAL = (
    "mobilenet_v1_0.25_128_quant.tflite",
    "mobilenet_v2_1.0_224_inat_bird_quant.tflite",
    "tf2_mobilenet_v2_1.0_224_ptq.tflite",
    "keras_lstm_mnist_ptq.tflite",
)
ENDINGS = ((), ("SOFTMAX",), ("RESHAPE",), ("RESHAPE", "SOFTMAX"), ("SOFTMAX", "RESHAPE"))


def answer(runtime: TfliteRuntime, model: bytes, seed: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """What a model returns for a picture of noise, as real numbers."""
    classifier_ = TfliteClassifier(runtime, model)
    given_, result = classifier_.inputs[0], classifier_.outputs[0]
    pixels = np.random.default_rng(seed).integers(0, 256, given_.shape).astype(np.uint8)
    classifier_.load(pixels.view(np.dtype(given_.dtype)))
    raw = classifier_.invoke().reshape(-1).astype(np.float64)
    return (raw - result.zero_point) * result.scale


def grown(layer: LastLayer, *, by: int = 1, share: float = 1.0) -> NewLayer:
    """The layer with copies of its first row behind it; with `share`, more or less of it."""
    weights = np.concatenate([layer.weights, np.repeat(layer.weights[:1] * share, by, axis=0)])
    bias = np.concatenate([layer.bias, np.repeat(layer.bias[:1] * share, by)])
    return NewLayer(weights, bias, np.arange(len(bias)) >= layer.classes, -1.0, 1.0)


@pytest.mark.parametrize("ending", ENDINGS, ids=" ".join)
def test_old_classes_answer_as_before_and_a_copied_row_like_its_original(
    each_runtime: TfliteRuntime, ending: tuple[str, ...]
) -> None:
    model = classifier(ending=ending)
    taught = with_last_layer(model, layer := read_last_layer(model), grown(layer, by=2))
    for seed in range(3):
        before, after = answer(each_runtime, model, seed), answer(each_runtime, taught, seed)
        assert len(after) == len(before) + 2
        assert after[-1] == after[-2] == after[0]
        if not ending:
            assert np.array_equal(before, after[:3])


@pytest.mark.parametrize("name", REAL)
def test_real_models_of_every_kind_can_grow(each_runtime: TfliteRuntime, shared: Path, name: str) -> None:
    model = (shared / "models" / name).read_bytes()
    taught = with_last_layer(model, layer := read_last_layer(model), grown(layer))
    before, after = answer(each_runtime, model, 0), answer(each_runtime, taught, 0)
    assert len(after) == len(before) + 1
    assert abs(after[-1] - after[0]) < 0.01
    assert np.abs(after[:-1] - before).max() < 0.02  # the new class takes its share of the probability
    again = read_last_layer(taught)
    assert np.array_equal(again.stored[:-1], layer.stored)
    assert np.array_equal(again.stored_bias[:-1], layer.stored_bias)


def test_the_answer_is_that_of_the_real_numbers(each_runtime: TfliteRuntime) -> None:
    """Rows larger than all before, and outputs beyond the old range, both of which need new scales."""
    model = classifier(ending=())
    layer = read_last_layer(model)
    weights, bias = layer.weights[[0, 1, 2, 0]] * [[1], [2], [-1.5], [3]], np.array([1.0, -4.0, 9.0, 0.0])
    taught = with_last_layer(model, layer, NewLayer(weights, bias, np.ones(4, bool), -90.0, 90.0))
    features = answer(each_runtime, with_features_as_output(model), 5)
    step = read_last_layer(taught).of_output.scales[0]
    assert answer(each_runtime, taught, 5) == pytest.approx(weights @ features + bias, abs=1.5 * step + 0.2)


@pytest.mark.parametrize(
    ("ending", "why"),
    [
        (("LOGISTIC",), "more than shapes and a softmax"),
        (("ADD",), "does not end in"),
        (("SOFTMAX", "SOFTMAX"), "averages"),
    ],
)
def test_what_cannot_be_taught_is_refused_in_words(ending: tuple[str, ...], why: str) -> None:
    with pytest.raises(ModelError, match=why):
        read_last_layer(classifier(ending=ending))


@pytest.mark.parametrize("name", ["mobilenet_v1_0.25_128_quant_edgetpu", "movenet_single_pose_lightning_ptq"])
def test_models_without_a_last_layer_are_refused_in_words(shared: Path, name: str) -> None:
    with pytest.raises(ModelError, match="cannot be taught"):
        read_last_layer((shared / "models" / f"{name}.tflite").read_bytes())


@given(st.data())
def test_damaged_models_are_refused_or_written_whole(data: st.DataObject) -> None:
    model = bytearray(classifier(ending=("RESHAPE", "SOFTMAX")))
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.integers(8, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        layer = read_last_layer(bytes(model))
        taught = with_last_layer(bytes(model), layer, grown(layer))
    except ModelError as error:
        assert len(str(error)) < 500
    else:
        assert len(taught) > len(model)
