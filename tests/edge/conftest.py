"""Fixtures with bundles: a real MobileNet of Coral's, imported once for each pytest worker."""

import importlib.util
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from software_tpu import Prepared, SoftwareTpu, prepare

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.fakes import software_edgetpu
from edge.importing.importer import Question, Told, import_model
from edge.inference.runtime import TfliteRuntime, load_runtime

RUNTIMES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
RUNTIMES_HERE = [name for name, module in RUNTIMES.items() if importlib.util.find_spec(module) is not None]


def no_questions(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")


@pytest.fixture(scope="session")
def small_model(shared: Path) -> Path:
    """MobileNetV1 0.25 128, uint8, 1001 ImageNet classes, metadata inside."""
    return shared / "models" / "mobilenet_v1_0.25_128_quant.tflite"


@pytest.fixture(scope="session")
def sealed(small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A good bundle on disk; tests must not change it (see `bundle_copy`)."""
    out = tmp_path_factory.mktemp("sealed") / "birds"
    bundle = import_model(small_model, out, Told(resize="squash"), no_questions)
    save(bundle)
    return bundle


@pytest.fixture
def bundle_copy(sealed: Bundle, tmp_path: Path) -> Path:
    """Copy the good bundle to a folder of the test's own."""
    return Path(shutil.copytree(sealed.path, tmp_path / "birds"))


@pytest.fixture
def picture_bgr() -> NDArray[np.uint8]:
    """240x320, a bright red square on the left of a dark background."""
    image = np.full((240, 320, 3), 30, np.uint8)
    cv2.rectangle(image, (40, 80), (120, 160), (0, 0, 250), -1)
    return image


@pytest.fixture(scope="session", params=RUNTIMES_HERE)
def each_runtime(request: pytest.FixtureRequest) -> TfliteRuntime:
    """Every TFLite runtime that is installed; test_software_edgetpu.py skips with the name of the others."""
    return load_runtime(request.param)


@pytest.fixture(scope="session")
def edgetpu_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The software Edge TPU's library; the folder in FIELDFARE_SOFTWARE_EDGETPU controls it."""
    return software_edgetpu.build(tmp_path_factory.mktemp("edgetpu"))


@pytest.fixture(scope="session")
def prepared_tpu(shared: Path, edgetpu_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """The parts that all software Edge TPUs of a session share."""
    return prepare(tmp_path_factory.mktemp("prepared"), shared / "models", edgetpu_library)


@pytest.fixture
def software_tpu(prepared_tpu: Prepared, tmp_path: Path) -> SoftwareTpu:
    """A software Edge TPU of the test's own, without faults, and a bundle for it that tests must not change."""
    (tmp_path / "tpu").mkdir()
    return prepared_tpu.at(tmp_path / "tpu")
