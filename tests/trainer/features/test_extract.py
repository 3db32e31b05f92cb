"""Features of many photos: in the order given, whatever cannot be read left out by name, in parts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from heard import Heard
from mean_colours import MeanColours
from numpy.typing import NDArray

from edge.errors import DatasetError, MissingInputError
from edge.images import read_image
from edge.preprocess import Preprocessor
from trainer.features import extract as module
from trainer.features.extract import extract


@pytest.fixture
def photos(tmp_path: Path, paint: Callable[..., NDArray[np.uint8]], save_photo: Callable[..., Path]) -> list[Path]:
    rng = np.random.default_rng(0)
    return [save_photo(tmp_path / f"{number}.jpg", paint(rng)) for number in range(7)]


@pytest.mark.parametrize("part", [3, 100])
def test_each_photo_gets_its_own_row_in_parts_too(
    photos: list[Path], part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PART", part)
    progress = Heard()
    found = extract(photos, MeanColours(), workers=1, progress=progress)
    preprocessor = Preprocessor(MeanColours.spec, MeanColours.tensor)
    expected = [preprocessor.pixels(read_image(photo)).mean(axis=(0, 1)) for photo in photos]
    assert np.allclose(found.features, expected, atol=1e-4)
    assert (found.paths, found.unreadable, progress.done) == (tuple(photos), (), 7)
    assert len(found.hashes) == len(found.greys) == len(found.records) == 7


def test_what_cannot_be_read_is_left_out_by_name(photos: list[Path]) -> None:
    photos[2].write_bytes(b"no photo")
    found = extract(photos, MeanColours(), workers=1, progress=Heard())
    assert found.paths == (*photos[:2], *photos[3:])
    assert len(found.features) == 6
    assert "2.jpg" in found.unreadable[0]


def test_nothing_readable_is_an_error(photos: list[Path]) -> None:
    photos[0].write_bytes(b"no photo")
    with pytest.raises(DatasetError, match=r"0\.jpg"):
        extract(photos[:1], MeanColours(), workers=1, progress=Heard())


def test_photos_that_vanish_while_they_are_read_are_no_damaged_photos(photos: list[Path]) -> None:
    for photo in photos[3:]:
        photo.unlink()
    with pytest.raises(MissingInputError, match=r"was there and is gone .*still plugged in"):
        extract(photos, MeanColours(), workers=1, progress=Heard())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused_by_name(photos: list[Path], value: float) -> None:
    class Damaged(MeanColours):
        def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            found = super().features(pixels)
            found[4, 1] = value
            return found

    with pytest.raises(DatasetError, match=r"1 of 7 photos .*4\.jpg.*weights"):
        extract(photos, Damaged(), workers=1, progress=Heard())
