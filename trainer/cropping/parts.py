"""Cut the parts of one photo, and save them with what is known of the photo."""

import hashlib
import os
import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from edge.errors import MissingInputError
from edge.images import ENDINGS, exif_orientation, readable_name
from edge.locating.places import Place
from edge.records import Pixels

if TYPE_CHECKING:
    from PIL.Image import Exif

Format = Literal["jpeg", "png"]

ENDING: dict[Format, str] = {"jpeg": ".jpg", "png": ".png"}
_QUALITY = 95
# Most file systems take no longer name.
_MOST_BYTES = 255
_SOURCE = re.compile(r"(.+)@\d+-\d+-\d+x\d+\.(?:jpg|png)")
# Who took it: make and model, the serial number. When: original and digitized, with fractions and time zones.
_TOP = (0x010F, 0x0110)
_INNER = (0xA431, 0x9003, 0x9004, 0x9291, 0x9292, 0x9011, 0x9012)
_EXIF_IFD = 0x8769
_LONGEST_TEXT = 200
_DAMAGED_EXIF = (ValueError, TypeError, KeyError, IndexError, SyntaxError, OSError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class Notes:
    """What a photo's file holds beside its pixels.

    orientation: EXIF's, 1 to 8. exif: camera and moment, for the parts: the orientation is not among it, as parts are
    upright. modified_ns: when the file was last changed.
    """

    orientation: int
    exif: "Exif"
    modified_ns: int


def notes_of(path: Path) -> Notes:
    """Read the notes of a photo that edge.images.read_image has accepted. Raises MissingInputError if it is gone."""
    from PIL import Image

    kept = Image.Exif()
    try:
        with path.open("rb") as file, Image.open(file, formats=tuple(ENDINGS)) as image:
            modified_ns, orientation = os.fstat(file.fileno()).st_mtime_ns, exif_orientation(image)
            with suppress(*_DAMAGED_EXIF):
                exif = image.getexif()
                _copy(exif, kept, _TOP)
                _copy(exif.get_ifd(_EXIF_IFD), kept.get_ifd(_EXIF_IFD), _INNER)
    except OSError as error:
        raise MissingInputError(f"{readable_name(path)}: cannot read: {error.strerror or error}") from error
    return Notes(orientation, kept, modified_ns)


def _copy(source: "Exif | dict[int, object]", target: "Exif | dict[int, object]", tags: tuple[int, ...]) -> None:
    for tag in tags:
        text = source.get(tag)
        if isinstance(text, str) and 0 < len(text) <= _LONGEST_TEXT:
            target[tag] = text


def save_part(path: Path, photo_bgr: Pixels, part: Place, notes: Notes, form: Format) -> None:
    """Save a part of the upright photo, uint8 (height, width, 3), B, G, R. Raises OSError."""
    from PIL import Image

    pixels_bgr = photo_bgr[part.top : part.bottom, part.left : part.right]
    image = Image.fromarray(np.ascontiguousarray(pixels_bgr[:, :, ::-1]))
    if form == "png":
        image.save(path, "PNG", exif=notes.exif)
    else:
        # Colours at full resolution: what is small in a part was small in the photo, too.
        image.save(path, "JPEG", quality=_QUALITY, subsampling=0, exif=notes.exif)
    os.utime(path, ns=(notes.modified_ns, notes.modified_ns))


def part_name(photo: str, box: Place, form: Format) -> str:
    """Return the name of a part: that of its photo, and the box in pixels of the upright photo: 'a.jpg@3-5-80x60.jpg'
    is 80 wide, 60 high and begins 3 pixels from the left and 5 from the top."""
    rest = f"@{box.left}-{box.top}-{box.width}x{box.height}{ENDING[form]}"
    raw = os.fsencode(photo)
    most = _MOST_BYTES - len(rest)
    if len(raw) > most:
        # Names that begin alike must stay different.
        mark = f"~{hashlib.sha256(raw).hexdigest()[:8]}"
        photo = raw[: most - len(mark)].decode("utf-8", "ignore") + mark
    return photo + rest


def source_name(part: str) -> str | None:
    """Return the name of the photo that a part was cut from; None if `part` is not the name of a part."""
    match = _SOURCE.fullmatch(part)
    return match.group(1) if match else None
