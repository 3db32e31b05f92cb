"""Find boxes in photos with a detector. Native code of a stranger: run it in a fork."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge.errors import EngineError, ImageError, MissingInputError, ModelError
from edge.images import read_image, readable_name
from edge.inference.model_limits import MEMORY_BYTES, TIMEOUT_S
from edge.inference.runtime import load_runtime
from edge.locating.detector import MOST_BYTES, DetectorModel, is_compiled
from edge.processes.fork import end_after, memory_limit, time_limit
from edge.storage import read_bounded
from trainer.cropping.boxes import Entry, Given
from trainer.progress import Advance


def find_boxes(model: Path, photos: Sequence[Path], *, threshold: float, min_size: float, advance: Advance) -> bytes:
    """Return what a detector finds in each of the photos, for `entries_of`. Ends the process if the model hangs.

    Raises MissingInputError if it cannot be read, ModelError if it is no detector or fails.
    """
    name = f"--detector {readable_name(model)}"
    found: dict[Path, Entry] = {}
    try:
        with time_limit(TIMEOUT_S):
            detector = _opened(model, threshold, min_size)
            early = [photo for photo in photos if not _look(detector, photo, found, advance)]
            for photo in early if detector.is_certain else ():  # their boxes were not understood yet
                _look(detector, photo, found, lambda _: None)
    except OSError as error:
        if isinstance(error, EngineError):
            raise ModelError(f"{name}: {error}") from error
        raise MissingInputError(f"{name}: cannot read: {error.strerror or error}") from error
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    return msgspec.msgpack.encode([(os.fsencode(photo), one.boxes, one.problem) for photo, one in found.items()])


def entries_of(found: bytes) -> dict[Path, Entry]:
    """Return what `find_boxes` returned: the boxes of each photo, in shares."""
    rows = msgspec.msgpack.decode(found, type=list[tuple[bytes, list[Given], str]])
    return {Path(os.fsdecode(photo)): Entry(boxes, problem=problem) for photo, boxes, problem in rows}


def _opened(model: Path, threshold: float, min_size: float) -> DetectorModel:
    data = read_bounded(model, MOST_BYTES)
    if is_compiled(data):
        raise ModelError("is compiled for the Edge TPU: give the model that it was compiled from")
    with memory_limit(MEMORY_BYTES):
        return DetectorModel(load_runtime(), data, threshold=threshold, least=min_size, threads=os.cpu_count() or 1)


def _look(detector: DetectorModel, photo: Path, found: dict[Path, Entry], advance: Advance) -> bool:
    """Put into `found` what is in a photo. Returns whether the detector's outputs were understood."""
    end_after(TIMEOUT_S)
    advance(1)
    try:
        photo_bgr = read_image(photo)
    except (ImageError, MissingInputError) as error:
        found[photo] = Entry(problem=str(error))
        return True
    height, width = photo_bgr.shape[:2]
    places = [(one.place.shares(width, height), one.score) for one in detector.find(photo_bgr)]
    found[photo] = Entry([Given(box, score, "") for box, score in places])
    return detector.is_certain
