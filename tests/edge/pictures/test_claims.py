"""A picture's claim is compared with its bytes before memory is taken, and no decoder writes to standard error."""

import io
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import ImageError
from edge.images import decode_image

NOISE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (64, 96, 3)).astype(np.uint8))
UNCOMPRESSED, FAX, LZW, JPEG, DEFLATE, PACKBITS, LZMA, ZSTD = 1, 4, 5, 7, 8, 32773, 34925, 50000
_TIFF_CODECS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma")
Tags = dict[int, int | tuple[int, ...]]


def encoded(kind: str, image: Image.Image = NOISE, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def tiff(width: int, height: int, body: bytes, compression: int = UNCOMPRESSED, **other: object) -> bytes:
    """Return a TIFF in colours of one strip, whose directory comes first. other: tags by number, as t273=..."""
    tags: Tags = {256: width, 257: height, 258: (8, 8, 8), 259: compression, 262: 2, 273: 0, 277: 3, 278: height}
    tags[279] = len(body)
    tags |= {int(name[1:]): value for name, value in other.items()}  # type: ignore[misc]
    tags = {number: value for number, value in sorted(tags.items()) if value != ()}
    beyond = 8 + 2 + 12 * len(tags) + 4
    entries, values = b"", b""
    for number, value in tags.items():
        many = value if isinstance(value, tuple) else (value,)
        start = beyond + 4 * sum(len(v) for v in tags.values() if isinstance(v, tuple))
        many = tuple((start + place) % 2**32 for place in many) if number in (273, 324) else many
        place = struct.pack("<I", many[0]) if len(many) == 1 else struct.pack("<I", beyond + len(values))
        values += struct.pack(f"<{len(many)}I", *many) if isinstance(value, tuple) else b""
        entries += struct.pack("<HHI", number, 4, len(many)) + place
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + values + body


def bmp(width: int, height: int, body: bytes, bits: int = 24, compression: int = 0) -> bytes:
    palette = bytes(1024) if bits == 8 else b""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 0, 0)
    return (
        b"BM" + struct.pack("<IHHI", 54 + len(palette) + len(body), 0, 0, 54 + len(palette)) + header + palette + body
    )


def webp(width: int, height: int) -> bytes:
    """Return a WebP of extended form that claims a size."""
    whole = encoded("WEBP")
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes(4) + size + whole[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


# Each claims 81 megapixels or more in a few kilobytes.
BOMBS = {
    "tiff": tiff(9000, 9000, bytes(4000)),
    "tiff cut in its strip": tiff(9000, 9000, bytes(4000), DEFLATE, t279=243_000_000),
    "tiff lzw": tiff(9000, 9000, bytes(4000), LZW),
    "tiff deflate": tiff(9000, 9000, bytes(4000), DEFLATE),
    "tiff packbits": tiff(9000, 9000, bytes(4000), PACKBITS),
    "tiff jpeg": tiff(9000, 9000, bytes(4000), JPEG),
    "tiff zstd": tiff(9000, 9000, bytes(4000), ZSTD),
    "tiff lzma": tiff(9000, 9000, bytes(4000), LZMA),
    "tiff fax": tiff(9000, 9000, bytes(1000), FAX, t258=1, t262=0, t277=1),
    "tiff without most strips": tiff(9000, 9000, bytes(4000), DEFLATE, t278=1),
    "tiff of strips that are all the same": tiff(
        9000, 9000, bytes(27000), DEFLATE, t278=1, t273=(0,) * 9000, t279=(27,) * 9000
    ),
    "tiff of planes": tiff(9000, 9000, bytes(4000), t284=2, t273=(0, 1, 2), t279=(9, 9, 9)),
    "tiff with a tile of 81 megapixels": tiff(
        10, 10, bytes(4000), DEFLATE, t322=9008, t323=9008, t324=0, t325=4000, t273=(), t278=(), t279=()
    ),
    "tiff with a tile of gigapixels": tiff(
        10, 10, bytes(4000), DEFLATE, t322=65536, t323=65536, t324=0, t325=4000, t273=(), t278=(), t279=()
    ),
    "tiff with more samples than there are": tiff(9000, 9000, bytes(4000), t277=2000),
    "bmp": bmp(9000, 9000, bytes(4000)),
    "bmp upside down": bmp(9000, -9000, bytes(4000)),
    "bmp of one bit": bmp(9000, 9000, bytes(4000), bits=1),
    "bmp of runs": bmp(9000, 9000, b"\0\2\0\xff" * 40, bits=8, compression=1),
    "webp of 268 megapixels": webp(16384, 16384),
    "webp cut": encoded("WEBP", Image.new("RGB", (9000, 9000)))[:4000],
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_a_claim_that_the_bytes_cannot_hold_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^photo: ") as caught:
        decode_image(data, "photo")
    assert "\n" not in str(caught.value)


# As Pillow's decoders are: the address space that a picture takes, and what any library prints.
_TRIAL = """
import sys
from pathlib import Path
from edge.errors import ImageError
from edge.images import decode_image

def size() -> int:
    return int(Path("/proc/self/status").read_text().split("VmPeak:")[1].split()[0]) >> 10

first, *others = sys.argv[1:]
decode_image(Path(first).read_bytes(), "small")
before = size()
for name in others:
    try:
        decode_image(Path(name).read_bytes(), name)
    except ImageError:
        pass
    print(name, size() - before)
    before = size()
"""


def trial(folder: Path, pictures: dict[str, bytes]) -> tuple[dict[str, int], str]:
    """Decode in a process of its own: the MiB that each picture added to the peak, and standard error."""
    paths = [folder / f"{number}.{name.replace(' ', '-')}" for number, name in enumerate(("first", *pictures))]
    for path, data in zip(paths, (encoded("TIFF", compression="tiff_lzw"), *pictures.values()), strict=True):
        path.write_bytes(data)
    done = subprocess.run([sys.executable, "-c", _TRIAL, *paths], capture_output=True, text=True, check=True)
    grown = [int(line.rpartition(" ")[2]) for line in done.stdout.splitlines()]
    return dict(zip(pictures, grown, strict=True)), done.stderr


@pytest.mark.process
def test_no_bomb_takes_memory_and_no_library_prints_a_line(tmp_path: Path) -> None:
    """A TIFF cut in its strip took 307 MB, and libtiff printed a line of its own."""
    grown, printed = trial(tmp_path, BOMBS)
    assert {name: mib for name, mib in grown.items() if mib > 16} == {}
    assert printed == ""


def damaged() -> Iterator[tuple[str, bytes]]:
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        whole = encoded("TIFF", compression=compression)
        middle = len(whole) // 2
        yield f"{compression} with noise", whole[:middle] + bytes(range(200)) + whole[middle + 200 :]
        yield f"{compression} cut", whole[:-50]
    for kind in ("JPEG", "PNG", "WEBP", "BMP"):
        whole = encoded(kind)
        middle = len(whole) // 2
        yield f"{kind} with noise", whole[:middle] + bytes(range(200)) + whole[middle + 200 :]
        yield f"{kind} cut", whole[:middle]


@pytest.mark.process
def test_damage_of_any_kind_prints_nothing(tmp_path: Path) -> None:
    assert trial(tmp_path, dict(damaged()))[1] == ""


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (3000, 2000)])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 1}),
        *(("TIFF", {"compression": name}) for name in _TIFF_CODECS),
    ],
)
def test_the_emptiest_whole_pictures_of_every_format_are_read(
    kind: str, options: dict[str, object], mode: str, size: tuple[int, int]
) -> None:
    plain = Image.new(mode, size)
    assert decode_image(encoded(kind, plain, **options), "photo").shape == (size[1], size[0], 3)


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_an_empty_fax_is_read(compression: str) -> None:
    assert (
        decode_image(encoded("TIFF", Image.new("1", (1700, 2200), 1), compression=compression), "fax").shape[0] == 2200
    )


def test_a_bmp_of_runs_is_read() -> None:
    rows = b"\xff\0" * 11 + b"\xc3\0" + b"\0\0"
    assert decode_image(bmp(3000, 100, rows * 100 + b"\0\1", bits=8, compression=1), "runs").shape == (100, 3000, 3)


@settings(max_examples=150, deadline=None)
@given(
    tags=st.dictionaries(
        st.sampled_from([256, 257, 259, 262, 273, 277, 278, 279, 284, 322, 323, 324, 325]),
        st.sampled_from([0, 1, 2, 3, 5, 7, 8, 64, 96, 4000, 65535, 2**31, 2**32 - 1]),
        max_size=4,
    )
)
def test_any_directory_gives_a_picture_of_its_size_or_one_line(tags: dict[int, int]) -> None:
    data = tiff(96, 64, NOISE.tobytes(), **{f"t{number}": value for number, value in tags.items()})
    try:
        shape = decode_image(data, "photo").shape
    except ImageError as error:
        assert "\n" not in str(error)
    else:
        assert shape[0] * shape[1] <= len(data) * 40_000


@pytest.mark.process
def test_a_picture_of_any_mode_takes_seven_bytes_a_pixel_and_the_next_nothing_more(tmp_path: Path) -> None:
    """An RGBA PNG took 15 bytes a pixel: 1.6 GB for 100 megapixels, and the next one 300 MB more."""
    pictures = {mode: encoded("PNG", Image.new(mode, (4000, 4000)), compress_level=1) for mode in ("RGBA", "LA", "P")}
    pictures["see-through"] = encoded("PNG", Image.new("P", (4000, 4000)), transparency=0, compress_level=1)
    pictures["wide"] = encoded("PNG", Image.new("RGBA", (16_000_000, 1)), compress_level=1)
    pictures["turned"] = encoded(
        "PNG", Image.new("RGB", (4000, 4000)), exif=b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    )
    grown, _ = trial(tmp_path, pictures)
    first, *others = grown.values()
    assert first < 16_000_000 * 7 / 2**20 + 96
    assert max(others) <= 32, grown


def test_a_webp_may_have_fifty_megapixels_for_its_reader_takes_19_bytes_for_each() -> None:
    """A lossless one of 100 megapixels, in 34 bytes, took 2.4 GB."""
    bits = 9998 | 9998 << 14
    body = b"WEBPVP8L" + struct.pack("<IBIB", 10, 0x2F, bits, 0) + bytes(4)
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    with pytest.raises(ImageError, match=r"^photo: 9999x9999 is 100 megapixels, at most 50: make it smaller$"):
        decode_image(data, "photo")
