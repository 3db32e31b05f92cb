"""Every pixel format in a camera's buffer becomes the same picture."""

import numpy as np
import pytest
from camera_standins import in_memory, scene

from edge.capture.pixel_formats import to_bgr
from edge.errors import CameraError

EXACT = ("RGB888", "BGR888", "XRGB8888", "XBGR8888")
ROUNDED = ("YUV420", "NV12")


@pytest.mark.parametrize("padding", [0, 2, 62])
@pytest.mark.parametrize("name", EXACT + ROUNDED)
def test_a_buffer_becomes_the_scene_that_was_seen(name: str, padding: int) -> None:
    """YUV is in video range, which loses a level or two."""
    row = 64 * {"RGB888": 3, "BGR888": 3, "XRGB8888": 4, "XBGR8888": 4}.get(name, 1)
    image = to_bgr(in_memory(scene(64, 48), name, row + padding), name, (64, 48), row + padding)
    assert image.shape == (48, 64, 3)
    assert image.flags.c_contiguous
    difference = np.abs(image.astype(int) - scene(64, 48))
    assert difference.max() <= (0 if name in EXACT else 3)


def test_the_names_say_the_opposite_of_the_memory() -> None:
    """libcamera's RGB888 is B, G, R in memory; read as R, G, B, blue would be red."""
    one_pixel = np.array([200, 90, 40], np.uint8)
    assert to_bgr(one_pixel, "RGB888", (1, 1), 3).tolist() == [[[200, 90, 40]]]
    assert to_bgr(one_pixel, "BGR888", (1, 1), 3).tolist() == [[[40, 90, 200]]]


def test_a_grey_in_yuyv() -> None:
    """Luma 126 in video range is (126 - 16) * 255 / 219 = 128."""
    buffer = np.array([[126, 128] * 4] * 2, np.uint8).reshape(-1)
    assert (to_bgr(buffer, "YUYV", (4, 2), 8) == 128).all()


def test_a_buffer_may_be_longer_than_its_picture() -> None:
    buffer = np.concatenate([in_memory(scene(64, 48), "NV12", 64), np.zeros(4096, np.uint8)])
    assert to_bgr(buffer, "NV12", (64, 48), 64).shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("name", "bytes_there", "stride", "message"),
    [
        ("RGB888", 100, 192, "holds 100 bytes in rows of 192; RGB888 at 64x48 needs 9216"),
        ("RGB888", 100_000, 100, "rows of at least 192"),
        ("YUV420", 3072, 64, "needs 4608"),
        ("SBGGR10", 100_000, 192, "pixel format SBGGR10: must be one of BGR888, NV12"),
    ],
)
def test_what_does_not_fit_is_an_error_not_a_crash(name: str, bytes_there: int, stride: int, message: str) -> None:
    with pytest.raises(CameraError, match=message):
        to_bgr(np.zeros(bytes_there, np.uint8), name, (64, 48), stride)
