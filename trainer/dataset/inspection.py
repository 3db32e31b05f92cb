"""Read what the dataset check needs of a photo: its file's format, colour mode and EXIF data, and its brightness.

Pillow is imported on first use. edge.images has read the file before, and accepted it."""

import hashlib
import re
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec

from edge.images import ENDINGS, exif_orientation
from edge.records import Pixels

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

_MAKE, _MODEL, _EXIF_IFD = 0x010F, 0x0110, 0x8769
# Not DateTime (0x0132): that is when a program last saved the file, and is the same for a whole export.
_TAKEN = ((0x9003, 0x9291), (0x9004, 0x9292))  # (moment, fraction of a second): original, digitized
_SERIAL = 0xA431
_MOMENT = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)")
_DAMAGED_EXIF = (ValueError, TypeError, KeyError, IndexError, SyntaxError, OSError, EOFError, struct.error)


class PhotoRecord(msgspec.Struct, frozen=True, gc=False):
    """One readable photo.

    width, height: in pixels, after the picture was turned upright.
    mode: the file's own colour mode, by Pillow's names.
    frames: pictures in the file.
    orientation: EXIF orientation, 1 to 8.
    captured_s: the moment in EXIF, in seconds since 1970 by the camera's clock; None if there is none.
    camera: make, model and serial number; '' if unknown.
    brightness, contrast: mean and standard deviation of the grey picture in levels of 255, of the whole picture at
        the model's input size.
    """

    sha256: bytes
    size_bytes: int
    width: int
    height: int
    format: str
    mode: str
    transparent: bool
    frames: int
    orientation: int
    captured_s: float | None
    camera: str
    brightness: float
    contrast: float


def inspect(path: Path, view: Pixels) -> PhotoRecord:
    """Read the record of the photo `path`, which edge.images.read_image must have accepted.

    view: uint8 (height, width, 3), R, G, B, the whole picture at the model's input size. Raises OSError if the file
    is gone."""
    from PIL import Image

    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        size_bytes = file.tell()
        file.seek(0)
        with Image.open(file, formats=tuple(ENDINGS)) as image:
            width, height = image.size
            orientation = exif_orientation(image)
            captured_s, camera = _exif(image)
            frames = int(getattr(image, "n_frames", 1))
            form = "JPEG" if image.format == "MPO" else str(image.format)
            mode = image.mode
            transparent = mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    if orientation >= 5:
        width, height = height, width
    figures = _figures(view)
    return PhotoRecord(
        digest, size_bytes, width, height, form, mode, transparent, frames, orientation, captured_s, camera, *figures
    )


def _figures(view: Pixels) -> tuple[float, float]:
    mean, deviation = cv2.meanStdDev(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY))
    return round(float(mean.item()), 2), round(float(deviation.item()), 2)


def _exif(image: "Image") -> tuple[float | None, str]:
    """Return (moment, camera). Damaged data counts as missing."""
    try:
        exif = image.getexif()
        if not exif:
            return None, ""
        inner = exif.get_ifd(_EXIF_IFD)
        words = (exif.get(_MAKE), exif.get(_MODEL), inner.get(_SERIAL))
        camera = " ".join(str(word).strip("\0 ") for word in words if word)
        return _captured(inner), camera[:200]
    except _DAMAGED_EXIF:
        return None, ""


def _captured(inner: "Exif | dict[int, object]") -> float | None:
    for tag, fraction_tag in _TAKEN:
        found = _MOMENT.match(str(inner.get(tag, "")))
        if not found:
            continue
        try:
            moment = datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
        except ValueError:  # 0000:00:00, from a camera whose clock was never set
            continue
        fraction = str(inner.get(fraction_tag, "")).strip("\0 ")
        return moment.timestamp() + (float(f"0.{fraction}") if fraction.isascii() and fraction.isdigit() else 0.0)
    return None
