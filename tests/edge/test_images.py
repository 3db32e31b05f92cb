"""Photos are read upright in 8-bit colour, or refused in one clear line."""

import io
import os
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from edge.errors import ImageError, MissingInputError
from edge.images import decode_image, read_image
from edge.photo_files import find_images

GRAIN = np.random.default_rng(5).integers(0, 256, (30, 40, 3)).astype(np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def photo(picture_bgr: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture_bgr[:, :, ::-1]))


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_photos_come_back_exactly(photo: Image.Image, picture_bgr: NDArray[np.uint8], kind: str) -> None:
    assert np.array_equal(decode_image(encoded(photo, kind), "photo"), picture_bgr)


def test_a_photo_is_turned_though_the_rest_of_its_exif_data_is_odd(photo: Image.Image) -> None:
    """A resolution that is a text: the picture does not need it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "yesterday"
    date, resolution = struct.pack(">H", 0x0132), struct.pack(">H", 0x011A)
    odd = exif.tobytes()
    assert odd.count(date) == 1
    upright = decode_image(encoded(photo, "JPEG", exif=odd.replace(date, resolution)), "photo")
    assert upright.shape[:2] == photo.size


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_photos_come_back_nearly(photo: Image.Image, picture_bgr: NDArray[np.uint8], kind: str) -> None:
    image = decode_image(encoded(photo, kind, quality=95), "photo")
    assert np.abs(image.astype(int) - picture_bgr).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_photos_are_turned_upright(
    photo: Image.Image, picture_bgr: NDArray[np.uint8], orientation: int, kind: str
) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = photo.transpose(undo[orientation]) if orientation in undo else photo
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encoded(stored, kind, exif=exif), "photo")
    assert image.shape == picture_bgr.shape
    assert np.abs(image.astype(int) - picture_bgr).mean() < 3


def test_grey_photos_become_three_equal_channels(photo: Image.Image) -> None:
    image = decode_image(encoded(photo.convert("L"), "PNG"), "photo")
    assert image.shape[2] == 3
    assert (image[..., 0] == image[..., 2]).all()


def test_transparent_pixels_become_white() -> None:
    image = decode_image(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG"), "photo")
    assert (image == 255).all()


def huge_png() -> bytes:
    """Return a PNG of a gigapixel in 100 bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def unpacking_png(kind: bytes, start: bytes) -> bytes:
    """Return a PNG whose chunk `kind` unpacks to 3 MB."""
    whole, content = encoded(Image.new("RGB", (20, 20)), "PNG"), start + zlib.compress(bytes(3_000_000))
    chunk = struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return whole[:33] + chunk + whole[33:]


def png16(channels: int) -> bytes:
    shape = (20, 20) if channels == 1 else (20, 20, channels)
    return cv2.imencode(".png", np.full(shape, 40_000, np.uint16))[1].tobytes()


def tiff16() -> bytes:
    return cv2.imencode(".tiff", np.full((20, 20, 3), 40_000, np.uint16))[1].tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty file"),
        (b"not a picture at all", "not a picture"),
        (unpacking_png(b"zTXt", b"k\0\0"), "texts or colour profile unpack to over 1 MiB"),
        (unpacking_png(b"iCCP", b"k\0\0"), "texts or colour profile unpack to over 1 MiB"),
        (unpacking_png(b"iTXt", b"k\0\1\0\0\0"), "texts or colour profile unpack to over 1 MiB"),
        (huge_png(), "40000x40000 is 1600 megapixels, at most 100"),
        (png16(1), "16 bits a channel, at most 8"),
        (png16(3), "16 bits a channel, at most 8"),
        (tiff16(), "16 bits a channel, at most 8"),
        (encoded(Image.new("CMYK", (20, 20)), "JPEG"), "CMYK"),
        (encoded(Image.new("F", (20, 20)), "TIFF"), "32 bits a channel"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_fix(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=r"^card/7\.jpg: ") as caught:
        decode_image(data, "card/7.jpg")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(900), "is HEIC in spite of its name: convert it to JPEG"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic" + bytes(900), "is HEIC"),
        (b"\0\0\0\x1cftypavif" + bytes(900), "is AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "is a raw photo"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "is a video"),
        (b"GIF89a" + bytes(20), "is GIF"),
        (b"\xff\x0a" + bytes(20), "is JPEG XL"),
        (b"%PDF-1.7", "is PDF"),
        (b"PK\x03\x04" + bytes(30), "is an archive"),
        (b"<!DOCTYPE html><title>404</title>", "is a web page in spite of its name: fetch the photo itself again"),
        (b"<?xml version='1.0'?><svg/>", "is SVG or XML"),
        (b"\0\x05\x16\x07\0\2\0\0Mac OS X", "is what macOS notes about a file"),
        (bytes(5000), "holds nothing but zeros"),
    ],
)
def test_another_format_with_a_photos_ending_is_named(data: bytes, what: str) -> None:
    with pytest.raises(ImageError, match=rf"^7\.jpg: {what}") as caught:
        decode_image(data, "7.jpg")
    assert "\n" not in str(caught.value)


def claiming(data: bytes, width: int, height: int) -> bytes:
    """Return the JPEG or PNG `data` with another size in its header."""
    if data.startswith(b"\x89PNG"):
        header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    frame = next(place for mark in (b"\xff\xc0", b"\xff\xc2") if (place := data.find(mark)) >= 0)
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def peak(data: bytes) -> int:
    """Return the bytes that decoding `data` allocates at most, in NumPy's and Pillow's memory, by the address space."""
    code = (
        "import resource, sys; from edge.errors import ImageError; from edge.images import decode_image\n"
        "decode_image(open(sys.argv[1], 'rb').read(), 'small')\n"
        "def size(): return int(open('/proc/self/status').read().split('VmPeak:')[1].split()[0]) << 10\n"
        "before = size()\n"
        "try: decode_image(sys.stdin.buffer.read(), 'photo')\n"
        "except ImageError as error: print(size() - before, error)"
    )
    with tempfile.NamedTemporaryFile() as small:
        small.write(encoded(Image.fromarray(GRAIN), "JPEG"))
        small.flush()
        done = subprocess.run([sys.executable, "-c", code, small.name], input=data, capture_output=True, check=True)
    found, _, message = done.stdout.decode().partition(" ")
    assert message.startswith("photo: "), done
    return int(found)


@pytest.mark.process
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_small_file_that_claims_ninety_megapixels_is_refused_before_anything_is_allocated(
    kind: str, cut: bool
) -> None:
    """A JPEG with an end mark, however early, would be completed in grey: 20 kB took 1.3 GB."""
    noise = Image.effect_noise((200, 200), 50).convert("RGB")
    options = {"progressive": True} if kind == "progressive" else {}
    data = claiming(encoded(noise, kind.replace("progressive", "JPEG"), **options), 9000, 10_000)
    data = data[: len(data) // 2] if cut else data
    with pytest.raises(ImageError, match=r"bytes for 9000x10000 pixels, at least [\d,]+: damaged or cut short"):
        decode_image(data, "photo")
    assert peak(data) < 16 << 20


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (3000, 2000)])
def test_the_emptiest_whole_pictures_are_not_taken_for_damaged(mode: str, size: tuple[int, int]) -> None:
    plain = Image.new(mode, size)
    shape = (size[1], size[0], 3)
    assert decode_image(encoded(plain, "PNG", optimize=True), "photo").shape == shape
    if mode in ("RGB", "L"):
        for progressive in (False, True):
            data = encoded(plain, "JPEG", quality=1, optimize=True, progressive=progressive)
            assert decode_image(data, "photo").shape == shape


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["JPEG", "PNG", "WEBP"]), st.integers(0, 65535))
def test_any_exif_data_leaves_the_picture_whole(exif: bytes, kind: str, orientation: int) -> None:
    """The orientation turns it if it is one; whatever else is there is not needed."""
    wide = Image.fromarray(GRAIN)
    header = b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    for data in (b"Exif\0\0" + exif, b"Exif\0\0" + header + exif):
        shape = decode_image(encoded(wide, kind, exif=data), "photo").shape
        assert shape in ((30, 40, 3), (40, 30, 3))
    assert shape == ((40, 30, 3) if 5 <= orientation <= 8 else (30, 40, 3))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG"]), st.integers(1, 65535), st.integers(1, 65535))
def test_any_claimed_size_is_refused_by_the_header_or_small(kind: str, width: int, height: int) -> None:
    data = claiming(encoded(Image.fromarray(GRAIN), kind), width, height)
    try:
        shape = decode_image(data, "photo").shape
    except ImageError as error:
        assert "\n" not in str(error)
    else:
        assert shape == (height, width, 3)
        assert height * width <= len(data) * 1032


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_photo_cut_short_is_refused(photo: Image.Image, kind: str, share: float) -> None:
    noisy = Image.effect_noise((200, 200), 80).convert("RGB")
    data = encoded(noisy, kind)
    with pytest.raises(ImageError):
        decode_image(data[: int(len(data) * share)], "photo")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_gives_a_picture_or_an_image_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "BMP", "WEBP", "TIFF"]))
    good = bytearray(encoded(Image.fromarray(GRAIN), kind))
    for _ in range(data.draw(st.integers(1, 5))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode_image(bytes(good), "photo")
    except ImageError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3


def test_a_missing_file_is_not_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        read_image(tmp_path / "nowhere.jpg")
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(MissingInputError, match="cannot read"):
        read_image(tmp_path / "folder.jpg")


@pytest.mark.parametrize(("name", "matters"), [("shut", True), (".Trash-1000", False), ("lost+found", False)])
def test_a_folder_within_that_may_not_be_read_is_named_if_it_can_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, matters: bool
) -> None:
    shut = tmp_path / "owls" / name
    shut.mkdir(parents=True)
    photo = tmp_path / "owls" / "1.jpg"
    photo.touch()
    scandir = os.scandir

    def refuse(path: object) -> object:
        if str(path) == str(shut):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refuse)
    if not matters:
        assert find_images(tmp_path) == [photo]
        return
    with pytest.raises(MissingInputError, match=f"^{shut}: cannot read: Permission denied$"):
        find_images(tmp_path)
