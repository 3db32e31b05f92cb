"""A file that is nothing but parts, padding or directories costs no minutes: their number is bounded."""

import io
import struct
import time
import zlib

import pytest
from PIL import Image

from edge.errors import ImageError
from edge.images import decode_image

AT_ONCE_S = 20.0  # without bounds these files, of 380 MB, took over 75 s; theirs are a hundredth, and take none


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(buffer, kind)
    return buffer.getvalue()


def jpeg_after(start: bytes) -> bytes:
    whole = encoded("JPEG")
    return whole[:2] + start + whole[2:]


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(parts: bytes) -> bytes:
    whole = encoded("PNG")
    header = 8 + 25
    return whole[:header] + parts + whole[header:]


def empty_pages(number: int) -> bytes:
    """Return a TIFF of nothing but directories without tags, each of which leads to the next."""
    return b"II*\0\x08\0\0\0" + b"".join(struct.pack("<HI", 0, 8 + 6 * page) for page in range(1, number + 1))


def pictures_of(tags: int, count: int, kind: int, size: int) -> bytes:
    """Return the segment with which a JPEG lists its pictures, whose tags share their values."""
    at = 8 + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", 0x9000 + tag, kind, count, at) for tag in range(tags))
    body = b"MPF\0II*\0\x08\0\0\0" + struct.pack("<H", tags) + entries + bytes(4 + count * size)
    return b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_after(b"\xff" * 4_000_000), "over 1,048,576 bytes between its parts"),
        (jpeg_after(b"\xff\xfe\0\2" + bytes(4_000_000)), "over 1,048,576 bytes between its parts"),
        (jpeg_after((b"\xff" * 300_000 + b"\x01") * 4), "over 1,048,576 bytes between its parts"),
        (png_with(chunk(b"prVt") * 200_001), "over 200,000 parts"),
        (png_with(chunk(b"IDAT") * 200_001), "over 200,000 parts"),
        (empty_pages(200_001), "over 200,000 tags"),
    ],
    ids=["fill", "zeros", "fill in pieces", "chunks", "pixels", "pages"],
)
def test_parts_without_contents_are_bounded(data: bytes, words: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ImageError, match=f"^photo: .*{words}"):
        decode_image(data, "photo")
    assert time.monotonic() - begun < AT_ONCE_S


@pytest.mark.parametrize(
    "data",
    [jpeg_after(b"\xff" * 60_000), png_with(chunk(b"tEXt", b"Comment\0fog") * 1000)],
    ids=["a card's block filled up", "many comments"],
)
def test_what_cameras_and_programs_add_is_no_obstacle(data: bytes) -> None:
    assert decode_image(data, "photo").shape == (16, 16, 3)


@pytest.mark.parametrize(("count", "kind", "size"), [(32_000, 7, 1), (16_000, 3, 2), (4_000, 5, 8)])
def test_a_list_of_pictures_whose_tags_share_their_values_is_refused(count: int, kind: int, size: int) -> None:
    """Pillow before 13 copied them for each tag."""
    with pytest.raises(ImageError, match=r"^photo: its tags claim over 64 MiB of memory"):
        decode_image(jpeg_after(pictures_of(2_600, count, kind, size)), "photo")


def test_two_pictures_in_a_jpeg_are_read_as_the_first() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24)).save(buffer, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert decode_image(buffer.getvalue(), "photo").shape == (24, 32, 3)
