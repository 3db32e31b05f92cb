"""Photos, decoded once through the device's own preprocessing into an array on disk."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import DatasetError, StorageError
from edge.images import read_image
from edge.preprocess import Preprocessor
from edge.records import Pixels
from trainer.dataset.duplicates import fingerprint
from trainer.dataset.listing import Listing, list_photos
from trainer.dataset.photos import Photos, load_photos

Paint = Callable[..., Pixels]
SavePhoto = Callable[..., Path]
Load = Callable[..., Photos]


@pytest.fixture
def photo_folder(tmp_path: Path, paint: Paint, save_photo: SavePhoto) -> Path:
    """Two classes of six photos, of different sizes."""
    rng = np.random.default_rng(0)
    for label in ("owl", "wren"):
        for number in range(6):
            save_photo(tmp_path / "photos" / label / f"{number}.jpg", paint(rng, 60 + 10 * number, 80))
    return tmp_path / "photos"


@pytest.fixture
def load(tmp_path: Path, spec: Preprocessing, tensor: InputTensor) -> Load:
    """load_photos with everything that does not matter filled in."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def run(
        folder: Path | Listing,
        *,
        skip_unreadable: bool = False,
        workers: int = 2,
        progress: Callable[[int], None] = lambda _: None,
        spec: Preprocessing = spec,
    ) -> Photos:
        options = {"workers": workers, "skip_unreadable": skip_unreadable, "progress": progress}
        listing = folder if isinstance(folder, Listing) else list_photos(folder)
        return load_photos(listing, spec, tensor, scratch, **options)

    return run


def assert_rows_are_the_photos(photos: Photos, spec: Preprocessing, tensor: InputTensor) -> None:
    """Assert that every row is what the device would make of the photo at its place in the listing."""
    assert len(photos.pixels) == len(photos.hashes) == len(photos.greys) == len(photos.listing.photos)
    for row, photo in enumerate(photos.listing.photos):
        expected = Preprocessor(spec, tensor).pixels(read_image(photo.path))
        assert np.array_equal(photos.pixels[row], expected), photo.path
        assert np.array_equal(photos.hashes[row], fingerprint(expected)[0]), photo.path
        assert np.array_equal(photos.greys[row], fingerprint(expected)[1]), photo.path


def test_each_row_is_what_the_device_would_make_of_the_photo(
    photo_folder: Path, load: Load, spec: Preprocessing, tensor: InputTensor
) -> None:
    photos = load(photo_folder)
    assert photos.pixels.shape == (12, 32, 32, 3)
    assert photos.unreadable == ()
    assert_rows_are_the_photos(photos, spec, tensor)


def test_pixels_are_in_the_models_channel_order(tmp_path: Path, load: Load, save_photo: SavePhoto) -> None:
    blue_bgr = np.full((40, 40, 3), (250, 10, 0), np.uint8)
    for label in ("owl", "wren"):
        for number in range(4):
            save_photo(tmp_path / "blue" / label / f"{number}.png", blue_bgr)
    assert (load(tmp_path / "blue").pixels[:] == (0, 10, 250)).all()


@pytest.mark.parametrize("workers", [1, 4])
def test_any_number_of_workers_gives_the_photos_in_order_and_counts_each_once(
    photo_folder: Path, load: Load, spec: Preprocessing, tensor: InputTensor, workers: int
) -> None:
    steps = []
    photos = load(photo_folder, workers=workers, progress=steps.append)
    assert_rows_are_the_photos(photos, spec, tensor)
    assert sum(steps) == 12


def test_a_photo_with_an_exif_orientation_is_turned_upright(
    tmp_path: Path, load: Load, paint: Paint, save_photo: SavePhoto
) -> None:
    """Orientation 6: the camera was held upright, the file lies on its side."""
    upright = np.ascontiguousarray(paint(np.random.default_rng(1), 64, 64)[:, :, ::-1])
    lying = np.ascontiguousarray(np.rot90(upright))
    exif = Image.Exif()
    exif[0x0112] = 6
    for label in ("owl", "wren"):
        folder = tmp_path / "turned" / label
        folder.mkdir(parents=True)
        for number in range(3):
            Image.fromarray(upright).save(folder / f"{number}.png")
        Image.fromarray(lying).save(folder / "lying.png", exif=exif)
    photos = load(tmp_path / "turned")
    assert photos.listing.photos[3].path.name == "lying.png"
    assert np.array_equal(photos.pixels[3], photos.pixels[0])


def test_an_unreadable_photo_is_an_error_that_names_it_and_the_way_round(photo_folder: Path, load: Load) -> None:
    (photo_folder / "owl" / "2.jpg").write_bytes(b"this is no photo")
    with pytest.raises(DatasetError, match=r"owl/2\.jpg: .*; or leave such photos out with --skip-unreadable"):
        load(photo_folder)


def test_of_several_unreadable_photos_the_first_is_named_and_all_are_counted(photo_folder: Path, load: Load) -> None:
    (photo_folder / "wren" / "0.jpg").write_bytes(b"")
    cut_short = photo_folder / "owl" / "4.jpg"
    cut_short.write_bytes(cut_short.read_bytes()[:700])
    with pytest.raises(DatasetError, match=r"owl/4\.jpg: .*\(2 such photos of 12\).*--skip-unreadable"):
        load(photo_folder)


def test_unreadable_photos_can_be_left_out_and_the_rest_stays_aligned(
    photo_folder: Path, load: Load, spec: Preprocessing, tensor: InputTensor
) -> None:
    (photo_folder / "owl" / "0.jpg").write_bytes(b"")
    (photo_folder / "owl" / "3.jpg").write_bytes(b"this is no photo")
    (photo_folder / "wren" / "5.jpg").write_bytes(b"nor this")
    photos = load(photo_folder, skip_unreadable=True)
    names = [f"{photo.path.parent.name}/{photo.path.stem}" for photo in photos.listing.photos]
    assert names == ["owl/1", "owl/2", "owl/4", "owl/5", "wren/0", "wren/1", "wren/2", "wren/3", "wren/4"]
    assert photos.listing.labels.tolist() == [0] * 4 + [1] * 5
    assert_rows_are_the_photos(photos, spec, tensor)
    left_out = zip(photos.unreadable, ("owl/0.jpg", "owl/3.jpg", "wren/5.jpg"), strict=True)
    assert all(name in problem for problem, name in left_out)


def test_a_photo_that_the_disk_does_not_give_is_left_out_as_well(
    photo_folder: Path, load: Load, spec: Preprocessing, tensor: InputTensor
) -> None:
    """Gone since it was listed, no permission, a bad sector: to the user it is unreadable like any other."""
    listing = list_photos(photo_folder)
    (photo_folder / "owl" / "1.jpg").unlink()
    with pytest.raises(DatasetError, match=r"owl/1\.jpg: no such file.*--skip-unreadable"):
        load(listing)
    photos = load(listing, skip_unreadable=True)
    assert len(photos.unreadable) == 1
    assert_rows_are_the_photos(photos, spec, tensor)


def test_each_photo_has_a_record_in_its_place(photo_folder: Path, load: Load) -> None:
    (photo_folder / "owl" / "2.jpg").write_bytes(b"")
    photos = load(photo_folder, skip_unreadable=True)
    sizes = [(record.width, record.height) for record in photos.records]
    assert sizes == [(60 + 10 * int(photo.path.stem), 80) for photo in photos.listing.photos]
    first = photos.listing.photos[0].path.read_bytes()
    assert photos.records[0].sha256 == hashlib.sha256(first).digest()
    assert photos.records[0].size_bytes == len(first)


def test_the_space_is_reserved_before_any_photo_is_read(
    photo_folder: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk found later would be a SIGBUS, not an error."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    steps = []
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(StorageError, match=r"No space left on device.*TMPDIR"):
        load(photo_folder, progress=steps.append)
    assert steps == []


def test_letterboxed_photos_keep_their_shape(
    tmp_path: Path, load: Load, save_photo: SavePhoto, spec: Preprocessing
) -> None:
    wide = np.full((20, 80, 3), 255, np.uint8)
    for label in ("owl", "wren"):
        for number in range(4):
            save_photo(tmp_path / "wide" / label / f"{number}.png", wide)
    from msgspec.structs import replace

    pixels = load(tmp_path / "wide", spec=replace(spec, resize="letterbox", pad=0)).pixels[0]
    assert (pixels[12:20] == 255).all()
    assert (pixels[:12] == 0).all()
    assert (pixels[20:] == 0).all()
    assert cv2.countNonZero(pixels[:, :, 0]) == 8 * 32
