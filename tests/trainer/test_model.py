"""Backbones: MobileNets with their BatchNorm folded away. All networks here are 32 pixels a side."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import MissingInputError, ModelError, UnavailableError
from trainer.model import (
    ARCHITECTURES,
    FIRST_TUNED,
    Network,
    add_head,
    build_backbone,
    fold_batch_norm,
    quicken_batch_norm,
)
from trainer.quiet import load_tensorflow

NARROWEST = {"mobilenet_v1": 0.25, "mobilenet_v2": 0.35}
V2 = Network("mobilenet_v2", 0.35, 32)
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"


@pytest.fixture(scope="module", autouse=True)
def keras():
    load_tensorflow()
    import keras

    return keras


@pytest.fixture(scope="module", params=sorted(NARROWEST))
def twins(request, keras, lively):
    """A backbone whose BatchNorm statistics are random, and the same one folded."""
    keras.utils.set_random_seed(0)
    backbone = lively(build_backbone(Network(request.param, NARROWEST[request.param], 32), "none"), seed=0)
    return request.param, backbone, fold_batch_norm(backbone)


def test_folding_batch_norm_keeps_the_function(twins):
    _, backbone, folded = twins
    pictures = np.random.default_rng(1).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    expected, found = backbone(pictures, training=False).numpy(), folded(pictures, training=False).numpy()
    assert np.ptp(expected, axis=0).mean() > 0.1, "the pictures must make a difference, or anything would pass"
    assert found == pytest.approx(expected, abs=1e-3 * float(expected.max()))


def test_no_batch_norm_is_left_and_every_convolution_has_a_bias(twins, keras):
    _, _, folded = twins
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers)
    convolutions = [layer for layer in folded.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(convolutions) > 10
    assert all(layer.use_bias for layer in convolutions)
    assert folded.count_params() == sum(int(np.prod(weight.shape)) for weight in folded.trainable_weights)


def test_the_layer_from_which_fine_tuning_starts_is_there(twins):
    """A name that is not would freeze the whole network without a word."""
    architecture, _, folded = twins
    names = [layer.name for layer in folded.layers]
    assert 0 < names.index(FIRST_TUNED[architecture]) < len(names) / 2


def test_a_batch_norm_that_follows_no_convolution_cannot_be_folded(keras):
    given = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(given)
    odd = keras.Model(given, keras.layers.BatchNormalization(name="odd")(pooled))
    with pytest.raises(ModelError, match="odd does not follow a convolution"):
        fold_batch_norm(odd)


def test_a_convolution_with_a_bias_of_its_own_is_folded_with_it(keras):
    given = keras.Input((4, 4, 3))
    found = keras.layers.BatchNormalization()(keras.layers.Conv2D(5, 3, use_bias=True)(given))
    model = keras.Model(given, found)
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in model.get_weights()])
    pictures = rng.normal(0, 1, (2, 4, 4, 3)).astype(np.float32)
    assert fold_batch_norm(model)(pictures).numpy() == pytest.approx(model(pictures, training=False).numpy(), abs=1e-4)


def test_the_head_gets_the_kernel_and_the_bias_it_is_given(keras):
    given = keras.Input((2,))
    kernel, bias = np.array([[1.0, 2.0, 3.0], [0.0, 10.0, 20.0]]), np.array([0.5, 0.0, -0.5])
    model = add_head(keras.Model(given, given), 3, kernel, bias)
    assert model(np.array([[2.0, 1.0]], np.float32)).numpy().tolist() == [[2.5, 14.0, 25.5]]


def test_a_network_from_scratch_lets_its_moving_averages_follow_quickly(keras):
    backbone = build_backbone(V2, "none")
    quicken_batch_norm(backbone)
    momenta = {layer.momentum for layer in backbone.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.9}


# Weights


def test_a_weights_file_is_used_for_any_input_size(shared: Path):
    from_file = build_backbone(V2, str(shared / "weights" / WEIGHTS))
    larger = build_backbone(Network("mobilenet_v2", 0.35, 64), str(shared / "weights" / WEIGHTS))
    first, same = (model.get_layer("Conv1").get_weights()[0] for model in (from_file, larger))
    assert np.array_equal(first, same)
    assert from_file.output_shape == (None, 1280)


@pytest.mark.parametrize(
    "network", [Network("mobilenet_v2", 0.5, 32), Network("mobilenet_v1", 0.25, 32)], ids=["alpha", "architecture"]
)
def test_weights_of_another_network_are_refused(shared, network):
    with pytest.raises(
        ModelError, match=r"0\.35_224_no_top\.h5: not weights of MobileNetV. .*check --arch and --alpha"
    ):
        build_backbone(network, str(shared / "weights" / WEIGHTS))


def test_a_weights_file_that_was_cut_short_is_refused(shared, tmp_path):
    cut = tmp_path / "cut_no_top.h5"
    cut.write_bytes((shared / "weights" / WEIGHTS).read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"cut_no_top\.h5: not weights of MobileNetV2 0\.35 32"):
        build_backbone(V2, str(cut))


@pytest.mark.parametrize("name", ["weights.h5", "weights.keras", "model.tflite"])
def test_a_file_that_is_no_h5_weights_file_is_refused_before_keras_sees_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 whatever this is")
    with pytest.raises(ModelError, match=rf"{name}: not a Keras \.h5 weights file: give the \*_no_top\.h5 file"):
        build_backbone(V2, str(tmp_path / name))


def test_a_weights_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"nowhere\.h5: cannot read: No such file"):
        build_backbone(V2, str(tmp_path / "nowhere.h5"))


@pytest.mark.parametrize("architecture", sorted(NARROWEST))
@pytest.mark.parametrize(
    ("failure", "file"),
    [
        (
            "URL fetch failure on https://example.org/mobilenet_v9_0.5_no_top.h5: None -- [Errno -3] Temporary "
            "failure in name resolution",
            r"https://example\.org/mobilenet_v9_0\.5_no_top\.h5",
        ),
        ("The read operation timed out", r"mobilenet\S*_\*_no_top\.h5"),
    ],
    ids=["as Keras names it", "by its pattern"],
)
def test_imagenet_weights_without_a_network_name_the_file_to_fetch_and_the_option(
    keras, monkeypatch, architecture, failure, file
):
    def offline(**_: object) -> None:
        raise OSError(failure)

    monkeypatch.setattr(keras.applications, ARCHITECTURES[architecture], offline)
    with pytest.raises(UnavailableError, match=rf"could not be downloaded: fetch Keras' file {file} .*--weights FILE"):
        build_backbone(Network(architecture, 0.5, 32), "imagenet")


def test_a_width_without_imagenet_weights_is_refused_with_the_widths_that_have_them():
    with pytest.raises(ModelError, match=r"--alpha 0\.4: .* for 0\.35, 0\.5, 0\.75, 1, 1\.3, 1\.4: take one of those"):
        build_backbone(Network("mobilenet_v2", 0.4, 32), "imagenet")
