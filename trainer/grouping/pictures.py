"""Read some photos again, small: for contact sheets, and for a bundle to name."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge.bundle.manifest import InputTensor, Preprocessing
from trainer.dataset.decoding import Decoders
from trainer.dataset.inspection import PhotoRecord
from trainer.dataset.rows import Rows
from trainer.networks.families import DEFAULT_FAMILY, Network
from trainer.networks.pixels import input_of, preprocessing_for
from trainer.pages.thumbnail import data_url, encode, fitted
from trainer.progress import Progress

_SIDE = 160  # pixels; shown at 80 to 160


@contextmanager
def decoded(
    paths: Sequence[Path], spec: Preprocessing, tensor: InputTensor, *, workers: int, progress: Progress
) -> Iterator[tuple[Rows, dict[int, PhotoRecord]]]:
    """Decode `paths`, and yield their pixels and the records of those that could be read, by place in `paths`."""
    found: dict[int, PhotoRecord] = {}
    shape = (tensor.height, tensor.width, 3)
    with (
        tempfile.TemporaryDirectory(prefix="fieldfare-pictures-") as folder,
        Rows.create(Path(folder), len(paths), shape, "uint8", "the decoded photos") as rows,
    ):
        with (
            Decoders(spec, tensor, rows, workers=workers) as decoders,
            progress.stage("pictures", len(paths)) as advance,
        ):
            for answer in decoders.decode(paths):
                if answer.record is not None:
                    found[answer.index] = answer.record
                advance(1)
        yield rows, found


def thumbnails(paths: Sequence[Path], *, workers: int, progress: Progress) -> dict[Path, str]:
    """Return small pictures of `paths`, in their own shape, as `data:` addresses; none for what cannot be read."""
    network = Network(DEFAULT_FAMILY, 1.0, _SIDE)
    spec, tensor = preprocessing_for(network, "squash"), input_of(network)
    with decoded(paths, spec, tensor, workers=workers, progress=progress) as (rows, records):
        return {
            paths[place]: data_url(encode(rows[place], fitted(record.width, record.height, _SIDE)))
            for place, record in records.items()
        }
