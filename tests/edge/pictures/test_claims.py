"""A picture's claim is compared with its bytes before memory is taken, and no decoder writes to standard error."""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.errors import ImageError
from edge.images import decode_image, read_image

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
    palette = bytes({8: 1024, 4: 64}.get(bits, 0))
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


# Tags, a file's own bytes, runs


def overlapping(tags: int, size: int, kind: int = 7, within: int | None = None) -> bytes:
    """Return EXIF data of `tags` tags that all claim the same bytes. within: in the directory that this tag names."""
    entries = [struct.pack("<HHII", 1000 + number, kind, size, 0) for number in range(tags)]
    table = struct.pack("<H", tags) + b"".join(entries) + bytes(4)
    top = b"" if within is None else struct.pack("<HHHIII", 1, within, 4, 1, 26, 0)
    unit = {7: 1, 2: 1, 5: 8, 3: 2}[kind]
    return (b"II*\0\x08\0\0\0" + top + table).ljust(size * unit, b"\x55")


def png_parts(*parts: tuple[bytes, bytes]) -> bytes:
    """Return a PNG of these parts, kind and contents."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def png_header(side: int = 16, bits: int = 8) -> bytes:
    return struct.pack(">IIBBBBB", side, side, bits, 2, 0, 0, 0)


PNG_PIXELS = zlib.compress((b"\0" + bytes(48)) * 16)
MANY = overlapping(3000, 1 << 20)  # 3.2 GB of 1 MB


def with_exif(kind: str, exif: bytes) -> bytes:
    """Return a small photo with this EXIF data, in several segments if a JPEG needs them."""
    if kind == "JPEG":
        pieces = [exif[place : place + 65_000] for place in range(0, len(exif), 65_000)]
        segments = [b"\xff\xe1" + struct.pack(">H", 8 + len(piece)) + b"Exif\0\0" + piece for piece in pieces]
        return b"\xff\xd8" + b"".join(segments) + encoded("JPEG")[2:]
    if kind == "PNG, behind its pixels":
        return png_parts((b"IHDR", png_header()), (b"IDAT", PNG_PIXELS), (b"eXIf", exif), (b"IEND", b""))
    if kind == "PNG, as text":
        text = b"Raw profile type exif\0\0" + zlib.compress(b"\nexif\n9\n" + exif[: 500 << 10].hex().encode())
        return png_parts((b"IHDR", png_header()), (b"zTXt", text), (b"IDAT", PNG_PIXELS), (b"IEND", b""))
    return encoded(kind, exif=b"Exif\0\0" + exif)


EXIF_KINDS = ["JPEG", "PNG", "PNG, behind its pixels", "WEBP"]
CLAIMS_TOO_MUCH = r"^photo: its tags claim over 64 MiB of memory: save it without them, or remove it$"


@pytest.mark.parametrize("kind", EXIF_KINDS)
@pytest.mark.parametrize(
    "exif",
    [
        MANY,
        overlapping(300, 60_000, kind=5),
        overlapping(3000, 1 << 20, within=34665),
        overlapping(3000, 1 << 20, within=34853),
        overlapping(3000, 1 << 20, kind=2),
    ],
    ids=["bytes", "fractions", "in EXIF's own", "in GPS's", "texts"],
)
def test_tags_that_share_their_bytes_are_refused(kind: str, exif: bytes) -> None:
    """Pillow before 13 copied them for each tag: 3.2 GB from a PNG of 1 MB."""
    with pytest.raises(ImageError, match=CLAIMS_TOO_MUCH):
        decode_image(with_exif(kind, exif), "photo")


def test_tags_in_a_text_of_a_png_are_judged_too() -> None:
    with pytest.raises(ImageError, match=CLAIMS_TOO_MUCH):
        decode_image(with_exif("PNG, as text", overlapping(3000, 500 << 10)), "photo")


@pytest.mark.parametrize(("order", "big"), [("<", False), (">", False), ("<", True)])  # Pillow reads no other
def test_a_tiffs_own_tags_are_judged(order: str, big: bool) -> None:
    mark = b"II" if order == "<" else b"MM"
    head = struct.pack(order + ("HHHQQ" if big else "HIH"), *((43, 8, 0, 16, 3000) if big else (42, 8, 3000)))
    entry = order + ("HHQQ" if big else "HHII")
    data = mark + head + b"".join(struct.pack(entry, 1000 + number, 7, 1 << 20, 0) for number in range(3000))
    with pytest.raises(ImageError, match=CLAIMS_TOO_MUCH):
        decode_image(data.ljust(1 << 20, b"\0"), "photo")


def test_a_directory_has_no_end_of_tags() -> None:
    entries = struct.pack("<HHII", 1000, 7, 1, 0) * 250_000
    data = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 250_000) + entries.ljust(250_000 * 20, b"\0")
    with pytest.raises(ImageError, match=r"it has over 200,000 tags"):
        decode_image(data, "photo")


@pytest.mark.parametrize("kind", EXIF_KINDS)
def test_the_tags_of_a_photo_may_be_many_and_long(kind: str) -> None:
    """A preview of 5 MB, and two tags that share their bytes."""
    exif = overlapping(2, 5 << 20 if kind != "JPEG" else 1 << 20)
    assert decode_image(with_exif(kind, exif), "photo").shape in ((64, 96, 3), (16, 16, 3))


@pytest.mark.parametrize("kind", EXIF_KINDS)
def test_exif_data_is_bounded_itself(kind: str) -> None:
    exif = bytes(17 << 20)
    with pytest.raises(ImageError, match=r"17,825,\d+ bytes of EXIF data, at most 16,777,216: save it without them"):
        decode_image(with_exif(kind, exif), "photo")


@pytest.mark.parametrize("marker", [0xC8, 0xD8, 0xF0, 0xFD, 0xCC])
def test_no_exif_data_hides_within_what_pillow_does_not_pass_over(marker: int) -> None:
    pieces = [MANY[place : place + 60_000] for place in range(0, len(MANY), 60_000)]
    hidden = [b"\xff\xe1" + struct.pack(">H", 8 + len(piece)) + b"Exif\0\0" + piece for piece in pieces]
    segments = b"".join(bytes((0xFF, marker)) + struct.pack(">H", 2 + len(one)) + one for one in hidden)
    with pytest.raises(ImageError, match=f"damaged or cut short .damaged: marker {marker:02X}.: remove or copy"):
        decode_image(b"\xff\xd8" + segments + encoded("JPEG")[2:], "photo")


def plain_png(side: int, after: int) -> bytes:
    """Return a PNG of one colour with a part of `after` bytes that some program keeps for itself."""
    whole = encoded("PNG", Image.new("RGB", (side, side)), compress_level=1)
    own = struct.pack(">I", after) + b"prVt" + bytes(after) + bytes(4)
    return whole[:-12] + own + whole[-12:]


def plain_webp(side: int, after: int) -> bytes:
    bits = side - 1 | side - 1 << 14
    body = b"WEBPVP8L" + struct.pack("<IBIB", 10, 0x2F, bits, 0) + bytes(4)
    body += b"XPAD" + struct.pack("<I", after) + bytes(after)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize(
    ("make", "taken"),
    [
        (lambda: plain_webp(7000, 80_000_000), r"7000x7000 pixels in a file of 80 MB take 1,171 MB"),
        (lambda: plain_png(9900, 150_000_000), r"9900x9900 pixels in a file of 15\d MB take 1,1\d\d MB"),
        (
            lambda: tiff(9900, 9900, zlib.compress(bytes(9900 * 9900 * 3), 1) + bytes(60_000_000), DEFLATE, t274=6),
            r"9900x9900 pixels in a file of 6\d MB take 1,1\d\d MB",
        ),
        (
            lambda: bmp(9900, 9900, bytes(9900 * 9900 * 3 + 150_000_000)),
            r"9900x9900 pixels in a file of 444 MB take 1,130 MB",
        ),
    ],
    ids=["WebP", "PNG", "TIFF", "BMP"],
)
def test_the_bytes_of_the_file_count_as_memory(make: Callable[[], bytes], taken: str) -> None:
    """Files that were filled up to 500 MB took 1.97 GB."""
    with pytest.raises(ImageError, match=f"^photo: {taken} of memory, at most 1,100: make it smaller$"):
        decode_image(make(), "photo")


def test_a_plain_picture_fits() -> None:
    assert decode_image(bmp(3300, 3300, bytes(3300 * 3300 * 3)), "photo").shape == (3300, 3300, 3)


def test_a_file_over_400_mb_is_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "large.tif").open("wb") as file:
        file.truncate(400_000_001)
    with pytest.raises(ImageError, match=r"large\.tif: not a plain file of at most 400 MB: not a photo"):
        read_image(tmp_path / "large.tif")


@pytest.mark.parametrize(
    ("width", "height", "codes"),
    [(4000, 5001, 100), (32_768, 10, 100), (2000, 2000, 4_000_001), (20_000_000, 1, 200_000)],
)
@pytest.mark.parametrize(("bits", "compression"), [(8, 1), (4, 2)])
def test_the_runs_of_a_bmp_are_bounded(width: int, height: int, codes: int, bits: int, compression: int) -> None:
    """Pillow decodes them in Python: a file of 126 MB took minutes, and one code may skip 255 rows."""
    body = (b"\xff\0" * 160_000)[: 2 * codes].ljust(2 * codes, b"\0")
    body += b"\xff\0" * max(0, width * height // 255 - codes)
    with pytest.raises(ImageError, match=r"bytes of runs, at most 20 megapixels, 32,767 wide, in 8,000,000: save it"):
        decode_image(bmp(width, height, body, bits=bits, compression=compression), "photo")


@pytest.mark.parametrize(
    "parts",
    [
        [(b"IHDR", png_header()), (b"IHDR", png_header(bits=16)), (b"IDAT", PNG_PIXELS)],
        [(b"IHDR", png_header()), (b"IHDR", png_header(side=9000)), (b"IDAT", PNG_PIXELS)],
        [(b"IHDR", png_header()), (b"IDAT", PNG_PIXELS), (b"IHDR", png_header(side=9000))],
        [(b"tEXt", b"Comment\0" + b"A" * 40), (b"IHDR", png_header(bits=16)), (b"IDAT", PNG_PIXELS)],
        [(b"IHDR", png_header() + b"\0"), (b"IDAT", PNG_PIXELS)],
        [(b"IDAT", PNG_PIXELS)],
        [],
    ],
)
def test_a_png_begins_with_its_header_and_has_one(parts: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(ImageError, match=r"^photo: damaged .a PNG begins with its header, and has one.: remove"):
        decode_image(png_parts(*parts, (b"IEND", b"")), "photo")


def test_what_follows_the_end_of_a_png_is_not_read() -> None:
    parts = ((b"IHDR", png_header()), (b"IDAT", PNG_PIXELS), (b"IEND", b""))
    assert decode_image(png_parts(*parts, (b"IHDR", png_header())), "photo").shape == (16, 16, 3)


def test_a_webp_that_begins_with_something_else_is_damaged_in_words_of_its_own() -> None:
    body = b"WEBPXPAD" + struct.pack("<I", 4000) + bytes(4000)
    with pytest.raises(ImageError, match=r"^photo: damaged .it does not begin with a WebP's picture or size.: remove"):
        decode_image(b"RIFF" + struct.pack("<I", len(body)) + body, "photo")


def test_a_webp_may_have_fifty_megapixels_for_its_reader_takes_19_bytes_for_each() -> None:
    """A lossless one of 100 megapixels, in 34 bytes, took 2.4 GB."""
    bits = 9998 | 9998 << 14
    body = b"WEBPVP8L" + struct.pack("<IBIB", 10, 0x2F, bits, 0) + bytes(4)
    data = b"RIFF" + struct.pack("<I", len(body)) + body
    with pytest.raises(ImageError, match=r"^photo: 9999x9999 is 100 megapixels, at most 50: make it smaller$"):
        decode_image(data, "photo")
