"""Read photos from files: upright, 8-bit colour, or one clear error. Pillow is imported on first use."""

import io
import logging
import re
import stat
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from edge.errors import INSTALL_DEVICE, ImageError, MissingInputError, MissingPackageError
from edge.pictures.claims import PNG_SIGNATURE, check_claim, check_start
from edge.pictures.directories import check_info
from edge.pictures.flatten import flatten, turn
from edge.pictures.names import ENDINGS as ENDINGS
from edge.pictures.names import SUFFIXES as SUFFIXES
from edge.pictures.names import readable_name as readable_name
from edge.pictures.quiet import decoders_quiet
from edge.records import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

# 100 megapixels of 4 bytes, in a TIFF or BMP without compression. A PNG of noise has 300 MB, a JPEG 100.
MAX_FILE_BYTES = 400_000_000
_EIGHT_BIT_MODES = frozenset({"RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "La", "RGBa"})
_ORIENTATION = 0x0112
_CONVERT = "convert it to JPEG"
# What else hides behind a photo's name: its first bytes, what it is, what to do.
_OTHERS = tuple(
    (re.compile(start, re.DOTALL | re.IGNORECASE), what, fix)
    for start, what, fix in (
        (rb".{4}ftyp(hei|hev|mif1|msf1)", "HEIC", _CONVERT),
        (rb".{4}ftypavi[fs]", "AVIF", _CONVERT),
        (rb".{4}ftypcrx ", "a raw photo", _CONVERT),
        (rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI ", "a video", "take single pictures from it, or remove it"),
        (rb"GIF8", "GIF", _CONVERT),
        (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL", _CONVERT),
        (rb"\0\0\0\x0cjP  ", "JPEG 2000", _CONVERT),
        (rb"8BPS", "a Photoshop file", _CONVERT),
        (rb"FUJIFILMCCD-RAW", "a raw photo", _CONVERT),
        (rb"%PDF", "PDF", _CONVERT),
        (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "an archive", "unpack or remove it"),
        (rb"\s*<(!doctype html|html|head|body)", "a web page", "fetch the photo itself again, or remove it"),
        (rb"\s*<(svg|\?xml)", "SVG or XML", "convert or remove it"),
        (rb"\0\x05\x16\x07", "what macOS notes about a file", "remove it"),
    )
)


def read_image(path: Path) -> Pixels:
    """Read the photo at `path`, turned upright by its EXIF orientation: uint8 (height, width, 3), B, G, R, contiguous.

    Transparent pixels become white, and a grey photo gets three equal channels. Raises MissingInputError if there is
    no file, ImageError for anything but a whole 8-bit RGB or grey picture of at most 100 megapixels, 50 in WebP.
    """
    name = readable_name(path)
    try:
        status = path.stat()
        plain = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)  # reading a folder raises a clearer error
        if not plain or status.st_size > MAX_FILE_BYTES:
            raise ImageError(f"{name}: not a plain file of at most {MAX_FILE_BYTES // 1_000_000} MB: not a photo")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingInputError(f"{name}: no such file") from error
    except OSError as error:
        raise MissingInputError(f"{name}: cannot read: {error.strerror or error}") from error
    return decode_image(data, name)


def decode_image(data: bytes, name: str) -> Pixels:
    """Decode a photo from bytes, as read_image does; `name` is for the messages."""
    pil = _pillow()
    if not data:
        raise ImageError(f"{name}: empty file: remove it")
    try:
        pixels_bgr, orientation = _open(pil, data)
        return turn(pixels_bgr, orientation)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    except pil.UnidentifiedImageError as error:
        raise ImageError(f"{name}: {_unidentified(data)}") from error
    except MemoryError as error:
        raise ImageError(f"{name}: too large for this machine's memory: make it smaller") from error
    except Exception as error:  # Pillow's decoders raise anything on damaged bytes
        raise ImageError(f"{name}: {_malformed(error)}") from error


def _open(pil: ModuleType, data: bytes) -> tuple[Pixels, int]:
    """Return the picture's pixels as they are stored, and its orientation. A function of its own: the picture as
    Pillow decoded it, 360 MB for 90 megapixels, is gone when the result is turned. Raises ImageError without a name."""
    check_start(data)
    with decoders_quiet(), pil.open(io.BytesIO(data), formats=tuple(ENDINGS)) as image:
        check_claim(image, data)
        _refuse(image, data)
        image.load()
        check_info(image.info)  # a PNG may have it behind its pixels
        return flatten(image), exif_orientation(image)


def _malformed(error: Exception) -> str:
    """Return why Pillow does not read a picture, and what to do."""
    if "MAX_TEXT" in str(error):  # the names of Pillow's limits for the chunks iCCP, iTXt, tEXt and zTXt
        return (
            "its texts or colour profile unpack to over 1 MiB, or 64 MiB together: save it without them, or remove it"
        )
    return f"damaged or cut short ({error}): remove or copy it again"


def _unidentified(data: bytes) -> str:
    """Return what a file is that is no photo, if its first bytes show it, and what to do."""
    if data.count(0) == len(data):
        return "holds nothing but zeros: copy it again from the camera, or remove it"
    for start, what, fix in _OTHERS:
        if start.match(data):
            return f"is {what} in spite of its name: {fix}"
    return "not a picture that Fieldfare reads (JPEG, PNG, BMP, WebP, TIFF), or damaged: convert or remove it"


def exif_orientation(image: "Image") -> int:
    """Return EXIF's orientation, 1 to 8; 1, upright, if there is none or it cannot be read."""
    try:
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - malformed EXIF raises anything, but the picture itself is whole
        return 1
    return orientation if orientation in range(1, 9) else 1


def _refuse(image: "Image", data: bytes) -> None:
    if image.mode == "CMYK":
        raise ImageError("CMYK colours, for print: save it as RGB")
    if _bits_per_channel(image, data) > 8:
        raise ImageError(f"{_bits_per_channel(image, data)} bits a channel, at most 8: save it with 8")
    if image.mode not in _EIGHT_BIT_MODES:
        raise ImageError(f"colour mode {image.mode}, must be RGB or grey: save it as RGB")


def _bits_per_channel(image: "Image", data: bytes) -> int:
    """Return the bits of each channel in the file."""
    # Pillow reduces 16-bit colour PNGs to 8 bits silently, so the depth is read from the file's header.
    if data.startswith(PNG_SIGNATURE):
        return data[24]
    if image.format == "TIFF":
        bits = image.getexif().get(258, 8)
        return int(max(bits)) if isinstance(bits, tuple) else int(bits)
    return 16 if image.mode.startswith("I") else 32 if image.mode == "F" else 8


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingPackageError(f"reading photos needs Pillow: {INSTALL_DEVICE}") from error
    Image.MAX_IMAGE_PIXELS = None  # edge.pictures.claims has the only limit, with a message
    _quieten()
    return Image


@cache
def _quieten() -> None:
    """Keep Pillow from writing to standard error; real faults raise."""
    warnings.filterwarnings("ignore", module="PIL")  # about malformed tags
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)
