"""Export pictures as class folders for training.

    classes/LABEL/DAY/    what a person confirmed or named: `fieldfare train OUT/classes` takes it as it is
    unsure/LABEL/DAY/     marked wrong without the right label, or as unknown; by what the model took it for
    harvest/LABEL/DAY/    frames kept for the next training, by what the model took them for; nobody looked at them

Only the best frame of an event is written: a crop is the same photo again, and of a burst nobody confirmed the frames.
"""

import contextlib
from collections.abc import Iterator, Sequence

from edge.bundle.labels import is_unknown
from edge.exports.columns import clean
from edge.exports.copying.names import Names, safe_name
from edge.exports.copying.output_file import OutputFile
from edge.exports.copying.target import Target
from edge.exports.media import Named, file_name
from edge.exports.tables import CsvTable
from edge.exports.times import day_of, to_millisecond
from edge.store.records import StoredEvent, StoredPicture, StoredSample

FILE = "pictures.csv"
_COLUMNS = ("file", "label", "machine_label", "score", "checked", "reasons", "captured", "device", "bundle")


def takes_marked(stored: StoredEvent, picture: StoredPicture) -> bool:
    """Return whether the picture is the best one of a marked event."""
    return stored.mark is not None and picture.kind == "best"


class FolderWriter:
    """Class folders, and pictures.csv about each picture in them."""

    def __init__(self, output: OutputFile) -> None:
        self._table = CsvTable(output, _COLUMNS)
        self._classes = Names()

    def pictures(self, stored: StoredEvent) -> list[Named]:
        """Return the best picture, if a person marked the event."""
        if stored.mark is None:
            return []
        # The trainer refuses a class that reads as unknown. Events could be marked so until November 2026.
        sure = stored.mark.verdict != "wrong" and not is_unknown(stored.label.strip())
        label = stored.label if sure else stored.event.label
        folder = f"{'classes' if sure else 'unsure'}/{self._classes.of(label)}/{day_of(stored.begin_wall_s)}"
        return [
            Named(picture, f"{folder}/{file_name(stored, '01', picture)}")
            for picture in stored.pictures
            if takes_marked(stored, picture)
        ]

    def add(self, stored: StoredEvent, kept: Sequence[Named]) -> None:
        """Write the picture's row."""
        event, mark = stored.event, stored.mark
        for named in kept:
            verdict = mark.verdict if mark is not None else ""
            label = "" if verdict == "wrong" else stored.label
            taken = to_millisecond(named.picture.captured_wall_s)
            score = f"{event.peak:.4f}"
            self._add(named.name, label, event.label, score, verdict, "", taken, event.device, event.bundle)

    def sample_name(self, stored: StoredSample) -> str:
        """Return the name of a frame of the harvest."""
        folder = f"harvest/{self._classes.of(stored.sample.label)}/{day_of(stored.captured_wall_s)}"
        return f"{folder}/{safe_name(f'{stored.device}-{stored.boot[:8]}')}-h{stored.number}.jpg"

    def add_sample(self, stored: StoredSample, name: str) -> None:
        """Write the row of a frame of the harvest."""
        sample, taken = stored.sample, to_millisecond(stored.captured_wall_s)
        reasons, score = "|".join(sample.reasons), f"{sample.score:.4f}"
        self._add(name, "", sample.label, score, "", reasons, taken, stored.device, stored.bundle)

    def _add(self, *cells: str) -> None:
        self._table.add_cells(map(clean, cells))


@contextlib.contextmanager
def open_folders(target: Target) -> Iterator[FolderWriter]:
    """Open the table. Raises StorageError."""
    with target.file(FILE) as output:
        yield FolderWriter(output)
