"""Export boxes as MegaDetector's result files hold them, for the tools that read those.

The format is described at https://lila.science/megadetector-output-format (1.6 in 2026). It is written in the order of
its size: pictures first, so that millions of them take no memory.
"""

import contextlib
from collections.abc import Iterator, Sequence

import msgspec

from edge import __version__
from edge.exports.copying.output_file import OutputFile
from edge.exports.copying.target import Target
from edge.exports.media import MediaNames, Named
from edge.exports.taxa import TaxonOf
from edge.store.records import StoredEvent, StoredPicture

FILE = "megadetector.json"
_VERSION = "1.6"
_CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
_BY_KIND = {"human": "2", "vehicle": "3"}
# A label without a name is not allowed there.
_NAMELESS = "(no name)"


def takes_boxed(stored: StoredEvent, picture: StoredPicture) -> bool:
    """Return whether the picture is the frame that a box lies in."""
    return stored.event.box is not None and picture.kind == "best"


class BoxWriter:
    """megadetector.json, and the best picture of each event that has a box."""

    def __init__(self, output: OutputFile, taxon_of: TaxonOf) -> None:
        self._output = output
        self._taxon_of = taxon_of
        self._names = MediaNames()
        self._labels: dict[str, str] = {}
        self._begun = False

    def pictures(self, stored: StoredEvent) -> list[Named]:
        """Return the frame that the box lies in, if there is a box."""
        return [named for named in self._names.of(stored) if takes_boxed(stored, named.picture)]

    def add(self, stored: StoredEvent, kept: Sequence[Named]) -> None:
        """Write the picture's detection."""
        event = stored.event
        for named in kept:
            taxon = self._taxon_of(stored.label)
            detection = {
                "category": _BY_KIND.get(taxon.kind, "1") if taxon is not None else "1",
                "conf": round(event.peak, 4),
                "bbox": [round(share, 4) for share in event.box or ()],
                "classifications": [[self._number(stored.label), round(event.peak, 4)]],
            }
            self._write(b",\n" if self._begun else b'{"images": [\n')
            self._begun = True
            self._write(msgspec.json.encode({"file": named.name, "detections": [detection]}))

    def _number(self, label: str) -> str:
        return self._labels.setdefault(label, str(len(self._labels)))

    def _write(self, data: bytes) -> None:
        self._output.write(data)

    def close(self) -> None:
        """Write what follows the pictures."""
        rest = {
            "detection_categories": _CATEGORIES,
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
