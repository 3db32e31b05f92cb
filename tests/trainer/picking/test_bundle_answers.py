"""A bundle as a source: its features, and its scores beside them; the photos that it doubts are picked."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from heard import Heard
from mean_colours import colour_photos

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.embedding.source import BundleFeatures
from edge.images import read_image
from edge.importing.importer import Question, Told, import_model
from edge.preprocess import Preprocessor
from trainer.picking.answers import BundleAnswers
from trainer.picking.pick import pick


def no_questions(question: Question) -> str:
    raise AssertionError(f"asked for {question.option}")


@pytest.fixture(scope="module")
def sealed(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real MobileNet of 1,001 classes as a bundle."""
    model = shared / "models" / "mobilenet_v1_0.25_128_quant.tflite"
    bundle = import_model(model, tmp_path_factory.mktemp("sealed") / "birds", Told(resize="squash"), no_questions)
    save(bundle)
    return bundle


def test_scores_stand_beside_the_features(sealed: Bundle, tmp_path: Path) -> None:
    source, alone = BundleAnswers(sealed), BundleFeatures(sealed)
    photos = sorted(colour_photos(tmp_path, {"red": 2, "blue": 1}).iterdir())
    preprocessor = Preprocessor(source.spec, source.tensor)
    pixels = np.stack([preprocessor.pixels(read_image(photo)) for photo in photos])
    features, scores = source.parted(source.features(pixels))
    assert np.array_equal(features, alone.features(pixels))
    assert scores.shape == (3, len(sealed.labels))
    assert ((scores >= 0) & (scores <= 1)).all()
    source.close()
    alone.close()


def test_picks_carry_guess_and_doubt_and_become_json(sealed: Bundle, tmp_path: Path) -> None:
    source = BundleAnswers(sealed)
    photos = colour_photos(tmp_path, {"red": 3, "green": 3, "blue": 3})
    found = pick(photos, 4, source, labelled=None, seed=0, workers=1, progress=Heard())
    rows = msgspec.json.decode(msgspec.json.encode(found.rows))
    assert len(rows) == 4
    assert all(row["guess"] in sealed.labels and 0 <= row["doubt"] <= 1 for row in rows)
    assert [row["doubt"] for row in rows] == sorted((row["doubt"] for row in rows), reverse=True)
    source.close()
