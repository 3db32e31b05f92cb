"""Export boxes as MegaDetector's result files hold them, for the tools that read those.

The format is described at https://lila.science/megadetector-output-format (1.6 in 2026). It is written in the order of
its size: pictures first, so that millions of them take no memory.
"""

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from edge import __version__
from edge.exports.camtrap.kinds import MOST_UNNAMED, Observed, observed
from edge.exports.copying.output_file import OutputFile
from edge.exports.copying.target import Target
from edge.exports.media import MediaNames, Named
from edge.exports.taxa import TaxonOf
from edge.store.records import StoredEvent, StoredPicture

FILE = "megadetector.json"
_VERSION = "1.6"
_CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
# The format allows for more categories than MegaDetector's own. Without a box, readers take a picture for empty; with
# one of an animal, they take people for animals.
_UNKNOWN = {"4": "unknown"}
_BY_KIND = {"animal": "1", "human": "2", "vehicle": "3", "unknown": "4"}
# A label without a name is not allowed there.
_NAMELESS = "(no name)"


def takes_boxed(stored: StoredEvent, picture: StoredPicture) -> bool:
    """Return whether the picture is the frame that a box lies in."""
    return stored.event.box is not None and picture.kind == "best"


class BoxWriter:
    """megadetector.json, and the best picture of each event that has a box.

    others, blanks: pictures without a detection, of plants and objects, and of nothing.
    unnamed: the first labels that the taxonomy does not have.
    """

    def __init__(self, output: OutputFile, taxon_of: TaxonOf) -> None:
        self._output = output
        self._taxon_of = taxon_of
        self._names = MediaNames()
        self._labels: dict[str, str] = {}
        self._categories = dict(_CATEGORIES)
        self._begun = False
        self.others = self.blanks = 0
        self.unnamed: set[str] = set()

    def pictures(self, stored: StoredEvent) -> list[Named]:
        """Return the frame that the box lies in, if there is a box."""
        return [named for named in self._names.of(stored) if takes_boxed(stored, named.picture)]

    def add(self, stored: StoredEvent, kept: Sequence[Named]) -> None:
        """Write the picture, with its detection if there is a category for it."""
        for named in kept:
            detections = self._detections(stored, observed(stored, self._taxon_of))
            self._write(b",\n" if self._begun else b'{"images": [\n')
            self._begun = True
            self._write(msgspec.json.encode({"file": named.name, "detections": detections}))

    def _detections(self, stored: StoredEvent, seen: Observed | None) -> list[dict[str, object]]:
        if seen is None:
            self.others += 1
            return []
        if seen.kind == "blank":
            self.blanks += 1
            return []
        if seen.is_unnamed and len(self.unnamed) < MOST_UNNAMED:
            self.unnamed.add(stored.label)
        if seen.kind == "unknown":
            self._categories |= _UNKNOWN
        # How sure the model was is nothing to a person's word.
        sure = round(stored.event.peak, 4) if stored.mark is None else 1.0
        # A label that was marked wrong is none.
        is_named = seen.is_unnamed or seen.kind != "unknown"
        named = {"classifications": [[self._number(stored.label), sure]]} if is_named else {}
        box = [round(share, 4) for share in stored.event.box or ()]
        return [{"category": _BY_KIND[seen.kind], "conf": sure, "bbox": box, **named}]

    def _number(self, label: str) -> str:
        return self._labels.setdefault(label, str(len(self._labels)))

    def _write(self, data: bytes) -> None:
        self._output.write(data)

    def close(self) -> None:
        """Write what follows the pictures."""
        rest = {
            "detection_categories": self._categories,
            "classification_categories": {number: label or _NAMELESS for label, number in self._labels.items()},
            "info": {"format_version": _VERSION, "detector": f"Fieldfare {__version__}"},
        }
        self._write(b"" if self._begun else b'{"images": [')
        self._write(b"\n],\n" + msgspec.json.format(msgspec.json.encode(rest), indent=1)[1:].lstrip() + b"\n")


@contextlib.contextmanager
def open_boxes(target: Target, taxon_of: TaxonOf) -> Iterator[BoxWriter]:
    """Open the file. Raises StorageError."""
    with target.file(FILE) as output:
        writer = BoxWriter(output, taxon_of)
        yield writer
        writer.close()
