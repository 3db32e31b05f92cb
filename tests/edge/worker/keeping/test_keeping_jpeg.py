"""Frames to JPEGs, and these to files that nobody can change."""

import os

import cv2
import numpy as np
import pytest
from kept import decoded

from edge.worker.keeping.jpeg import JpegEncoder, as_file, shrunk


@pytest.mark.parametrize(
    ("size", "max_side", "expected"),
    [
        ((640, 480), 1280, (640, 480)),
        ((1920, 1080), 1280, (1280, 720)),
        ((480, 640), 320, (240, 320)),
        ((5000, 2), 64, (64, 1)),
    ],
)
def test_only_a_longer_side_is_reduced(size: tuple[int, int], max_side: int, expected: tuple[int, int]) -> None:
    width, height = size
    jpeg = JpegEncoder(max_side=max_side, quality=85).encode(np.full((height, width, 3), 90, np.uint8), 3.5)
    assert jpeg is not None
    assert (jpeg.width, jpeg.height, jpeg.captured_mono_s) == (*expected, 3.5)
    image = decoded(jpeg.data)
    assert image.shape[:2] == expected[::-1]
    assert abs(int(image.mean()) - 90) < 3


def test_the_quality_decides_on_the_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    small, large = (JpegEncoder(max_side=128, quality=quality).encode(noise, 0.0) for quality in (30, 95))
    assert small is not None
    assert large is not None
    assert 2 * len(small.data) < len(large.data)


def test_a_part_of_a_frame_is_encoded_in_its_own_colours() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[20:60, 30:90] = (200, 0, 0)  # blue
    jpeg = JpegEncoder(max_side=100, quality=90).encode(image[20:60, 30:90], 0.0)
    assert jpeg is not None
    assert (jpeg.width, jpeg.height) == (60, 40)
    assert decoded(jpeg.data)[20, 30].tolist() == pytest.approx([200, 0, 0], abs=5)


def test_a_picture_without_memory_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise cv2.error("Insufficient memory")

    monkeypatch.setattr(cv2, "imencode", fails)
    encoder = JpegEncoder(max_side=100, quality=90)
    assert [encoder.encode(np.zeros((4, 5, 3), np.uint8), 0.0) for _ in range(3)] == [None] * 3
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == ["a picture of 5 x 4 was not encoded: Insufficient memory"]


def test_what_is_small_enough_is_not_copied() -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    assert shrunk(image, 64) is image


def test_a_file_holds_the_bytes_from_its_begin_and_cannot_be_changed() -> None:
    file = as_file(b"\xff\xd8 picture")
    try:
        assert os.read(file, 100) == b"\xff\xd8 picture"
        with pytest.raises(PermissionError):
            os.pwrite(file, b"x", 0)
        with pytest.raises(PermissionError):
            os.ftruncate(file, 0)
    finally:
        os.close(file)
