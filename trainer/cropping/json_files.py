"""Read boxes from JSON: MegaDetector's result files, and COCO's."""

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from edge.bundle.files import shortened
from edge.decoding import DecodingError, decode_json
from edge.errors import DatasetError
from edge.images import readable_name
from edge.printable import printable
from trainer.cropping.boxes import BoxFile, Entry, Four, Given, check_numbers

T = TypeVar("T")
_Key = str | int
_ANIMAL = "animal"
# Python's json module writes these, and no other program reads them.
_NO_NUMBER = re.compile(rb"[\[,:]\s*(-?Infinity|NaN)\b")


class _Detection(msgspec.Struct, gc=False):
    category: _Key
    conf: float
    bbox: Four


class _Picture(msgspec.Struct):
    file: str
    detections: list[_Detection] | None = None  # null if the picture could not be read
    failure: str | None = None


class _MegaDetector(msgspec.Struct):
    images: list[_Picture]
    detection_categories: dict[str, str] = {}


class _CocoPicture(msgspec.Struct, gc=False):
    id: _Key
    file_name: str
    width: float | None = None
    height: float | None = None


class _CocoBox(msgspec.Struct, gc=False):
    image_id: _Key
    category_id: _Key | None = None
    bbox: list[float] | None = None  # what only names a picture's class has none
    score: float = 1.0


class _CocoCategory(msgspec.Struct):
    id: _Key
    name: str


class _Coco(msgspec.Struct):
    images: list[_CocoPicture]
    annotations: list[_CocoBox]
    categories: list[_CocoCategory] = []


class _Keys(msgspec.Struct):
    images: msgspec.Raw = msgspec.Raw()
    annotations: msgspec.Raw = msgspec.Raw()


def read_json(path: Path, data: bytes) -> BoxFile:
    """Read the boxes in `data`. Raises DatasetError if it is neither of the two formats."""
    name = readable_name(path)
    if data.lstrip()[:1] == b"[":
        raise DatasetError(
            f"--boxes {name}: a list, as COCO's result files are, does not name its photos: give the file with "
            "images and annotations"
        )
    keys = _decoded(name, data, _Keys)
    if keys.annotations:
        return _coco(name, _decoded(name, data, _Coco))
    if keys.images:
        return _megadetector(name, _decoded(name, data, _MegaDetector))
    raise DatasetError(f"--boxes {name}: neither MegaDetector's results (images) nor COCO (images and annotations)")


def _decoded(name: str, data: bytes, form: type[T]) -> T:
    try:
        return decode_json(data, form)
    except DecodingError as error:
        if (found := _NO_NUMBER.search(data)) is not None:
            raise DatasetError(
                f"--boxes {name}: has {found[1].decode()} in place of a number (byte {found.start(1)}), which is not "
                "JSON: take that box out, or write the file again"
            ) from error
        raise DatasetError(f"--boxes {name}: not as MegaDetector or COCO write it: {shortened(str(error))}") from error


def _megadetector(name: str, read: _MegaDetector) -> BoxFile:
    entries: dict[str, Entry] = {}
    kinds = read.detection_categories
    for picture in read.images:
        entry = entries.setdefault(picture.file, Entry())
        for one in picture.detections or ():
            category = str(one.category)
            entry.boxes.append(Given(one.bbox, one.conf, kinds.get(category, category)))
        if picture.failure or picture.detections is None:
            entry.failure = printable(picture.failure or "no detections")[:80]
    # Who sorted photos by their animals has people and cars in some of them.
    found = BoxFile(name, "shares", entries, _ANIMAL if _ANIMAL in kinds.values() else None)
    check_numbers(
        found, "MegaDetector writes shares of the picture; boxes in pixels go into a CSV file or COCO's format"
    )
    return found


def _coco(name: str, read: _Coco) -> BoxFile:
    kinds: dict[Any, str] = {category.id: category.name for category in read.categories}
    entries: dict[str, Entry] = {}
    by_id: dict[Any, Entry] = {}
    for picture in read.images:
        entry = entries.setdefault(picture.file_name, Entry())
        if picture.width and picture.height:
            entry.size = picture.width, picture.height
        by_id[picture.id] = entry
    for one in read.annotations:
        if not one.bbox:
            continue
        if len(one.bbox) != 4 or one.image_id not in by_id:
            what = "a box must have 4 numbers" if len(one.bbox) != 4 else "no picture has that id"
            raise DatasetError(f"--boxes {name}: annotation of image {str(one.image_id)!r}: {what}: mend the file")
        # Without a list of categories their numbers are all there is.
        nameless = "" if kinds or one.category_id is None else str(one.category_id)
        category = kinds.get(one.category_id, nameless)
        left, top, width, height = one.bbox
        by_id[one.image_id].boxes.append(Given((left, top, width, height), one.score, category))
    found = BoxFile(name, "pixels", entries)
    check_numbers(found, "COCO's boxes are in pixels; shares go into a CSV file")
    return found
