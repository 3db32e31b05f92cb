"""Write and read how photos were cut, in a small file beside the parts."""

from pathlib import Path
from typing import Literal

import msgspec

from edge.bundle.cut import Cut
from edge.bundle.files import shortened
from edge.bundle.strict import Strict
from edge.decoding import DecodingError, decode_json
from edge.errors import DatasetError, MissingInputError
from edge.images import readable_name
from edge.storage import read_bounded
from trainer.dataset.layouts.nested import CROP_NAME

_MAX_BYTES = 64 << 10


class CropRecord(Strict, frozen=True, kw_only=True):
    """How a folder of parts came about.

    cut: how they were cut. classes: whether a part is in the folder of its photo, or in that of what its box shows.
    """

    cut: Cut
    classes: Literal["folders", "boxes"] = "folders"


def encoded(record: CropRecord) -> bytes:
    """Return the bytes of the file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def find_record(root: Path) -> CropRecord | None:
    """Return how the photos in the folder `root` were cut; None if they were not. Raises DatasetError if the file is
    damaged, MissingInputError if it cannot be read."""
    path = root / CROP_NAME
    try:
        return decode_json(read_bounded(path, _MAX_BYTES), CropRecord)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise MissingInputError(f"{readable_name(path)}: cannot read: {error.strerror or error}") from error
    except DecodingError as error:
        raise DatasetError(f"{readable_name(path)}: {shortened(str(error))}: cut the photos again") from error
