"""Gradient training, on a network of a few hundred weights: 16x16 pictures, red or blue."""

import contextlib

import numpy as np
import pytest

from trainer.augment import Augmentation
from trainer.fit import Recipe, fit
from trainer.predict import Predictor
from trainer.quiet import load_tensorflow

PHOTOS = 160
TRAIN, VAL = np.arange(128), np.arange(128, PHOTOS)


class Heard:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.stages: dict[str, int] = {}
        self.steps = 0
        self.said: list[str] = []

    @contextlib.contextmanager
    def stage(self, title, total):
        self.stages[title] = total
        yield self._advance

    def _advance(self, steps):
        self.steps += steps

    def say(self, text):
        self.said.append(text)


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], PHOTOS // 2)
    pixels = rng.integers(0, 160, (PHOTOS, 16, 16, 3)).astype(np.uint8)
    pixels[labels == 0, :, :, 0] += 60
    pixels[labels == 1, :, :, 2] += 60
    return pixels, labels


@pytest.fixture
def network():
    """A fresh small network, always the same."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 3, strides=2, use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


@pytest.fixture
def train(spec, photos):
    """fit on the photos; every argument that matters can be set."""

    def run(model, *, epochs=3, peak=0.02, seed=0, keep_start=False, progress=None):
        recipe = Recipe(epochs, peak, Augmentation(mirror=True), seed)
        return fit(model, spec, *photos, TRAIN, VAL, recipe, progress or Heard(), keep_start=keep_start)

    return run


def test_training_learns_and_leaves_the_model_at_its_best_validated_weights(network, train, spec, photos):
    outcome = train(network, epochs=5)
    assert outcome.val_accuracy >= 0.9
    assert 1 <= outcome.epoch <= 5
    accuracy, loss = Predictor(network, spec).evaluate(*photos, VAL)
    assert (accuracy, loss) == pytest.approx((outcome.val_accuracy, outcome.val_loss), abs=1e-5)


def test_a_start_that_training_only_makes_worse_is_kept(network, train):
    train(network, epochs=5)
    before = network.get_weights()
    outcome = train(network, epochs=1, peak=50.0, keep_start=True)
    assert outcome.epoch == 0
    assert all(np.array_equal(old, new) for old, new in zip(before, network.get_weights(), strict=True))


def test_frozen_layers_stay_as_they_are(network, train):
    network.layers[0].trainable = False
    frozen, free = network.layers[0].get_weights()[0], network.layers[-1].get_weights()[0]
    train(network, epochs=1)
    assert network.layers[0].get_weights()[0] == pytest.approx(frozen, abs=1e-6)  # the average rounds
    assert np.abs(network.layers[-1].get_weights()[0] - free).max() > 1e-3


def test_the_same_seed_gives_the_same_weights(network, train):
    import keras

    start = network.get_weights()
    results = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(0)
        network.set_weights(start)
        train(network, epochs=2, seed=seed)
        results.append(network.get_weights()[0])
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_progress_counts_every_step_and_tells_every_epoch(network, train):
    progress = Heard()
    train(network, epochs=3, progress=progress)
    assert progress.stages == {"training": 12}  # 128 photos in batches of 32, three times
    assert progress.steps == 12
    assert [line.split(":")[0] for line in progress.said] == ["epoch 1", "epoch 2", "epoch 3"]


def test_features_of_mirrored_photos_are_those_of_the_mirror_images(spec, photos):
    load_tensorflow()
    import keras

    given = keras.Input((16, 16, 3))
    left = keras.Model(given, keras.layers.Flatten()(keras.layers.Cropping2D(((0, 15), (0, 15)))(given)))
    pixels, _ = photos
    some = np.array([3, 0, 77])
    corner = {False: pixels[some, 0, 0], True: pixels[some, 0, -1]}
    for mirrored, expected in corner.items():
        found = Predictor(left, spec).predict(pixels, some, mirrored=mirrored)
        assert found == pytest.approx(expected / 127.5 - 1, abs=1e-5)


def test_any_number_of_photos_is_predicted_in_order(spec, photos):
    load_tensorflow()
    import keras

    given = keras.Input((16, 16, 3))
    mean = keras.Model(given, keras.layers.GlobalAveragePooling2D()(given))
    pixels, _ = photos
    steps = []
    found = Predictor(mean, spec).predict(pixels, np.arange(PHOTOS)[::-1], advance=steps.append)
    assert found == pytest.approx(pixels[::-1].mean(axis=(1, 2)) / 127.5 - 1, abs=1e-4)
    assert steps == [32] * 5
