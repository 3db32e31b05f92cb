"""Make a store whose events have photos of a folder as their pictures."""

import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec

from edge.events.records import PictureInfo
from edge.results import Candidate
from tools.make_store import Made, made_events, make_store

_SIDE = 640
_SUFFIXES = {".jpg", ".jpeg", ".png"}


def photo_store(folder: Path, photos: Path, events: int) -> Path:
    """Make a store in `folder`. photos: a folder with a folder of photos for each label. Returns the store."""
    store = folder / "events.db"
    make_store(store, _events(photos, events))
    return store


def _events(photos: Path, count: int) -> Iterator[Made]:
    dice = random.Random(0)
    files = sorted(path for path in photos.glob("*/*") if path.suffix.lower() in _SUFFIXES)
    if not files:
        raise SystemExit(f"{photos}: no photos: give a folder with a folder of them for each label")
    labels = sorted({path.parent.name for path in files})
    for made, photo in zip(made_events(count), dice.choices(files, k=count), strict=True):
        other = dice.choice([label for label in labels if label != photo.parent.name] or labels)
        second = Candidate(other, (1 - made.event.peak) * dice.random())
        event = msgspec.structs.replace(made.event, label=photo.parent.name, runner_up=second)
        yield Made(event, made.booted_s, (_picture(photo, event.peak_mono_s),))


def _picture(photo: Path, captured_s: float) -> tuple[PictureInfo, bytes]:
    image = cv2.imread(str(photo))
    if image is None:
        raise SystemExit(f"{photo}: cannot be read as a picture")
    shrink = min(1.0, _SIDE / max(image.shape[:2]))
    image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    height, width = image.shape[:2]
    return PictureInfo(kind="best", captured_mono_s=captured_s, width=width, height=height), jpeg
