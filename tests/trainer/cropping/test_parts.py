"""One part: its name, its pixels, and what it keeps of its photo."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.images import read_image
from edge.locating.places import Place
from edge.records import Pixels
from trainer.cropping.parts import Format, notes_of, part_name, save_part, source_name
from trainer.dataset.inspection import inspect


def photo(path: Path, picture_bgr: Pixels, *, orientation: int = 1) -> Path:
    """Save a photo as a camera does: with its name, the moment and its orientation."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Trap 3", orientation
    exif.get_ifd(0x8769).update({0x9003: "2026:05:01 05:30:00", 0x9291: "25", 0xA431: "00042"})
    Image.fromarray(picture_bgr[:, :, ::-1]).save(path, exif=exif, quality=95)
    return path


@pytest.fixture
def picture_bgr() -> Pixels:
    """Four fields of different colours: 40 high, 60 wide."""
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:20, :30], picture[:20, 30:], picture[20:, :30] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return picture


@pytest.mark.parametrize("form", ["jpeg", "png"])
def test_pixels_camera_and_moment_are_kept(tmp_path: Path, picture_bgr: Pixels, form: Format) -> None:
    source = photo(tmp_path / "a.jpg", picture_bgr, orientation=6)
    os.utime(source, (1_000_000_000, 1_000_000_000))
    upright = read_image(source)
    notes = notes_of(source)
    assert notes.orientation == 6
    part = tmp_path / f"part.{form}"
    save_part(part, upright, Place(5, 5, 15, 25), notes, form)
    shown = read_image(part)
    assert shown.shape == (20, 10, 3), "not turned a second time"
    assert np.abs(shown.astype(int) - upright[5:25, 5:15]).max() < 24
    record = inspect(part, shown)
    assert (record.captured_s, record.camera) == (1777613400.25, "Maker Trap 3 00042")
    assert record.orientation == 1
    assert part.stat().st_mtime == 1_000_000_000


def test_damaged_notes_are_left_out(tmp_path: Path, picture_bgr: Pixels) -> None:
    source = photo(tmp_path / "a.jpg", picture_bgr)
    data = bytearray(source.read_bytes())
    at = data.index(b"Exif\0\0") + 6
    for place in range(at + 8, at + 60):
        data[place] ^= 0xA5
    source.write_bytes(data)
    save_part(tmp_path / "part.jpg", read_image(source), Place(0, 0, 9, 9), notes_of(source), "jpeg")
    assert read_image(tmp_path / "part.jpg").shape == (9, 9, 3)


def test_the_name_holds_photo_and_box() -> None:
    name = part_name("IMG_0001.JPG", Place(120, 45, 200, 105), "jpeg")
    assert name == "IMG_0001.JPG@120-45-80x60.jpg"
    assert source_name(name) == "IMG_0001.JPG"
    assert source_name("IMG_0001.JPG") is None


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_names_are_never_too_long_and_never_the_same_for_two_boxes(photo: str) -> None:
    names = [part_name(photo, Place(left, 0, left + 5, 5), "png") for left in (1, 2)]
    assert len(set(names)) == 2
    assert all(len(os.fsencode(name)) <= 255 for name in names)
    longer = part_name(photo + "x", Place(1, 0, 6, 5), "png")
    assert longer not in names, "nor for two photos"
