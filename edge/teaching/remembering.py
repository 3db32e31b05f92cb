"""Keep features of some photos of each class behind a .tflite, so that a layer can be taught without the photos.

A ZIP behind the model, as TFLite metadata keeps its label files: runtimes pass over it, the model's hash covers it, and
a bundle that has one opens in every version. The features are stored in the numbers of the layer's own input.
"""

import io
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.decoding import decode_msgpack
from edge.errors import ModelError
from edge.teaching.last_layer import Scale

ENTRY = "fieldfare-examples.msgpack"
# Of each class, and of all. 512 examples of 1,280 features are 0.6 MB, and about half of that packed.
MOST_OF_CLASS = 64
MOST = 512
# Of photos that the network learned from, beside those. With 100 a class a new class of TrashNet was found 6 to 8
# points more often at the same price (20 photos, 224 pixels, 8 draws without metal, or without glass); 200 bring
# no more.
MOST_LEARNED_OF_CLASS = 100
MOST_LEARNED = 600
_OF_EXAMPLE, _OF_FILE = 16, 1024  # bytes at most, beside the features
_END = struct.Struct("<4s4H2IH")  # of a ZIP: mark, disks, entries, size and place of the directory, comment
_END_MARK = b"PK\x05\x06"
_ENTRY_MARK, _NAME = b"PK\x03\x04", 30  # of its first entry, and where that has its name

Features = NDArray[np.float64]
Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Remembered:
    """Examples. features: (examples, channels), real numbers. classes: (examples,). learned: bool (examples,), whether
    the network learned from the photo, and so is surer of it than of others."""

    features: Features
    classes: Classes
    learned: NDArray[np.bool_]

    def __getitem__(self, rows: Classes | NDArray[np.bool_]) -> "Remembered":
        return Remembered(self.features[rows], self.classes[rows], self.learned[rows])

    def __add__(self, other: "Remembered") -> "Remembered":
        pairs = zip(self._parts(), other._parts(), strict=True)
        return Remembered(*(np.concatenate(pair) for pair in pairs))

    def _parts(self) -> tuple[Features, Classes, NDArray[np.bool_]]:
        return self.features, self.classes, self.learned

    @classmethod
    def of(cls, features: Features, classes: Classes, *, learned: bool = False) -> "Remembered":
        """Return examples that are all alike."""
        return cls(features, classes, np.full(len(classes), learned))


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """classes: of each example. channels: features of one. features: a byte each, counted from the least value.
    learned: the numbers of those examples whose photos the network learned from."""

    classes: list[int]
    channels: int
    features: bytes
    learned: list[int] = []


def remember(model: bytes, scale: Scale, examples: Remembered) -> bytes:
    """Return `model` with these examples behind it, in place of any that it had. scale: of the last layer's input."""
    features, classes = examples.features, examples.classes.tolist()
    stored = np.clip(np.rint(features / scale.scales[0]) + scale.zero_point, scale.low, scale.high) - scale.low
    learned = np.flatnonzero(examples.learned).tolist()
    kept = _Kept(classes, features.shape[1], stored.astype(np.uint8).tobytes(), learned)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        # Always the same bytes: ZipInfo would note the time.
        entry = zipfile.ZipInfo(ENTRY, date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type, entry.create_system = zipfile.ZIP_DEFLATED, 3
        archive.writestr(entry, msgspec.msgpack.encode(kept))
    return bare(model) + packed.getvalue()


def recall(model: bytes, scale: Scale, classes: int, channels: int) -> Remembered | None:
    """Return the examples behind a model, as `remember` got them; None if there are none.

    classes, channels: of its last layer. Raises ModelError if they are damaged, or of another layer.
    """
    start = _start(model)
    if start is None:
        return None
    try:
        with zipfile.ZipFile(io.BytesIO(model[start:])) as archive:
            if archive.namelist() != [ENTRY]:
                return None
            with archive.open(ENTRY) as file:
                # What `chosen` keeps. A stranger's file may hold any number, and unpack to a thousand times its size.
                data = file.read((MOST + MOST_LEARNED) * (channels + _OF_EXAMPLE) + _OF_FILE)
        kept = decode_msgpack(data, _Kept)
        rows = np.frombuffer(kept.features, np.uint8).reshape(len(kept.classes), channels)
        learned = np.zeros(len(rows), bool)
        learned[np.array(kept.learned, np.intp)] = True
    except Exception as error:  # zipfile raises anything on damaged bytes
        raise ModelError(f"the examples behind it are damaged ({' '.join(str(error).split())[:200]})") from error
    known = np.array(kept.classes, np.int64)
    if kept.channels != channels or (known.size and not 0 <= known.min() <= known.max() < classes):
        raise ModelError("the examples behind it are of another layer")
    features = (rows.astype(np.float64) + (scale.low - scale.zero_point)) * scale.scales[0]
    return Remembered(features, known, learned)


def bare(model: bytes) -> bytes:
    """Return `model` without examples behind it."""
    start = _start(model)
    return model if start is None else model[:start]


def chosen(classes: Iterable[int], *, learned: bool = False) -> Classes:
    """Return which examples to keep of those with these classes: of each class the same number, spread evenly.

    learned: whether the network learned from their photos."""
    of_class, most = (MOST_LEARNED_OF_CLASS, MOST_LEARNED) if learned else (MOST_OF_CLASS, MOST)
    known = np.array(list(classes), np.int64)
    present = np.unique(known)
    each = max(1, min(of_class, most // max(1, len(present))))
    kept = [spread_evenly(np.flatnonzero(known == one), each) for one in present]
    found: Classes = np.sort(np.concatenate([*kept, np.empty(0, np.int64)]).astype(np.int64))
    return found[spread_evenly(np.arange(len(found)), most)]


def spread_evenly(rows: Classes, most: int) -> Classes:
    """Return at most so many of `rows`, evenly from begin to end."""
    found: Classes = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(np.int64))]
    return found


def _start(model: bytes) -> int | None:
    """Return where the ZIP of examples behind a model begins; None if there is none."""
    if len(model) < _END.size or model[-_END.size : -_END.size + 4] != _END_MARK:
        return None
    size, place = _END.unpack(model[-_END.size :])[5:7]
    start = len(model) - _END.size - size - place
    # Models from elsewhere may have a ZIP, too: TFLite's metadata, which counts its places from the model's first byte.
    ours = start > 0 and model.startswith(_ENTRY_MARK, start) and model.startswith(ENTRY.encode(), start + _NAME)
    return start if ours else None
