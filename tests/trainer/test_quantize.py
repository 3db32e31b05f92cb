"""Float Keras model -> full-int8 TFLite that the device runs and the Edge TPU compiler would take."""

import errno
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.manifest import Calibration
from edge.errors import StorageError
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from trainer.bundle_writer import tensors_of
from trainer.evaluate import dequantize, run_int8, top1
from trainer.model import Network, add_head, build_backbone, fold_batch_norm
from trainer.predict import Predictor
from trainer.quantize import CALIBRATION_PHOTOS, choose_calibration, quantize
from trainer.quiet import load_tensorflow

CLASSES = 3


@pytest.fixture(scope="module")
def pixels(paint):
    """Forty pictures, 32 pixels a side, without anything quite dark or quite bright."""
    rng = np.random.default_rng(0)
    return np.stack([paint(rng, 32, 32) for _ in range(40)]).clip(40, 210)


@pytest.fixture(
    scope="module",
    params=["MobileNetV2 folded", "MobileNetV1 folded", "MobileNetV2 with BatchNorm"],
)
def quantized(request, spec, pixels, lively):
    """A network with random weights, as float and as int8: the two that fine-tuning hands over, and the one
    that comes from scratch."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = Network("mobilenet_v1", 0.25, 32) if "V1" in request.param else Network("mobilenet_v2", 0.35, 32)
    backbone = lively(build_backbone(network, "none"), seed=1)
    if "folded" in request.param:
        backbone = fold_batch_norm(backbone)
    channels = backbone.output_shape[-1]
    kernel = np.random.default_rng(2).normal(0, 1, (channels, CLASSES))
    model = add_head(backbone, CLASSES, kernel, np.zeros(CLASSES))
    everything = np.arange(len(pixels))
    features = Predictor(backbone, spec).predict(pixels, everything)
    # Centred and stretched, so that a network that was never trained still tells the pictures apart.
    gain = 4 / (features @ kernel).std(axis=0)
    model.get_layer("logits").set_weights([kernel * gain, -(features @ kernel).mean(axis=0) * gain])
    tflite = quantize(model, spec, pixels, everything)
    logits = Predictor(model, spec).predict(pixels, everything)
    return SimpleNamespace(tflite=tflite, logits=logits, classifier=TfliteClassifier(load_runtime(), tflite))


def parse(tflite: bytes):
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))


def operator_names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


def test_the_batch_is_fixed_at_one_picture(quantized):
    (given_,), (result,) = quantized.classifier.inputs, quantized.classifier.outputs
    assert given_.shape == given_.signature == (1, 32, 32, 3)
    assert result.shape == result.signature == (1, CLASSES)


def test_int8_goes_in_and_comes_out(quantized):
    (given_,), (result,) = quantized.classifier.inputs, quantized.classifier.outputs
    assert (given_.dtype, result.dtype) == ("int8", "int8")
    assert result.scale > 0


def test_the_inputs_range_is_that_of_pixels_whatever_the_photos_show(quantized):
    (given_,) = quantized.classifier.inputs
    assert given_.scale == pytest.approx(2 / 255, rel=1e-5)  # -1..1 in 255 steps
    assert given_.zero_point == -1


def test_no_tensor_on_the_way_is_float(quantized):
    from ai_edge_litert import schema_py_generated as schema

    (graph,) = parse(quantized.tflite).subgraphs
    assert {tensor.type for tensor in graph.tensors} <= {schema.TensorType.INT8, schema.TensorType.INT32}


def test_dense_weights_have_one_scale_and_convolutions_one_for_each_channel(quantized):
    """The Edge TPU compiler takes dense layers with one scale only; TensorFlow's default is one a class. Read
    from the file: LiteRT shows the one scale as many times as there are classes, once it has loaded it."""
    model = parse(quantized.tflite)
    names, graph = operator_names(), model.subgraphs[0]
    scales = {"FULLY_CONNECTED": [], "CONV_2D": []}
    for operator in graph.operators:
        weights = graph.tensors[operator.inputs[1]] if len(operator.inputs) > 1 else None
        name = names[model.operatorCodes[operator.opcodeIndex].builtinCode]
        if name in scales:
            scales[name].append((len(weights.quantization.scale), int(weights.shape[0])))
    assert scales["FULLY_CONNECTED"] == [(1, CLASSES)]
    assert len(scales["CONV_2D"]) > 10
    assert all(count == channels for count, channels in scales["CONV_2D"])
    shown = {detail["index"]: detail for detail in quantized.classifier._interpreter.get_tensor_details()}
    (dense,) = [
        op for op in graph.operators if names[model.operatorCodes[op.opcodeIndex].builtinCode] == "FULLY_CONNECTED"
    ]
    assert len(set(shown[dense.inputs[1]]["quantization_parameters"]["scales"])) == 1


def test_only_operators_that_the_edge_tpu_compiler_is_known_to_take_are_used(quantized, shared):
    known = json.loads((shared / "edgetpu" / "known_good_ops.json").read_text())["operators"]
    names = operator_names()
    used = {(names[code.builtinCode], code.version) for code in parse(quantized.tflite).operatorCodes}
    assert {name for name, _ in used} >= {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    assert {
        (name, version) for name, version in used if version not in known.get(name, {"versions": []})["versions"]
    } == set()


def test_the_int8_model_says_what_the_float_model_says(quantized, spec, pixels):
    tensor, output = tensors_of(quantized.classifier)
    steps = []
    outputs = run_int8(quantized.classifier, spec, tensor, pixels, np.arange(len(pixels)), steps.append)
    logits = np.stack([dequantize(raw, output) for raw in outputs])
    assert np.corrcoef(logits.ravel(), quantized.logits.ravel())[0, 1] > 0.7  # red and blue swapped: 0.3
    assert len(set(quantized.logits.argmax(axis=1))) == CLASSES
    assert top1(outputs, quantized.logits.argmax(axis=1), output, Calibration()) > 0.7
    assert sum(steps) == len(pixels)


def test_the_manifest_gets_the_models_own_quantization(quantized):
    tensor, output = tensors_of(quantized.classifier)
    assert (tensor.width, tensor.height, tensor.dtype) == (32, 32, "int8")
    assert (output.classes, output.dtype, output.activation) == (CLASSES, "int8", "logits")
    assert output.quantization.scale == quantized.classifier.outputs[0].scale
    assert tensor.quantization.zero_point == -1


def test_a_full_temporary_folder_is_told_before_tensorflow_stumbles_over_it(spec, pixels, monkeypatch):
    """TensorFlow's converter saves the model on the way and, where it cannot, fails with a TypeError."""
    load_tensorflow()
    import keras

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    picture = keras.Input((32, 32, 3))
    model = keras.Model(picture, keras.layers.GlobalAveragePooling2D()(picture))
    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"):
        quantize(model, spec, pixels, np.arange(4))


# Which photos calibrate


def labelled(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def test_calibration_takes_as_many_photos_of_each_class_as_there_are():
    labels = labelled(500, 100, 10)
    chosen = choose_calibration(labels, np.arange(len(labels)), seed=0)
    assert np.bincount(labels[chosen]).tolist() == [95, 95, 10]


def test_calibration_is_drawn_by_the_seed():
    labels = labelled(300, 300)
    first, again, other = (choose_calibration(labels, np.arange(600), seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 150), min_size=2, max_size=12),
    st.integers(0, 2**31 - 1),
    st.floats(0.3, 1),
)
def test_calibration_photos_are_balanced_training_photos_each_once(counts, seed, share):
    labels = labelled(*counts)
    rng = np.random.default_rng(seed)
    train = np.sort(rng.permutation(len(labels))[: max(1, round(share * len(labels)))])
    chosen = choose_calibration(labels, train, seed)
    assert len(chosen) == min(CALIBRATION_PHOTOS, len(train))
    assert set(chosen) <= set(train)
    assert (np.diff(chosen) > 0).all()
    available, taken = (np.bincount(labels[which], minlength=len(counts)) for which in (train, chosen))
    cut_short = taken < available
    assert not cut_short.any() or taken.max() - taken[cut_short].min() <= 1
