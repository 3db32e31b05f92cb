"""Backbones: MobileNets with their BatchNorm folded away. All networks here are 32 pixels a side."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import ModelError
from trainer.native_output import load_tensorflow
from trainer.networks.backbone import add_head, build_backbone, fold_batch_norm, quicken_batch_norm
from trainer.networks.families import FAMILIES, Network

pytestmark = pytest.mark.slow

NARROWEST = {architecture: min(family.alphas) for architecture, family in FAMILIES.items()}
CHANNELS = {"mobilenet_v1": 256, "mobilenet_v2": 1280, "mobilenet_v3_small": 576, "mobilenet_v3_large": 960}
V2 = Network("mobilenet_v2", 0.35, 32)
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


@pytest.fixture(scope="module", autouse=True)
def keras() -> Any:
    load_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="module", params=FAMILIES)
def twins(request: pytest.FixtureRequest, keras: Any, lively: Callable[[Any, int], Any]) -> tuple[str, Any, Any]:
    """Architecture, a backbone whose BatchNorm statistics are random, and the same one folded."""
    keras.utils.set_random_seed(0)
    backbone = lively(build_backbone(Network(request.param, NARROWEST[request.param], 32), None), seed=0)
    return request.param, backbone, fold_batch_norm(backbone)


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)


def norms(model: Any, keras: Any) -> list[object]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]


def convolutions(model: Any, keras: Any) -> list[object]:
    """Depthwise ones too."""
    kinds = keras.layers.Conv2D, keras.layers.DepthwiseConv2D
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def with_head(backbone: Any, kernel: np.ndarray, bias: np.ndarray) -> object:
    """The head set to these weights, as trainer.learning.learn sets it."""
    model = add_head(backbone, len(bias))
    model.get_layer("logits").set_weights([kernel, bias])
    return model


# Backbones


def test_a_backbone_turns_pictures_into_pooled_features(twins: tuple[str, Any, Any]) -> None:
    architecture, backbone, _ = twins
    assert backbone.input_shape == (None, 32, 32, 3)
    assert backbone.output_shape == (None, CHANNELS[architecture])


def test_a_backbone_has_only_layers_that_the_edge_tpu_runs(twins: tuple[str, Any, Any], keras: Any) -> None:
    """No hard-swish, no squeeze-and-excite, and no preprocessing of its own inside."""
    _, _, folded = twins
    layers = keras.layers
    kinds = layers.InputLayer, layers.Conv2D, layers.DepthwiseConv2D, layers.ReLU, layers.Add
    kinds = *kinds, layers.ZeroPadding2D, layers.GlobalAveragePooling2D
    others = {type(layer).__name__ for layer in folded.layers if not isinstance(layer, kinds)}
    assert others == {"Folded"}, "it does nothing"


def test_the_layer_from_which_fine_tuning_starts_is_there(twins: tuple[str, Any, Any]) -> None:
    """A name that is not would freeze the whole network without a word."""
    architecture, _, folded = twins
    names = [layer.name for layer in folded.layers]
    assert 0 < names.index(FAMILIES[architecture].first_tuned) < len(names) / 2


def test_a_size_that_keras_does_not_build_is_a_model_error() -> None:
    with pytest.raises(ModelError, match=r"MobileNetV2 0\.35 31: .*at least 32"):
        build_backbone(Network("mobilenet_v2", 0.35, 31), None)


def test_a_weights_file_is_used_for_any_input_size(shared: Path) -> None:
    path = shared / "weights" / WEIGHTS
    small, larger = build_backbone(V2, path), build_backbone(Network("mobilenet_v2", 0.35, 64), path)
    first, same = (model.get_layer("Conv1").get_weights()[0] for model in (small, larger))
    assert np.array_equal(first, same)
    assert small.output_shape == (None, 1280)


def test_a_network_from_scratch_lets_its_moving_averages_follow_quickly(keras: Any) -> None:
    backbone = build_backbone(V2, None)
    quicken_batch_norm(backbone)
    assert {norm.momentum for norm in norms(backbone, keras)} == {0.9}


# Folding


def test_folding_batch_norm_keeps_the_function(twins: tuple[str, Any, Any], inputs: np.ndarray) -> None:
    _, backbone, folded = twins
    expected, found = backbone(inputs, training=False).numpy(), folded(inputs, training=False).numpy()
    assert np.ptp(expected, axis=0).mean() > 0.1, "the pictures must make a difference, or anything would pass"
    assert found == pytest.approx(expected, abs=1e-3 * float(expected.max()))


def test_no_batch_norm_is_left_and_every_convolution_has_a_bias(twins: tuple[str, Any, Any], keras: Any) -> None:
    _, backbone, folded = twins
    assert len(norms(backbone, keras)) == len(convolutions(backbone, keras)) > 10
    assert norms(folded, keras) == []
    assert all(layer.use_bias for layer in convolutions(folded, keras))
    assert folded.count_params() == sum(int(np.prod(weight.shape)) for weight in folded.trainable_weights)


def test_the_original_is_left_as_it_was(twins: tuple[str, Any, Any], keras: Any) -> None:
    _, backbone, folded = twins
    first, twin = convolutions(backbone, keras)[0], convolutions(folded, keras)[0]
    assert not first.use_bias
    assert not np.array_equal(first.get_weights()[0], twin.get_weights()[0])


def test_folding_again_changes_nothing(twins: tuple[str, Any, Any], inputs: np.ndarray) -> None:
    _, _, folded = twins
    again = fold_batch_norm(folded)
    assert np.array_equal(again(inputs).numpy(), folded(inputs).numpy())
    assert [layer.name for layer in again.layers] == [layer.name for layer in folded.layers]


def test_a_whole_model_is_folded_with_its_head(twins: tuple[str, Any, Any], inputs: np.ndarray) -> None:
    """As training from scratch leaves it."""
    architecture, backbone, folded = twins
    rng = np.random.default_rng(2)
    kernel, bias = rng.normal(0, 1, (CHANNELS[architecture], 5)), rng.normal(0, 1, 5)
    whole = fold_batch_norm(with_head(backbone, kernel, bias))
    expected = with_head(folded, kernel, bias)(inputs).numpy()
    assert whole(inputs).numpy() == pytest.approx(expected, abs=1e-4)
    assert whole.layers[-1].name == "logits"


def test_a_batch_norm_that_follows_no_convolution_cannot_be_folded(keras: Any) -> None:
    given = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(given)
    odd = keras.Model(given, keras.layers.BatchNormalization(name="odd")(pooled))
    with pytest.raises(ModelError, match="odd does not follow a convolution"):
        fold_batch_norm(odd)


@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize(("scale", "center"), [(True, True), (False, True), (True, False), (False, False)])
@pytest.mark.parametrize("bias", [False, True])
def test_every_kind_of_batch_norm_is_folded_into_every_kind_of_convolution(
    keras: Any, depthwise: bool, scale: bool, center: bool, bias: bool
) -> None:
    layers = keras.layers
    convolution = layers.DepthwiseConv2D(3, use_bias=bias) if depthwise else layers.Conv2D(5, 3, use_bias=bias)
    given = keras.Input((4, 4, 3))
    model = keras.Model(given, layers.BatchNormalization(scale=scale, center=center)(convolution(given)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])
    some = rng.normal(0, 1, (2, 4, 4, 3)).astype(np.float32)
    assert fold_batch_norm(model)(some).numpy() == pytest.approx(model(some, training=False).numpy(), abs=1e-4)


# The head


def test_the_head_multiplies_by_its_kernel_and_adds_its_bias(keras: Any) -> None:
    given = keras.Input((2,))
    kernel, bias = np.array([[1.0, 2.0, 3.0], [0.0, 10.0, 20.0]]), np.array([0.5, 0.0, -0.5])
    model = with_head(keras.Model(given, given), kernel, bias)
    assert model(np.array([[2.0, 1.0]], np.float32)).numpy().tolist() == [[2.5, 14.0, 25.5]]


def test_a_new_head_has_random_weights_and_no_bias(keras: Any) -> None:
    given = keras.Input((2,))
    model = add_head(keras.Model(given, given), 3)
    kernel, bias = model.get_layer("logits").get_weights()
    assert kernel.shape == (2, 3)
    assert kernel.any()
    assert not bias.any()


# Rounding in training


@pytest.fixture(scope="module")
def folded_layers(keras: Any) -> dict[str, Any]:
    """One convolution with a ReLU6 behind it and one without, their BatchNorm folded, and their outputs."""
    given = keras.Input((8, 8, 3))
    bent = keras.layers.BatchNormalization(name="bent")(keras.layers.Conv2D(4, 3)(given))
    straight = keras.layers.Conv2D(4, 1)(keras.layers.ReLU(6.0)(bent))
    model = fold_batch_norm(keras.Model(given, keras.layers.BatchNormalization(name="straight")(straight)))
    return {name: keras.Model(model.input, model.get_layer(name).output) for name in ("bent", "straight")}


@pytest.mark.parametrize(("name", "low", "high"), [("bent", 0.0, 6.0), ("straight", None, None)])
def test_in_training_outputs_are_rounded_to_256_steps_of_the_range_that_int8_will_have(
    folded_layers: dict[str, Any], name: str, low: float | None, high: float | None
) -> None:
    pictures = np.random.default_rng(2).uniform(-9, 9, (16, 8, 8, 3)).astype(np.float32)
    exact = np.asarray(folded_layers[name](pictures, training=False))
    rounded = np.asarray(folded_layers[name](pictures, training=True))
    low, high = exact.min() if low is None else low, exact.max() if high is None else high
    step = (high - low) / 255
    assert len(np.unique(exact)) > 1000, "nothing is rounded outside training"
    assert 50 < len(np.unique(rounded)) <= 256
    np.testing.assert_allclose(rounded, np.clip(exact, low, high), atol=step)


def test_gradients_pass_the_rounding_as_they_pass_the_activation(folded_layers: dict[str, Any]) -> None:
    import tensorflow as tf

    rounding = folded_layers["bent"].layers[-1]
    values = tf.constant([[-1.0, 0.5, 3.21, 5.9, 7.0]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = rounding(values, training=True)
    np.testing.assert_array_equal(tape.gradient(result, values), [[0, 1, 1, 1, 0]])
