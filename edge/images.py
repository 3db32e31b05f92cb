"""Photos from files: upright, 8-bit colour, or one clear error. Pillow is imported on first use."""

import io
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import ImageError, MissingInputError, MissingPackageError
from edge.records import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_MEGAPIXELS = 100  # 300 MB once decoded; a phone's 48 MP fits
MAX_FILE_BYTES = 512 * 1024 * 1024
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_EIGHT_BIT_MODES = frozenset({"RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "La", "RGBa"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_image_name(path: Path) -> bool:
    """True for the file names that are taken as photos; hidden files are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def read_image(path: Path) -> Pixels:
    """The photo at `path`, turned upright by its EXIF orientation: uint8 (height, width, 3), B, G, R.

    Transparent pixels become white, grey photos three equal channels. Raises MissingInputError where there
    is no file, ImageError for anything that is not a whole 8-bit RGB or grey picture of at most
    100 megapixels.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ImageError(f"{path}: more than {MAX_FILE_BYTES >> 20} MiB: not a photo")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingInputError(f"{path}: no such file") from error
    except OSError as error:
        raise MissingInputError(f"{path}: cannot read: {error.strerror or error}") from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> Pixels:
    """As read_image, from bytes; `name` is for the messages."""
    pil = _pillow()
    if not data:
        raise ImageError(f"{name}: empty file: remove it")
    try:
        with pil.open(io.BytesIO(data), formats=_FORMATS) as image:
            _refuse(image, data, name)
            image.load()
            upright = _upright(image)
    except ImageError:
        raise
    except pil.UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: not a picture that Fieldfare reads (JPEG, PNG, BMP, WebP, TIFF), or damaged: convert or remove it"
        ) from error
    except MemoryError as error:
        raise ImageError(f"{name}: too large for this machine's memory: make it smaller") from error
    except Exception as error:
        raise ImageError(f"{name}: damaged or cut short ({error}): remove or copy it again") from error
    return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])


def _upright(image: "Image") -> "Image":
    from PIL import Image, ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info:
        rgba = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba)
    return turned.convert("RGB")


def _refuse(image: "Image", data: bytes, name: str) -> None:
    width, height = image.size
    if width * height > MAX_MEGAPIXELS * 1_000_000:
        raise ImageError(
            f"{name}: {width}x{height} is {width * height / 1e6:.0f} megapixels, at most {MAX_MEGAPIXELS}: "
            "make it smaller"
        )
    if image.mode == "CMYK":
        raise ImageError(f"{name}: CMYK colours, for print: save it as RGB")
    if _bits_per_channel(image, data) > 8:
        raise ImageError(f"{name}: {_bits_per_channel(image, data)} bits a channel, at most 8: save it with 8")
    if image.mode not in _EIGHT_BIT_MODES:
        raise ImageError(f"{name}: colour mode {image.mode}, must be RGB or grey: save it as RGB")


def _bits_per_channel(image: "Image", data: bytes) -> int:
    """Pillow hands 16-bit colour PNGs over as 8-bit without a word, so the depth is read from the file."""
    if data.startswith(_PNG_SIGNATURE):
        return data[24]
    if image.format == "TIFF":
        bits = image.getexif().get(258, 8)
        return int(max(bits)) if isinstance(bits, tuple) else int(bits)
    return 16 if image.mode.startswith("I") else 32 if image.mode == "F" else 8


def _pillow() -> ModuleType:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingPackageError("reading photos needs Pillow: pip install 'fieldfare[device]'") from error
    Image.MAX_IMAGE_PIXELS = None  # _refuse has the one limit, and a message
    warnings.filterwarnings("ignore", module="PIL")  # remarks on odd tags; what matters raises
    return Image
