"""A detector in each runtime: a made one, and a real one of Coral's on its own pictures."""

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import EngineError, ModelError
from edge.inference.runtime import TfliteRuntime
from edge.locating.detector import DetectorModel, is_compiled
from edge.locating.places import Place, overlap

OUTPUTS = {
    "boxes": np.array([[[0.25, 0.5, 0.75, 1.0], [0, 0, 0.5, 0.25]]], np.float32),
    "classes": np.array([[3, 1]], np.float32),
    "scores": np.array([[0.8, 0.35]], np.float32),
    "count": np.array([2], np.float32),
}
FRAME = np.zeros((120, 160, 3), np.uint8)


@pytest.fixture
def made() -> Callable[..., bytes]:
    """Makes detectors of a few hundred bytes; needs the schema that comes with LiteRT."""
    make: Callable[..., bytes] = pytest.importorskip("tiny_models").detector_model
    return make


def opened(runtime: TfliteRuntime, model: bytes, threshold: float = 0.3) -> DetectorModel:
    return DetectorModel(runtime, model, threshold=threshold, least=0.025, threads=2)


def test_boxes_are_found_in_the_frames_own_pixels(each_runtime: TfliteRuntime, made: Callable[..., bytes]) -> None:
    detector = opened(each_runtime, made(**OUTPUTS))
    assert [(one.place, round(one.score, 2)) for one in detector.find(FRAME)] == [
        (Place(80, 30, 160, 90), 0.8),
        (Place(0, 0, 40, 60), 0.35),
    ]
    assert [one.is_new for one in detector.find(FRAME)] == [False, False]


@pytest.mark.parametrize("order", [list(order) for order in permutations(OUTPUTS)][::5])
def test_outputs_in_another_order_are_the_same(
    each_runtime: TfliteRuntime, made: Callable[..., bytes], order: list[str]
) -> None:
    model = made(**{f"out {i}": OUTPUTS[name] for i, name in enumerate(order)})
    assert opened(each_runtime, model).find(FRAME)[0].place == Place(80, 30, 160, 90)


def test_a_real_one_finds_the_cars_of_its_own_pictures(each_runtime: TfliteRuntime, shared: Path) -> None:
    """Two further inputs hold the state of a model for video."""
    model = (shared / "models" / "traffic_model.tflite").read_bytes()
    detector = opened(each_runtime, model)
    assert detector.size == (256, 256)
    for number, left in ((1, 69), (2, 60), (3, 50)):  # a dark car drives to the left
        picture = cv2.imread(str(shared / "models" / f"traffic_{number}.bmp"))
        assert any(overlap(one.place, Place(left, 148, left + 72, 196)) > 0.7 for one in detector.find(picture))


def test_a_classifier_is_no_detector(each_runtime: TfliteRuntime, small_model: Path) -> None:
    with pytest.raises(ModelError, match="outputs 1x1001: a detector has boxes"):
        opened(each_runtime, small_model.read_bytes())


def test_what_the_runtime_refuses_is_an_engine_error_of_one_line(each_runtime: TfliteRuntime) -> None:
    with pytest.raises(EngineError, match=r"refused the detector: \S") as caught:
        opened(each_runtime, b"no model\n" * 20)
    assert "\n" not in str(caught.value)


def test_a_closed_one_is_an_error_and_no_crash(each_runtime: TfliteRuntime, made: Callable[..., bytes]) -> None:
    detector = opened(each_runtime, made(**OUTPUTS))
    detector.close()
    detector.close()
    with pytest.raises(EngineError, match="closed"):
        detector.find(FRAME)


def test_compiled_models_are_known_as_such(shared: Path) -> None:
    models = shared / "models"
    assert is_compiled((models / "mobilenet_v1_0.25_128_quant_edgetpu.tflite").read_bytes())
    assert not is_compiled((models / "traffic_model.tflite").read_bytes())
