"""Write features with their file names: NumPy's .npy with a CSV beside it, or Parquet."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge.embedding.source import Features
from edge.exports.parquet import load
from edge.exports.tables import csv_bytes
from edge.printable import utf8_text
from edge.storage import new_file, write_file

SUFFIXES = (".npy", ".parquet")


def names_beside(path: Path) -> Path:
    """Return where the file names of an .npy file are: a CSV of the same name."""
    return path.with_suffix(".csv")


def write_features(path: Path, files: Sequence[str], features: Features, *, overwrite: bool = False) -> None:
    """Write `features`, float32 (files, channels), and the names of their files to `path`: both or neither,
    unless others write there meanwhile.

    path: ends in .npy, which gets a CSV with the columns row and file beside it, or in .parquet, with the columns
        file and features. Bytes of a name that are not UTF-8 become U+FFFD there; the CSV has them as they are.

    Raises OutputExistsError, StorageError, MissingPackageError without pyarrow.
    """
    if path.suffix == ".parquet":
        write_file(path, _parquet(files, features), overwrite=overwrite)
        return
    table = io.BytesIO()
    np.save(table, features, allow_pickle=False)
    beside = names_beside(path)
    with new_file(beside, overwrite=overwrite) as names, new_file(path, overwrite=overwrite) as file:
        names.write(csv_bytes([("row", "file"), *enumerate(files)]))
        file.write(table.getbuffer())
        # Both are on the disk before either gets its name, and the names are the last: features have no others' names.
        for one in (names, file):
            one.flush()
            os.fsync(one.fileno())
        if overwrite:
            beside.unlink(missing_ok=True)


def _parquet(files: Sequence[str], features: Features) -> bytes:
    arrow, parquet = load()
    columns = {
        "file": arrow.array([utf8_text(name) for name in files], arrow.string()),
        "features": arrow.FixedSizeListArray.from_arrays(arrow.array(features.reshape(-1)), features.shape[1]),
    }
    sink = io.BytesIO()
    parquet.write_table(arrow.table(columns), sink, compression="zstd")
    return sink.getvalue()
