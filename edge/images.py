"""Read photos from files: upright, 8-bit colour, or one clear error. Pillow is imported on first use."""

import io
import os
import stat
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import INSTALL_DEVICE, ImageError, MissingInputError, MissingPackageError
from edge.printable import printable
from edge.records import Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_MEGAPIXELS = 100  # 300 MB once decoded; a phone's 48 MP fits
MAX_FILE_BYTES = 512 * 1024 * 1024
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
_EIGHT_BIT_MODES = frozenset({"RGB", "RGBA", "RGBX", "L", "LA", "P", "PA", "1", "La", "RGBa"})
_ORIENTATION = 0x0112
# EXIF's orientation -> the number of the PIL.Image.Transpose that turns it upright.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_image_name(path: Path) -> bool:
    """Return True if a file of this name is taken as a photo; hidden files, and those in hidden folders, are not."""
    hidden = any(part.startswith(".") and part not in (".", "..") for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden


def find_images(root: Path) -> list[Path]:
    """Return the photos under `root`, sorted; hidden files and folders are left out. Raises what find_files raises."""
    files = find_files(root)
    try:
        return [file for file in files if is_image_name(file.relative_to(root)) and file.is_file()]
    except OSError as error:
        raise MissingInputError(f"{root}: cannot read: {error.strerror or error}") from error


def find_files(root: Path) -> list[Path]:
    """Return everything under `root` except folders, sorted, broken links included.

    Follows linked folders too, each once, unless they lead into `root` or to a folder above it. Raises
    MissingInputError, with the name, if a folder cannot be read.
    """
    # An unreadable folder is an error, because photos must not be missed silently.
    top = root.resolve()
    seen: set[Path] = set()
    found: list[Path] = []
    for place, folders, files in os.walk(root, followlinks=True, onerror=lambda error: _refuse_folder(error, root)):
        found += [Path(place, name) for name in files]
        folders[:] = [name for name in sorted(folders) if _is_to_be_entered(Path(place, name), top, seen)]
    return sorted(found)


def _refuse_folder(error: OSError, root: Path) -> None:
    """Raise MissingInputError for an unreadable folder, unless it is hidden or the file system's own."""
    inside = Path(error.filename).relative_to(root).parts
    if any(map(is_out_of_bounds, inside)):
        return
    raise MissingInputError(f"{readable_name(error.filename)}: cannot read: {error.strerror}") from error


def _is_to_be_entered(folder: Path, top: Path, seen: set[Path]) -> bool:
    if not folder.is_symlink():
        return True
    real = folder.resolve()
    if real in seen or real.is_relative_to(top) or top.is_relative_to(real):
        return False
    seen.add(real)
    return True


def is_out_of_bounds(folder: str) -> bool:
    """Return True if a folder of this name holds no photos: it is hidden, or the file system's own."""
    return folder.startswith(".") or folder == "lost+found"


def readable_name(name: object) -> str:
    """Return a file's name as printable text: bytes that are not UTF-8 become U+FFFD, unprintable characters question
    marks."""
    text = os.fsencode(str(name)).decode("utf-8", "replace")
    return printable(text)


def read_image(path: Path) -> Pixels:
    """Read the photo at `path`, turned upright by its EXIF orientation: uint8 (height, width, 3), B, G, R, contiguous.

    Transparent pixels become white, and a grey photo gets three equal channels. Raises MissingInputError if there is
    no file, ImageError for anything but a whole 8-bit RGB or grey picture of at most 100 megapixels.
    """
    name = readable_name(path)
    try:
        status = path.stat()
        plain = stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)  # reading a folder raises a clearer error
        if not plain or status.st_size > MAX_FILE_BYTES:
            raise ImageError(f"{name}: not a plain file of at most {MAX_FILE_BYTES >> 20} MiB: not a photo")
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
    except Exception as error:  # Pillow's decoders raise anything on damaged bytes
        raise ImageError(f"{name}: damaged or cut short ({error}): remove or copy it again") from error
    return np.ascontiguousarray(np.asarray(upright)[:, :, ::-1])


def _upright(image: "Image") -> "Image":
    from PIL import Image

    # Not ImageOps.exif_transpose: it writes the EXIF data again, and fails if any of it is malformed.
    way = _TURNS.get(exif_orientation(image))
    turned = image if way is None else image.transpose(Image.Transpose(way))
    if turned.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in turned.info:
        rgba = turned.convert("RGBA")
        turned = Image.alpha_composite(Image.new("RGBA", rgba.size, (255, 255, 255, 255)), rgba)
    return turned.convert("RGB")


def exif_orientation(image: "Image") -> int:
    """Return EXIF's orientation, 1 to 8; 1, upright, if there is none or it cannot be read."""
    try:
        orientation = int(image.getexif().get(_ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - malformed EXIF raises anything, but the picture itself is whole
        return 1
    return orientation if orientation in range(1, 9) else 1


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
    """Return the bits of each channel in the file."""
    # Pillow reduces 16-bit colour PNGs to 8 bits silently, so the depth is read from the file's header.
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
        raise MissingPackageError(f"reading photos needs Pillow: {INSTALL_DEVICE}") from error
    Image.MAX_IMAGE_PIXELS = None  # _refuse has the only limit, with a message
    warnings.filterwarnings("ignore", module="PIL")  # about malformed tags; real faults raise
    return Image
