"""Photos as the network sees them: read from disk unprepared, prepared to the bit as the device does."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge.bundle.manifest import InputTensor, Preprocessing, Resize
from edge.images import read_image
from edge.preprocess import Preprocessor
from edge.records import Pixels
from trainer.dataset.listing import list_photos
from trainer.dataset.photos import Photos, load_photos

Paint = Callable[..., Pixels]
SavePhoto = Callable[..., Path]
Load = Callable[[Preprocessing], Photos]

STEPS = ("white-balance", "grey", "smooth", "clahe")


@pytest.fixture
def load(tmp_path: Path, tensor: InputTensor, paint: Paint, save_photo: SavePhoto) -> Load:
    """Decode two classes of four photos, of different shapes, for a preprocessing."""
    rng = np.random.default_rng(0)
    for label in ("owl", "wren"):
        for number in range(4):
            save_photo(tmp_path / "photos" / label / f"{number}.jpg", paint(rng, 60 + 20 * number, 80))

    def run(spec: Preprocessing) -> Photos:
        listing = list_photos(tmp_path / "photos")
        return load_photos(listing, spec, tensor, tmp_path, workers=1, skip_unreadable=False, progress=lambda _: None)

    return run


@pytest.mark.parametrize("resize", ["squash", "crop", "letterbox"])
def test_every_photo_is_what_the_device_makes_of_it(
    load: Load, spec: Preprocessing, tensor: InputTensor, resize: Resize
) -> None:
    spec = msgspec.structs.replace(spec, resize=resize, preparation=STEPS)
    with (photos := load(spec)).pixels:
        device = Preprocessor(spec, tensor)
        expected = np.stack([device.pixels(read_image(photo.path)) for photo in photos.listing.photos])
        seen = photos.seen
        assert np.array_equal(seen[:], expected)
        assert np.array_equal(seen[np.array([5, 0])], expected[[5, 0]])
        assert np.array_equal(seen[expected[:, 0, 0, 0] >= 0], expected)
        assert np.array_equal(seen[3], expected[3])
        assert seen[np.array([], np.int64)].shape == (0, *expected.shape[1:])


def test_near_duplicates_and_brightness_are_those_of_unprepared_photos(load: Load, spec: Preprocessing) -> None:
    plain, prepared = load(spec), load(msgspec.structs.replace(spec, preparation=("grey", "equalize")))
    with plain.pixels, prepared.pixels:
        assert np.array_equal(prepared.hashes, plain.hashes)
        assert np.array_equal(prepared.greys, plain.greys)
        assert prepared.records == plain.records
        assert np.array_equal(prepared.pixels[:], plain.pixels[:])
        assert plain.seen is plain.pixels
