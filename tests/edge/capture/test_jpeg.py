"""JPEGs are judged by their headers: whole ones are decoded, and no bomb is."""

import struct
import tracemalloc

import cv2
import numpy as np
import pytest
from camera_standins import scene
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.capture.jpeg import decode_jpeg
from edge.errors import ImageError
from edge.pictures.jpeg_header import is_whole_jpeg, jpeg_header
from edge.records import Pixels

WIDTH, HEIGHT = 64, 48
JPEG = cv2.imencode(".jpg", scene(WIDTH, HEIGHT, 1))[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", scene(WIDTH, HEIGHT, 1), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
PREVIEW = b"\xff\xe1" + (len(JPEG) + 2).to_bytes(2, "big") + JPEG


def flat(data: bytes) -> Pixels:
    return np.frombuffer(data, np.uint8)


def claiming(width: int, height: int, jpeg: bytes = JPEG) -> bytes:
    """Return a JPEG whose header claims another size."""
    data = bytearray(jpeg)
    frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    struct.pack_into(">HH", data, frame + 5, height, width)
    return bytes(data)


class TestWhole:
    @pytest.mark.parametrize("data", [JPEG, PROGRESSIVE, JPEG[:2] + PREVIEW + JPEG[2:]])
    def test_it_is_decoded(self, data: bytes) -> None:
        header = jpeg_header(data)
        assert (header.width, header.height) == (WIDTH, HEIGHT)
        assert decode_jpeg(flat(data)).shape == (HEIGHT, WIDTH, 3)
        assert is_whole_jpeg(data)

    @pytest.mark.parametrize("rest", [b"", bytes(64), b"\r\n--frame"])
    def test_what_follows_it_does_no_harm(self, rest: bytes) -> None:
        assert decode_jpeg(flat(JPEG + rest)).shape == (HEIGHT, WIDTH, 3)

    @pytest.mark.parametrize("padding", [b"\xff\xff\xff", b"\0\0padding\0", b"\xff\x00", b"\xff\xd0", b"\xff\x01"])
    def test_what_libjpeg_passes_over_between_segments_is_passed_over(self, padding: bytes) -> None:
        data = JPEG[:2] + padding + JPEG[2:]
        assert (jpeg_header(data).width, jpeg_header(data).height) == (WIDTH, HEIGHT)

    def test_a_large_one_is_decoded_smaller_if_asked(self) -> None:
        large = cv2.imencode(".jpg", np.full((3000, 4000, 3), 90, np.uint8))[1].tobytes()
        assert decode_jpeg(flat(large)).shape == (3000, 4000, 3)
        assert decode_jpeg(flat(large), least=(2000, 1500)).shape == (1500, 2000, 3)
        assert decode_jpeg(flat(large), least=(2001, 1)).shape == (3000, 4000, 3), "the model needs it"
        assert decode_jpeg(flat(JPEG), least=(1, 1)).shape == (HEIGHT, WIDTH, 3)
        huge = cv2.imencode(".jpg", np.full((6000, 8000, 3), 90, np.uint8))[1].tobytes()
        assert decode_jpeg(flat(huge), least=(224, 224)).shape == (1500, 2000, 3)
        assert decode_jpeg(flat(huge), least=(2001, 224)).shape == (3000, 4000, 3)


class TestTruncated:
    @pytest.mark.parametrize("kept", [3, 100, -100, -10, -2, -1])
    def test_any_cut_is_seen(self, kept: int) -> None:
        with pytest.raises(ImageError, match="truncated"):
            decode_jpeg(flat(JPEG[:kept]))
        assert not is_whole_jpeg(JPEG[:kept])

    def test_the_end_of_a_preview_is_none_of_the_picture(self) -> None:
        cut = (JPEG[:2] + PREVIEW + JPEG[2:])[:-2]
        with pytest.raises(ImageError, match="truncated"):
            decode_jpeg(flat(cut))
        assert not is_whole_jpeg(JPEG[:2] + PREVIEW)

    @pytest.mark.parametrize("data", [b"", b"\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n" + bytes(100)])
    def test_other_formats_are_refused(self, data: bytes) -> None:
        with pytest.raises(ImageError, match="not a JPEG"):
            decode_jpeg(flat(data))


class TestBombs:
    """15 kB that would become gigabytes."""

    @pytest.mark.parametrize("size", [(65500, 65500), (30000, 30000), (10001, 10000), (65535, 1600)])
    def test_over_100_megapixels_nothing_is_allocated(self, size: tuple[int, int]) -> None:
        tracemalloc.start()
        with pytest.raises(ImageError, match=rf"^{size[0]}x{size[1]} is \d+ megapixels, at most 100$"):
            decode_jpeg(flat(claiming(*size)))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()

    def test_a_size_of_nothing_is_damage(self) -> None:
        with pytest.raises(ImageError, match="no picture"):
            decode_jpeg(flat(claiming(0, 100)))

    def test_a_progressive_one_may_be_less_large(self) -> None:
        """All its coefficients are held until its last scan."""
        with pytest.raises(ImageError, match=r"^progressive, 9000x9000: at most 33 megapixels in colour$"):
            decode_jpeg(flat(claiming(9000, 9000, PROGRESSIVE)))

    def test_a_preview_does_not_hide_the_size(self) -> None:
        bomb = claiming(30000, 30000)
        with pytest.raises(ImageError, match="900 megapixels"):
            decode_jpeg(flat(bomb[:2] + PREVIEW + bomb[2:]))

    def test_scans_without_end_are_not_decoded(self) -> None:
        last = PROGRESSIVE[PROGRESSIVE.rfind(b"\xff\xda") : -2]
        with pytest.raises(ImageError, match=r"in 5[0-9]{2} scans"):
            decode_jpeg(flat(PROGRESSIVE[:-2] + last * 500 + PROGRESSIVE[-2:]))

    def test_segments_without_end_are_not_walked(self) -> None:
        with pytest.raises(ImageError, match="no picture"):
            jpeg_header(JPEG[:2] + b"\xff\xfe\x00\x02" * 1_000_000 + JPEG[2:])


@settings(max_examples=300)
@given(
    changes=st.lists(st.tuples(st.integers(2, len(PROGRESSIVE) - 1), st.integers(0, 255)), max_size=8),
    progressive=st.booleans(),
    cut=st.integers(0, 40),
)
def test_any_mutant_is_a_picture_within_the_bounds_or_one_error(
    changes: list[tuple[int, int]], progressive: bool, cut: int
) -> None:
    data = bytearray(PROGRESSIVE if progressive else JPEG)
    for place, value in changes:
        data[place % len(data)] = value
    mutant = bytes(data[: len(data) - cut])
    try:
        image = decode_jpeg(flat(mutant))
    except ImageError as error:
        assert "\n" not in str(error)
    else:
        header = jpeg_header(mutant)
        assert image.shape == (header.height, header.width, 3)
        assert image.shape[0] * image.shape[1] <= 100_000_000


@given(st.binary(max_size=200))
def test_any_bytes_after_the_beginning_are_read_to_an_end(rest: bytes) -> None:
    try:
        header = jpeg_header(b"\xff\xd8" + rest)
    except ImageError:
        return
    assert header.width > 0 < header.height
