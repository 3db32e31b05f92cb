"""A bundle as a source: its features, and its scores beside them; the photos that it doubts are picked."""

from pathlib import Path

import msgspec
import numpy as np
from heard import Heard
from mean_colours import colour_photos

from edge.bundle.store import Bundle
from edge.embedding.source import BundleFeatures
from edge.images import read_image
from edge.preprocess import Preprocessor
from trainer.picking.answers import BundleAnswers
from trainer.picking.pick import pick


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
