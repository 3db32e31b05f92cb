"""The float model, run on many photos."""

from pathlib import Path

import numpy as np
import pytest

from edge.bundle.manifest import Preprocessing
from trainer.dataset.rows import Rows
from trainer.learning.predict import BATCH, Predictor, View, log_loss
from trainer.native_output import load_tensorflow

PHOTOS = 80


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (PHOTOS, 16, 16, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def means(spec: Preprocessing) -> Predictor:
    """Of a model whose outputs are the mean of each colour."""
    load_tensorflow()
    import keras

    given = keras.Input((16, 16, 3))
    return Predictor(keras.Model(given, keras.layers.GlobalAveragePooling2D()(given)), spec)


def test_pixels_are_normalised_as_on_the_device(means: Predictor, pixels: np.ndarray) -> None:
    expected = pixels[:3].mean(axis=(1, 2)) / 127.5 - 1
    assert means.predict(pixels, np.arange(3)) == pytest.approx(expected, abs=1e-4)
    assert means.channels == 3


@pytest.mark.parametrize("on_disk", [False, True])
def test_any_number_of_photos_is_predicted_in_the_order_asked_for(
    means: Predictor, pixels: np.ndarray, tmp_path: Path, on_disk: bool
) -> None:
    steps = []
    with Rows.create(tmp_path, PHOTOS, (16, 16, 3), np.uint8, "a test") as rows:
        rows.write_block(0, pixels)
        found = means.predict(rows if on_disk else pixels, np.arange(PHOTOS)[::-1], advance=steps.append)
    assert found == pytest.approx(pixels[::-1].mean(axis=(1, 2)) / 127.5 - 1, abs=1e-4)
    assert steps == [BATCH, BATCH, PHOTOS - 2 * BATCH]


def test_features_of_a_view_are_those_of_mirrored_and_turned_photos(spec: Preprocessing, pixels: np.ndarray) -> None:
    load_tensorflow()
    import keras

    given = keras.Input((16, 16, 3))
    corner = keras.Model(given, keras.layers.Flatten()(keras.layers.Cropping2D(((0, 15), (0, 15)))(given)))
    some = np.array([3, 0, 77])
    corners = {View(): (0, 0), View(mirrored=True): (0, -1), View(1): (0, -1), View(2): (-1, -1), View(3): (-1, 0)}
    corners |= {View(2, mirrored=True): (-1, 0), View(1, mirrored=True): (-1, -1)}
    for view, (row, column) in corners.items():
        found = Predictor(corner, spec).predict(pixels, some, view=view)
        assert found == pytest.approx(pixels[some, row, column] / 127.5 - 1, abs=1e-5)


def test_accuracy_and_loss_are_those_of_the_photos_asked_for(means: Predictor, pixels: np.ndarray) -> None:
    logits = means.predict(pixels, np.arange(PHOTOS))
    labels = logits.argmax(axis=1)
    labels[40:] = (labels[40:] + 1) % 3
    assert Predictor.judge(logits[:40], labels[:40])[0] == 1
    accuracy, loss = Predictor.judge(logits[30:70], labels[30:70])
    assert accuracy == 0.25
    assert loss == pytest.approx(log_loss(logits[30:70], labels[30:70]), abs=1e-6)


def test_what_a_photo_costs_is_more_than_nothing(means: Predictor, pixels: np.ndarray) -> None:
    assert means.seconds_per_photo(pixels, np.arange(PHOTOS)) > 0


def test_log_loss_is_the_mean_negative_log_likelihood() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]))
    assert log_loss(logits, np.array([0, 2])) == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)


def test_log_loss_does_not_overflow() -> None:
    assert log_loss(np.array([[1e4, 0.0]]), np.array([1])) == pytest.approx(1e4)
