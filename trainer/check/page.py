"""Write the dataset check's report as one self-contained HTML page with small pictures."""

from pathlib import Path

import numpy as np

from edge import __version__
from edge.storage import write_file
from trainer.check.examine import DatasetReport
from trainer.check.findings import SEVERITIES, Finding
from trainer.check.text import summary
from trainer.dataset.photos import Photos
from trainer.pages.render import render as fill_in
from trainer.pages.thumbnail import data_url, encode, fitted
from trainer.pages.words import counted

_SIDE = 168  # pixels; shown at 84 to 168
_SAMPLE = 6
_MAX_SAMPLED_CLASSES = 60


class _Thumbnails:
    """Small pictures as data: URLs, each made once, from the model's input and in the photo's own shape."""

    def __init__(self, photos: Photos, names: dict[str, int]) -> None:
        self._photos = photos
        self._names = names
        self._made: dict[int, str] = {}

    def of_file(self, file: str) -> str:
        """Return the picture of `file`; '' if it is no readable photo."""
        index = self._names.get(file)
        return "" if index is None else self.of(index)

    def of(self, index: int) -> str:
        if index not in self._made:
            record = self._photos.records[index]
            size = fitted(record.width, record.height, _SIDE)
            self._made[index] = data_url(encode(self._photos.pixels[index], size))
        return self._made[index]


def write_page(target: Path, report: DatasetReport, photos: Photos, *, overwrite: bool = False) -> None:
    """Write the page to `target`, whole or not at all. photos.pixels must be in R, G, B.

    Raises OutputExistsError or StorageError."""
    write_file(target, render(report, photos).encode(), overwrite=overwrite)


def render(report: DatasetReport, photos: Photos) -> str:
    """Return the page as text. Names of files and classes are escaped."""
    wanted = {file for finding in report.findings for file in _files(finding)}
    names = _places(photos, wanted) if wanted else {}
    thumbnails = _Thumbnails(photos, names)
    return fill_in(
        "dataset.html",
        report=report,
        summary=summary(report),
        severities=[(severity, report.of(severity)) for severity in SEVERITIES],
        thumbnail=thumbnails.of_file,
        samples=_samples(photos, thumbnails),
        most=max((entry.photos for entry in report.classes), default=0) or 1,
        counted=counted,
        version=__version__,
    )


def _files(finding: Finding) -> list[str]:
    return [*finding.examples, *(place.file for pair in finding.pairs for place in pair)]


def _places(photos: Photos, wanted: set[str]) -> dict[str, int]:
    """Return the photo's index for each of the `wanted` files."""
    from trainer.check.findings import Evidence

    count = len(photos.listing.photos)
    evidence = Evidence(photos, np.arange(count), None)
    return {name: index for index in range(count) if (name := evidence.name(index)) in wanted}


def _samples(photos: Photos, thumbnails: _Thumbnails) -> dict[str, list[str]]:
    """Return a few pictures of each class, evenly spread over its photos."""
    labels = photos.listing.labels
    samples = {}
    for label, name in enumerate(photos.listing.classes[:_MAX_SAMPLED_CLASSES]):
        members = np.flatnonzero(labels == label)
        chosen = members[np.linspace(0, len(members) - 1, min(_SAMPLE, len(members))).astype(np.int64)]
        samples[name] = [thumbnails.of(int(index)) for index in chosen]
    return samples
