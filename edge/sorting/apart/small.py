"""Read a picture small: of a JPEG, a fraction of the pixels is decoded. Pillow alone: whoever uses it stays small."""

import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import INSTALL_DEVICE, FieldfareError, ImageError, MissingPackageError
from edge.pictures.claims import check_claim, check_start
from edge.pictures.names import ENDINGS
from edge.pictures.quiet import decoders_quiet
from edge.portable.system import open_flags

if TYPE_CHECKING:
    from PIL.Image import Image

# As for training, less what is uncompressed: 33 megapixels of BMP.
_MOST_BYTES = 100_000_000
_QUALITY = 80


def read_small(path: Path, side: int) -> "Image":
    """Return the picture upright, R, G, B, with its longer side at most `side` pixels.

    Raises ImageError, whatever is wrong with it or with reading it."""
    try:
        data = _read(path)
        check_start(data)
        return _opened(data, side)
    except FieldfareError:
        raise
    except Exception as error:  # Pillow's decoders raise anything on damaged bytes
        raise ImageError(str(error) or type(error).__name__) from error


def _read(path: Path) -> bytes:
    handle = os.open(path, open_flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY"))  # a pipe would wait for ever
    with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MOST_BYTES:
            raise ImageError(f"no plain file of at most {_MOST_BYTES // 1_000_000} MB")
        return file.read(_MOST_BYTES)


def _opened(data: bytes, side: int) -> "Image":
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise MissingPackageError(f"showing pictures needs Pillow: {INSTALL_DEVICE}") from error
    Image.MAX_IMAGE_PIXELS = None  # edge.pictures.claims has the limit
    with decoders_quiet(), Image.open(io.BytesIO(data), formats=tuple(ENDINGS)) as image:
        check_claim(image, data)
        image.draft(None, (2 * side, 2 * side))  # not less than twice: reducing from there is smooth
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.has_transparency_data:
            clear = upright.convert("RGBA")
            ground = Image.new("RGBA", clear.size, "white")
            upright = Image.alpha_composite(ground, clear)
        small = upright.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.BOX)
    return small


def as_jpeg(image: "Image") -> bytes:
    """Return the picture as a JPEG, without anything else that was in its file."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
