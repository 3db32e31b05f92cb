"""Channels of a chain brought to one range, and the function left as it is."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edge.bundle.manifest import Preprocessing
from trainer.learning.predict import Predictor
from trainer.native_output import load_tensorflow
from trainer.quantizing.equalize import MAX_SCALE, equalize, find_chains

EVERYTHING = np.arange(40)


@pytest.fixture(scope="module", params=[("mobilenet_v2", 0.35), ("mobilenet_v3_small", 0.25)], ids=lambda p: p[0])
def model(request: pytest.FixtureRequest, pictures: np.ndarray, untrained: Callable[..., Any]) -> Any:
    """A folded network with residual blocks."""
    load_tensorflow()
    return untrained(*request.param, pictures)


def names(layers: list[Any]) -> list[str]:
    return [layer.name for layer in layers]


def sizes(model: Any, layers: list[Any], pictures: np.ndarray, spec: Preprocessing) -> np.ndarray:
    """The largest size of each channel over all of `layers`, on all pictures."""
    import keras

    probe = keras.Model(model.input, [layer.output for layer in layers])
    given = (pictures.astype(np.float32) - np.array(spec.mean)) / np.array(spec.std)
    answers = probe(given.astype(np.float32), training=False)
    return np.max([np.abs(np.asarray(a)).max(axis=(0, 1, 2)) for a in answers], axis=0)


@pytest.mark.slow
def test_the_function_stays_and_every_channel_of_a_chain_gets_the_same_range(
    model: Any, pictures: np.ndarray, spec: Preprocessing
) -> None:
    """Except for channels that are so small that 64 times as much is still less, dead ones among them."""
    chains = find_chains(model)
    assert any("Add" in type(layer).__name__ for chain in chains for layer in chain.holders)
    answers, weights = Predictor(model, spec).predict(pictures, EVERYTHING), model.get_weights()
    before = [sizes(model, chain.holders, pictures, spec) for chain in chains]

    assert equalize(model, spec, pictures, EVERYTHING) == len(chains)

    spread = float(answers.std())
    assert Predictor(model, spec).predict(pictures, EVERYTHING) == pytest.approx(answers, abs=1e-4 * spread)
    assert any(not np.array_equal(old, new) for old, new in zip(weights, model.get_weights(), strict=True))
    for chain, old in zip(chains, before, strict=True):
        new = sizes(model, chain.holders, pictures, spec)
        small = old * MAX_SCALE < old.max()
        assert (~small).sum() > 1
        assert new[~small] == pytest.approx(old.max(), rel=1e-3)
        assert new[small] == pytest.approx(old[small] * MAX_SCALE, rel=1e-3, abs=1e-6)


def test_mobilenet_v1_has_no_chain_and_stays_as_it_is(
    pictures: np.ndarray, spec: Preprocessing, untrained: Callable[..., Any]
) -> None:
    """An activation follows every one of its convolutions."""
    load_tensorflow()
    model = untrained("mobilenet_v1", 0.25, pictures)
    before = model.get_weights()
    assert find_chains(model) == []
    assert equalize(model, spec, pictures, EVERYTHING) == 0
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


# Which chains there are


@pytest.fixture
def graph() -> Callable[[Callable[..., Any]], list[Any]]:
    """The chains of a small graph: build(layers, input) -> output."""
    load_tensorflow()
    import keras

    def find(build: Callable[..., Any]) -> list[Any]:
        given = keras.Input((8, 8, 3))
        return find_chains(keras.Model(given, build(keras.layers, given)))

    return find


def test_a_linear_convolution_that_a_convolution_reads_is_a_chain(
    graph: Callable[[Callable[..., Any]], list[Any]],
) -> None:
    def build(layers: Any, given: Any) -> Any:
        return layers.Conv2D(2, 1, name="reader")(layers.Conv2D(4, 1, name="writer")(given))

    (chain,) = graph(build)
    assert (names(chain.writers), names(chain.readers)) == (["writer"], ["reader"])


def test_what_is_added_up_is_one_chain_with_all_that_writes_and_reads_it(
    graph: Callable[[Callable[..., Any]], list[Any]],
) -> None:
    """Two residual blocks: three convolutions write the sum's channels, three read them."""

    def build(layers: Any, given: Any) -> Any:
        trunk = layers.Conv2D(4, 1, name="stem")(given)
        for block in (1, 2):
            inner = layers.Conv2D(6, 1, activation="relu", name=f"expand{block}")(trunk)
            trunk = layers.Add(name=f"sum{block}")([trunk, layers.Conv2D(4, 1, name=f"project{block}")(inner)])
        return layers.Conv2D(2, 1, name="last")(trunk)

    (chain,) = graph(build)
    assert sorted(names(chain.writers)) == ["project1", "project2", "stem"]
    assert sorted(names(chain.readers)) == ["expand1", "expand2", "last"]
    assert sorted(names(chain.holders)) == ["project1", "project2", "stem", "sum1", "sum2"]


def test_padding_between_writer_and_reader_belongs_to_the_chain(
    graph: Callable[[Callable[..., Any]], list[Any]],
) -> None:
    def build(layers: Any, given: Any) -> Any:
        padded = layers.ZeroPadding2D(1, name="padding")(layers.Conv2D(4, 1, name="writer")(given))
        return layers.Conv2D(2, 3, name="reader")(padded)

    (chain,) = graph(build)
    assert names(chain.readers) == ["reader"]
    assert names(chain.holders) == ["writer", "padding"]


def with_its_own_activation(layers: Any, given: Any) -> Any:
    return layers.Conv2D(2, 1)(layers.Conv2D(4, 1, activation="relu")(given))


def with_an_activation_behind_it(layers: Any, given: Any) -> Any:
    return layers.Conv2D(2, 1)(layers.ReLU(6.0)(layers.Conv2D(4, 1)(given)))


def one_of_two_readers_is_an_activation(layers: Any, given: Any) -> Any:
    trunk = layers.Conv2D(4, 1)(given)
    return layers.Concatenate()([layers.Conv2D(2, 1)(trunk), layers.ReLU()(trunk)])


def read_by_a_depthwise_convolution(layers: Any, given: Any) -> Any:
    return layers.DepthwiseConv2D(3)(layers.Conv2D(4, 1)(given))


def leaving_the_model(layers: Any, given: Any) -> Any:
    return layers.Conv2D(4, 1)(given)


def averaged(layers: Any, given: Any) -> Any:
    return layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(given))


def added_to_an_activation(layers: Any, given: Any) -> Any:
    """The sum's channels are those of the activation, too, which must stay."""
    bent = layers.ReLU()(layers.Conv2D(4, 1)(given))
    return layers.Conv2D(2, 1)(layers.Add()([layers.Conv2D(4, 1)(given), bent]))


def added_to_the_input(layers: Any, given: Any) -> Any:
    return layers.Conv2D(2, 1)(layers.Add()([given, layers.Conv2D(3, 1)(given)]))


@pytest.mark.parametrize(
    "build",
    [
        with_its_own_activation,
        with_an_activation_behind_it,
        one_of_two_readers_is_an_activation,
        read_by_a_depthwise_convolution,
        leaving_the_model,
        averaged,
        added_to_an_activation,
        added_to_the_input,
    ],
    ids=lambda build: build.__name__.replace("_", " "),
)
def test_channels_that_anything_else_touches_are_left_alone(
    graph: Callable[[Callable[..., Any]], list[Any]], build: Callable[..., Any]
) -> None:
    assert graph(build) == []
