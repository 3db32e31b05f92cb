"""The trained float model made int8, and what is done where that costs accuracy."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge.bundle.manifest import Preprocessing
from trainer.dataset.photo_set import PhotoSet
from trainer.learning.predict import Predictor
from trainer.native_output import load_tensorflow
from trainer.quantizing import int8
from trainer.quantizing.int8 import Int8, to_int8

TRAIN, VAL = np.arange(96), np.arange(96, 144)


class Heard:
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextlib.contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        yield lambda steps: None

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.fixture(scope="module")
def photos() -> PhotoSet:
    """144 noisy pictures, redder or bluer: uint8 (144, 16, 16, 3)."""
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 72)
    pixels = rng.integers(0, 160, (144, 16, 16, 3)).astype(np.uint8)
    pixels[labels == 0, :, :, 0] += 60
    pixels[labels == 1, :, :, 2] += 60
    return PhotoSet(pixels, labels, TRAIN, VAL)


@pytest.fixture(scope="module")
def model(photos: PhotoSet, spec: Preprocessing) -> Any:
    """A network of some hundred weights, with BatchNorm, trained for a second until it is nearly always right."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    given = keras.Input((16, 16, 3))
    trunk = layers.Conv2D(8, 3, strides=2, use_bias=False)(given)
    trunk = layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.5)(trunk))
    trunk = layers.ReLU(6.0)(layers.DepthwiseConv2D(3)(trunk))
    network = keras.Model(given, layers.Dense(2, name="logits")(layers.GlobalAveragePooling2D()(trunk)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(0.02), loss)
    given_pixels = (photos.pixels[TRAIN].astype(np.float32) - 127.5) / 127.5
    network.fit(given_pixels, photos.labels[TRAIN], batch_size=32, epochs=15, verbose=0)
    return network


@pytest.fixture
def make(model: Any, photos: PhotoSet, spec: Preprocessing) -> Callable[[], tuple[Int8, list[str]]]:
    """to_int8 of the network, and what it said."""

    def run() -> tuple[Int8, list[str]]:
        progress = Heard()
        return to_int8(model, spec, photos, TRAIN[:50], progress, threads=1), progress.said

    return run


def accuracy(logits: np.ndarray, photos: PhotoSet) -> float:
    return float((logits.argmax(axis=1) == photos.labels[photos.val]).mean())


def test_int8_answers_like_the_float_model_and_nothing_needs_to_be_done(
    make: Callable[[], tuple[Int8, list[str]]], model: Any, photos: PhotoSet, spec: Preprocessing
) -> None:
    made, said = make()
    expected = Predictor(model, spec).predict(photos.pixels, VAL)
    assert made.val_float_logits == pytest.approx(expected)
    assert accuracy(expected, photos) > 0.9
    assert np.corrcoef(made.val_logits.ravel(), expected.ravel())[0, 1] > 0.99
    assert accuracy(made.val_logits, photos) == pytest.approx(accuracy(expected, photos), abs=1.5 / len(VAL))
    assert made.remedy is None
    assert said == ["quantizing to int8 on 50 photos"]


def test_the_model_that_was_given_stays_as_it_is(make: Callable[[], tuple[Int8, list[str]]], model: Any) -> None:
    before = model.get_weights()
    make()
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))


def test_every_layer_is_compared(make: Callable[[], tuple[Int8, list[str]]]) -> None:
    made, _ = make()
    assert [row.operator for row in made.layers] == ["CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "FULLY_CONNECTED"]


# Where too much is lost


def test_a_loss_is_met_with_tighter_ranges_which_are_kept_if_they_are_better(
    make: Callable[[], tuple[Int8, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is lost is too much here; the plain ranges are made so wide that tight ones must win."""
    monkeypatch.setattr(int8, "MAX_LOSS", -1)
    observe_ranges, wide = int8.observe_ranges, []

    def spoil(*words: Any) -> bytes:
        ranged = observe_ranges(*words)
        names = [name for name in tensor_names(ranged) if "conv" in name]
        wide.append(int8.tighten(ranged, dict.fromkeys(names, (0.0, 600.0))))
        return wide[-1]

    monkeypatch.setattr(int8, "observe_ranges", spoil)
    made, said = make()
    assert "; these ranges were kept" in made.remedy
    assert said[-1] == made.remedy
    assert made.model != int8.finish(wide[0])


def test_tighter_ranges_that_do_not_help_are_not_kept(
    make: Callable[[], tuple[Int8, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = make()
    monkeypatch.setattr(int8, "MAX_LOSS", -1)
    monkeypatch.setattr(int8, "best_range", lambda values: (0.0, 1e-3))
    made, _ = make()
    assert "; the plain ranges were kept" in made.remedy
    assert np.array_equal(made.val_logits, plain.val_logits)


def tensor_names(ranged: bytes) -> list[str]:
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(ranged, 0)).subgraphs[0]
    return [graph.tensors[operator.outputs[0]].name.decode() for operator in graph.operators]
