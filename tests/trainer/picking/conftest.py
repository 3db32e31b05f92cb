"""A real bundle for what looks at photos with one."""

from pathlib import Path

import pytest

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.importing.importer import Question, Told, import_model


def no_questions(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")


@pytest.fixture(scope="module")
def sealed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real MobileNet of 1,001 classes as a bundle."""
    model = shared / "models" / "mobilenet_v1_0.25_128_quant.tflite"
    bundle = import_model(model, tmp_path_factory.mktemp("sealed") / "birds", Told(resize="squash"), no_questions)
    save(bundle)
    return bundle
