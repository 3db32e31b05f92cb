"""The float and the int8 model side by side, layer by layer."""

from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from edge.bundle.manifest import Preprocessing
from trainer.native_output import load_tensorflow
from trainer.quantizing.convert import finish, observe_ranges, tighten
from trainer.quantizing.layer_errors import LayerNoise, collect_values, compare_layers

EVERYTHING = np.arange(40)
SOME = np.arange(0, 40, 5)


@pytest.fixture(scope="module")
def chain(spec: Preprocessing, pictures: np.ndarray) -> SimpleNamespace:
    """Four convolutions with an activation each, a mean and a dense layer: with random weights, converted."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(3)
    layers = keras.layers
    trunk = given = keras.Input((32, 32, 3))
    for number in range(1, 5):
        trunk = layers.Conv2D(8, 3, strides=2, activation="relu", name=f"conv{number}")(trunk)
    model = keras.Model(given, layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D(name="mean")(trunk)))
    ranged = observe_ranges(model, spec, pictures, EVERYTHING)
    return SimpleNamespace(ranged=ranged, int8=finish(ranged))


@pytest.fixture
def compare(spec: Preprocessing, pictures: np.ndarray) -> Callable[[bytes, bytes], dict[str, LayerNoise]]:
    """Rows of two models, on some of the pictures."""

    def run(ranged: bytes, int8: bytes) -> dict[str, LayerNoise]:
        return {row.name: row for row in compare_layers(ranged, int8, spec, pictures, SOME)}

    return run


def test_there_is_a_row_for_each_operator_in_the_order_of_execution(
    chain: SimpleNamespace, compare: Callable[[bytes, bytes], dict[str, LayerNoise]]
) -> None:
    rows = compare(chain.ranged, chain.int8)
    assert [row.operator for row in rows.values()] == ["CONV_2D"] * 4 + ["MEAN", "FULLY_CONNECTED"]
    assert list(rows)[:5] == ["conv1", "conv2", "conv3", "conv4", "mean"]


def test_a_sound_int8_model_is_clean_in_every_row(
    chain: SimpleNamespace, compare: Callable[[bytes, bytes], dict[str, LayerNoise]]
) -> None:
    """25 dB: errors are a twentieth of the values."""
    for row in compare(chain.ranged, chain.int8).values():
        assert row.snr_db > 25
        assert 0 <= row.introduced <= 1


def test_a_spoiled_layer_is_the_first_bad_row(
    chain: SimpleNamespace, compare: Callable[[bytes, bytes], dict[str, LayerNoise]]
) -> None:
    """The third layer's range is cut off: what follows is wrong as well, but not what comes before."""
    sound = compare(chain.ranged, chain.int8)
    (name,) = [name for name in tensor_names(chain.ranged) if "conv3" in name]
    spoiled = compare(chain.ranged, finish(tighten(chain.ranged, {name: (0.0, 0.05)})))
    bad = [name for name, row in spoiled.items() if row.snr_db < sound[name].snr_db - 10]
    assert bad[0] == "conv3"
    assert spoiled["conv3"].introduced > 0.9, "its own range did it"
    assert spoiled["conv2"] == sound["conv2"]


def test_where_only_the_output_is_rounded_all_of_the_error_is_its_own(
    spec: Preprocessing, pictures: np.ndarray, compare: Callable[[bytes, bytes], dict[str, LayerNoise]]
) -> None:
    """A model that hands its input on through a weight of 1, which the grid holds exactly."""
    import keras

    given = keras.Input((32, 32, 3))
    same = keras.layers.Conv2D(3, 1, name="same")
    model = keras.Model(given, same(given))
    same.set_weights([np.eye(3, dtype=np.float32)[None, None], np.zeros(3, np.float32)])
    ranged = observe_ranges(model, spec, pictures, EVERYTHING)
    (row,) = compare(ranged, finish(ranged)).values()
    assert row.introduced == 1.0
    assert row.snr_db > 30


# The values that ranges are chosen from


def tensor_names(model: bytes) -> list[str]:
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0)).subgraphs[0]
    return [graph.tensors[operator.outputs[0]].name.decode() for operator in graph.operators]


def test_values_of_every_operators_output_are_collected_by_name(
    chain: SimpleNamespace, spec: Preprocessing, pictures: np.ndarray
) -> None:
    values = collect_values(chain.ranged, spec, pictures, SOME)
    assert list(values) == tensor_names(chain.ranged)
    first = next(iter(values.values()))
    assert first.dtype == np.float32
    assert first.size == len(SOME) * (15 * 15 * 8 + 2)  # all of them, and both ends of each photo again
    assert first.min() == 0  # an activation


def test_of_large_outputs_a_sample_is_kept_with_both_ends(spec: Preprocessing, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr("trainer.quantizing.layer_errors.SAMPLES", 400)
    given = keras.Input((32, 32, 3))
    same = keras.layers.Conv2D(3, 1, name="same")
    model = keras.Model(given, same(given))
    same.set_weights([np.eye(3, dtype=np.float32)[None, None], np.zeros(3, np.float32)])
    photos = np.full((4, 32, 32, 3), 127, np.uint8)
    photos[:, 7, 8, 1], photos[:, 20, 3, 2] = 0, 255
    (values,) = collect_values(observe_ranges(model, spec, photos, np.arange(4)), spec, photos, np.arange(4)).values()
    assert values.size == 4 * (100 + 2)
    assert (values.min(), values.max()) == (-1, 1)
