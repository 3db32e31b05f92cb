"""Float Keras model -> full-int8 TFLite that the device runs and the Edge TPU compiler would take."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.manifest import Preprocessing
from edge.errors import StorageError
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from trainer.learning.predict import Predictor
from trainer.measuring.int8_model import logits_of, run_int8, tensors_of
from trainer.native_output import load_tensorflow
from trainer.networks.families import Network
from trainer.networks.pixels import input_of
from trainer.quantizing.convert import (
    REPRESENTATIVE_PHOTOS,
    best_range,
    choose_representative,
    finish,
    observe_ranges,
    spread,
    tighten,
)

CLASSES = 3
NETWORKS = {
    "MobileNetV2 folded": ("mobilenet_v2", 0.35, True),
    "MobileNetV1 folded": ("mobilenet_v1", 0.25, True),
    "MobileNetV3 small folded": ("mobilenet_v3_small", 0.25, True),
    "MobileNetV1 with BatchNorm": ("mobilenet_v1", 0.25, False),
}


@pytest.fixture(scope="module", params=NETWORKS)
def quantized(
    request: pytest.FixtureRequest, spec: Preprocessing, pictures: np.ndarray, untrained: Callable[..., Any]
) -> SimpleNamespace:
    """Networks with random weights, as float and as int8: those that fine-tuning hands over, and one that comes
    from scratch."""
    load_tensorflow()
    architecture, alpha, folded = NETWORKS[request.param]
    model, everything = untrained(architecture, alpha, pictures, folded=folded), np.arange(len(pictures))
    ranged = observe_ranges(model, spec, pictures, everything)
    tflite = finish(ranged)
    logits = Predictor(model, spec).predict(pictures, everything)
    classifier = TfliteClassifier(load_runtime(), tflite)
    return SimpleNamespace(ranged=ranged, tflite=tflite, logits=logits, classifier=classifier)


def parse(tflite: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))


def operator_names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


@pytest.mark.parametrize(("classes", "each"), [(5, 11), (10, 7), (2, 28), (3, 13)])
def test_an_even_choice_leaves_no_class_out(classes: int, each: int) -> None:
    chosen = spread(np.repeat(np.arange(classes), each), 40)
    counts = np.bincount(chosen, minlength=classes)
    assert counts.sum() == min(40, classes * each)
    assert counts.max() - counts.min() <= 1


def test_the_batch_is_fixed_at_one_picture(quantized: SimpleNamespace) -> None:
    (given_,), (result,) = quantized.classifier.inputs, quantized.classifier.outputs
    assert given_.shape == given_.signature == (1, 32, 32, 3)
    assert result.shape == result.signature == (1, CLASSES)


def test_int8_goes_in_and_comes_out(quantized: SimpleNamespace) -> None:
    (given_,), (result,) = quantized.classifier.inputs, quantized.classifier.outputs
    assert (given_.dtype, result.dtype) == ("int8", "int8")
    assert result.scale > 0


def test_the_inputs_range_is_that_of_pixels_whatever_the_photos_show(quantized: SimpleNamespace) -> None:
    """None of these pictures is darker than 40 or brighter than 210."""
    (given_,) = quantized.classifier.inputs
    assert given_.scale == pytest.approx(1 / 127.5, rel=1e-5)  # -1..1 in 255 steps
    assert given_.zero_point == -1
    expected = input_of(Network("mobilenet_v2", 0.35, 32)).quantization
    assert (given_.scale, given_.zero_point) == (pytest.approx(expected.scale, rel=1e-5), expected.zero_point)


def test_no_tensor_on_the_way_is_float(quantized: SimpleNamespace) -> None:
    from ai_edge_litert import schema_py_generated as schema

    (graph,) = parse(quantized.tflite).subgraphs
    assert {tensor.type for tensor in graph.tensors} <= {schema.TensorType.INT8, schema.TensorType.INT32}


def test_dense_weights_have_one_scale_and_convolutions_one_for_each_channel(quantized: SimpleNamespace) -> None:
    """The Edge TPU compiler takes dense layers with one scale only; TensorFlow's default is one a class. Read
    from the file: LiteRT shows the one scale as many times as there are classes, once it has loaded it."""
    model = parse(quantized.tflite)
    names, graph = operator_names(), model.subgraphs[0]
    scales = {"FULLY_CONNECTED": [], "CONV_2D": []}
    for operator in graph.operators:
        name = names[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if name in scales:
            weights = graph.tensors[operator.inputs[1]]
            scales[name].append((len(weights.quantization.scale), int(weights.shape[0])))
    assert scales["FULLY_CONNECTED"] == [(1, CLASSES)]
    assert len(scales["CONV_2D"]) > 10
    assert all(count == channels for count, channels in scales["CONV_2D"])


def test_only_operators_that_the_edge_tpu_compiler_is_known_to_take_are_used(
    quantized: SimpleNamespace, shared: Path
) -> None:
    known = json.loads((shared / "edgetpu" / "known_good_ops.json").read_text())["operators"]
    names = operator_names()
    used = {(names[code.builtinCode], code.version) for code in parse(quantized.tflite).operatorCodes}
    assert {name for name, _ in used} >= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    assert {
        (name, version) for name, version in used if version not in known.get(name, {"versions": []})["versions"]
    } == set()


def test_the_int8_model_says_what_the_float_model_says(
    quantized: SimpleNamespace, spec: Preprocessing, pictures: np.ndarray
) -> None:
    tensor, output = tensors_of(quantized.classifier)
    steps = []
    outputs = run_int8(quantized.classifier, spec, tensor, pictures, np.arange(len(pictures)), steps.append)
    logits = logits_of(outputs, output)
    assert np.corrcoef(logits.ravel(), quantized.logits.ravel())[0, 1] > 0.7  # red and blue swapped: 0.3
    assert len(set(quantized.logits.argmax(axis=1))) == CLASSES
    assert (logits.argmax(axis=1) == quantized.logits.argmax(axis=1)).mean() > 0.7
    assert sum(steps) == len(pictures)


def test_the_manifest_gets_the_models_own_quantization(quantized: SimpleNamespace) -> None:
    tensor, output = tensors_of(quantized.classifier)
    assert (tensor.width, tensor.height, tensor.dtype) == (32, 32, "int8")
    assert (output.classes, output.dtype, output.activation) == (CLASSES, "int8", "logits")
    assert output.quantization.scale == quantized.classifier.outputs[0].scale
    assert tensor.quantization.zero_point == -1


def test_a_full_temporary_folder_is_told_before_tensorflow_stumbles_over_it(
    spec: Preprocessing, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow's converter saves the model on the way and, where it cannot, fails with a TypeError."""
    load_tensorflow()
    import keras

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    picture = keras.Input((32, 32, 3))
    model = keras.Model(picture, keras.layers.GlobalAveragePooling2D()(picture))
    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"):
        observe_ranges(model, spec, pictures, np.arange(4))


# Other ranges than those that were seen


def activations(tflite: bytes) -> dict[str, tuple[float, int]]:
    """(scale, zero point) of what operators hand on, by the tensor's name."""
    graph = parse(tflite).subgraphs[0]
    made = [graph.tensors[operator.outputs[0]] for operator in graph.operators]
    return {t.name.decode(): (float(t.quantization.scale[0]), int(t.quantization.zeroPoint[0])) for t in made}


def test_a_range_that_is_tightened_changes_that_tensor_and_no_other(quantized: SimpleNamespace) -> None:
    before = activations(quantized.tflite)
    name = list(before)[3]
    after = activations(finish(tighten(quantized.ranged, {name: (0.0, 0.51)})))
    assert after[name] == (pytest.approx(0.002, rel=1e-5), -128)  # 0..0.51 in 255 steps
    assert {other for other in before if after[other] != before[other]} == {name}


def test_ranges_of_tensors_that_are_not_there_change_nothing(quantized: SimpleNamespace) -> None:
    assert finish(tighten(quantized.ranged, {"nobody": (0.0, 1.0)})) == quantized.tflite


def test_evenly_spread_values_keep_their_whole_range() -> None:
    assert best_range(np.linspace(-1, 1, 10_001, dtype=np.float32)) == (-1.0, 1.0)


def test_a_lone_extreme_is_cut_off() -> None:
    """Half a million values evenly in 0..1 and one of 4. Rounding to steps of 4s/255 costs (4s/255)**2/12, cutting
    the extreme off at 4s costs (4-4s)**2/500,000: together 12.5e-6 at s=0.6, 12.9e-6 at 0.7, 13.1e-6 at 0.5."""
    values = np.append(np.linspace(0, 1, 500_000, dtype=np.float32), np.float32(4))
    assert best_range(values) == (0.0, pytest.approx(2.4))


def test_each_end_is_drawn_in_for_itself() -> None:
    values = np.append(np.linspace(-1, 1, 1_000_000, dtype=np.float32), np.float32(5))
    low, high = best_range(values)
    assert low == -1.0
    assert 1.0 <= high < 5.0


@pytest.mark.parametrize(
    ("values", "expected"), [([2, 3], (0.0, 3.0)), ([-3, -2], (-3.0, 0.0)), ([0, 0], (0.0, 0.0))], ids=str
)
def test_every_range_holds_zero(values: list[float], expected: tuple[float, float]) -> None:
    """Padding is zero, and must be one of the steps."""
    assert best_range(np.array(values, np.float32)) == expected


def int8_loss(values: np.ndarray, low: float, high: float) -> float:
    """Mean square error of `values` as TFLite would store them with that range."""
    scale = max(high - low, 1e-9) / 255
    zero_point = round(-128 - low / scale)
    stored = np.clip(np.round(values / scale) + zero_point, -128, 127)
    return float(np.square((stored - zero_point) * scale - values).mean())


@settings(deadline=None)
@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=300))
def test_the_range_chosen_loses_no_more_than_the_whole_one(values: np.ndarray) -> None:
    seen = np.array(values, np.float64)
    whole = min(seen.min(), 0.0), max(seen.max(), 0.0)
    low, high = best_range(seen.astype(np.float32))
    assert whole[0] <= low <= 0 <= high <= whole[1]
    step = (whole[1] - whole[0]) / 255
    # A value that lies just between two steps may fall to either side.
    assert int8_loss(seen, low, high) <= int8_loss(seen, *whole) + step**2 / 100 + 1e-12


# Which photos stand for all


def labelled(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def greys_like(photos: int, seed: int = 0) -> np.ndarray:
    """Small grey copies that look much alike: uint8 (photos, 256)."""
    return np.random.default_rng(seed).integers(115, 126, (photos, 256)).astype(np.uint8)


def test_as_many_photos_of_each_class_are_taken_as_there_are() -> None:
    """200 are 67, 67 and 66 in some order; the smallest class has ten, so others fill its places."""
    labels = labelled(500, 100, 10)
    taken = np.bincount(labels[choose_representative(labels, greys_like(610), np.arange(610), seed=0)])
    assert taken.sum() == 200
    assert taken[2] == 10
    assert taken[:2].min() >= 66


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("brightness", [3, 250], ids=["dark", "bright"])
def test_a_lone_photo_unlike_all_others_is_among_those_chosen(seed: int, brightness: int) -> None:
    labels, greys = labelled(400, 400), greys_like(800)
    greys[600] = brightness
    assert 600 in choose_representative(labels, greys, np.arange(800), seed)


def test_of_a_thousand_classes_two_hundred_are_looked_at_once_each() -> None:
    labels = labelled(*[4] * 1000)
    chosen = choose_representative(labels, greys_like(4000), np.arange(4000), seed=0)
    assert len(set(labels[chosen])) == len(chosen) == REPRESENTATIVE_PHOTOS
    assert labels[chosen].max() > 700, "the classes are drawn, not the first ones"


def test_representative_photos_are_drawn_by_the_seed() -> None:
    labels, greys = labelled(300, 300), greys_like(600)
    first, again, other = (choose_representative(labels, greys, np.arange(600), seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 150), min_size=2, max_size=12),
    st.integers(0, 2**31 - 1),
    st.floats(0.3, 1),
)
def test_representative_photos_are_training_photos_of_all_classes_each_once(
    counts: list[int], seed: int, share: float
) -> None:
    labels = labelled(*counts)
    rng = np.random.default_rng(seed)
    train = np.sort(rng.permutation(len(labels))[: max(1, round(share * len(labels)))])
    chosen = choose_representative(labels, greys_like(len(labels)), train, seed)
    assert len(chosen) == min(REPRESENTATIVE_PHOTOS, len(train))
    assert set(chosen) <= set(train)
    assert (np.diff(chosen) > 0).all()
    available, taken = (np.bincount(labels[which], minlength=len(counts)) for which in (train, chosen))
    fair = REPRESENTATIVE_PHOTOS // np.count_nonzero(available)
    assert (taken >= np.minimum(available, fair)).all()
