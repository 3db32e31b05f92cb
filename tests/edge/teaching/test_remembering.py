"""Examples behind a model: read as they were written, refused if they are damaged, passed over by runtimes."""

import io
import zipfile

import numpy as np
import pytest
from handmade_models import archive, classifier
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelError
from edge.inference.runtime import TfliteRuntime
from edge.inference.tflite import TfliteClassifier
from edge.teaching.last_layer import read_last_layer
from edge.teaching.remembering import MOST, MOST_LEARNED, MOST_OF_CLASS, Remembered, bare, chosen, recall, remember

MODEL = classifier()
LAYER = read_last_layer(MODEL)
FEATURES = np.linspace(-0.9, 0.9, 12).reshape(4, 3)
CLASSES = np.array([0, 1, 2, 2])
LEARNED = np.array([False, True, False, True])
EXAMPLES = Remembered(FEATURES, CLASSES, LEARNED)
WITH = remember(MODEL, LAYER.of_input, EXAMPLES)


def test_they_come_back_to_the_step_of_the_layers_input() -> None:
    found = recall(WITH, LAYER.of_input, 3, 3) or pytest.fail("nothing there")
    assert found.features == pytest.approx(FEATURES, abs=LAYER.of_input.scales[0] / 2 + 1e-9)
    assert np.array_equal(found.classes, CLASSES)
    assert np.array_equal(found.learned, LEARNED)


def test_they_take_the_place_of_those_before_and_leave_the_model_alone() -> None:
    again = remember(WITH, LAYER.of_input, EXAMPLES[np.array([0])])
    assert bare(again) == bare(WITH) == MODEL == bare(MODEL)
    assert remember(MODEL, LAYER.of_input, EXAMPLES) == WITH


def test_runtimes_pass_over_them(each_runtime: TfliteRuntime) -> None:
    assert TfliteClassifier(each_runtime, WITH).outputs == TfliteClassifier(each_runtime, MODEL).outputs


def labelled() -> bytes:
    """The model with labels as TFLite's metadata keeps them: places count from the model's first byte."""
    data = io.BytesIO(MODEL)
    with zipfile.ZipFile(data, "a") as behind:
        behind.writestr("labels.txt", b"red\n")
    return data.getvalue()


@pytest.mark.parametrize("model", [MODEL, MODEL + archive({"labels.txt": b"red\n"}), labelled(), b"", b"PK\x05\x06"])
def test_a_model_without_them_has_none_and_keeps_what_else_is_behind_it(model: bytes) -> None:
    assert recall(model, LAYER.of_input, 3, 3) is None
    assert bare(model) == model


@pytest.mark.parametrize(("classes", "channels"), [(2, 3), (3, 4), (3, 6)])
def test_those_of_another_layer_are_refused(classes: int, channels: int) -> None:
    with pytest.raises(ModelError, match="examples behind it are"):
        recall(WITH, LAYER.of_input, classes, channels)


def test_more_than_are_ever_kept_are_refused_before_they_take_memory() -> None:
    count = 8 * (MOST + MOST_LEARNED)
    many = remember(MODEL, LAYER.of_input, Remembered.of(np.zeros((count, 3)), np.zeros(count, np.int64)))
    with pytest.raises(ModelError, match="examples behind it are damaged"):
        recall(many, LAYER.of_input, 3, 3)


@given(st.integers(0, len(WITH) - len(MODEL) - 1), st.integers(1, 255))
def test_damage_is_found_or_harmless(place: int, change: int) -> None:
    damaged = bytearray(WITH)
    damaged[len(MODEL) + place] ^= change
    try:
        found = recall(bytes(damaged), LAYER.of_input, 3, 3)
    except ModelError as error:
        assert "examples behind it" in str(error)
    else:
        assert found is None or found.features.shape[1] == 3


@given(st.lists(st.integers(0, 600), min_size=1, max_size=900))
def test_few_of_each_class_are_kept_and_none_is_forgotten_while_there_is_room(classes: list[int]) -> None:
    kept = chosen(classes)
    assert len(kept) <= MOST
    assert np.array_equal(kept, np.unique(kept))
    counts = np.bincount(np.array(classes)[kept])
    assert counts.max() <= MOST_OF_CLASS
    if len(set(classes)) <= MOST:
        assert {classes[row] for row in kept} == set(classes)
