"""Keep on disk what a training has reached, so that a killed one goes on from there.

A folder beside the bundle-to-be, NAME.training, holds one .npz file a stage, each written whole or not at all,
and is removed when the bundle is there. One training at a time may use it.
"""

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import OutputExistsError, StorageError
from edge.portable.locks import locked
from edge.storage import clear, write_file

Arrays = dict[str, NDArray[Any]]
_OF = "training.json"
STAGES = ("head", "training", "joining")


def pack(arrays: Arrays | None) -> bytes:
    """Return the arrays as an .npz file; b"" for None."""
    if arrays is None:
        return b""
    memory = io.BytesIO()
    np.savez(memory, **arrays)  # type: ignore[arg-type]
    return memory.getvalue()


def unpack(data: bytes) -> Arrays:
    """Return the arrays that `pack` packed."""
    # No pickles: a file that somebody else put there must not run code.
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


class Checkpoints:
    """The folder of one training. Open only in `with opened(...)`; read and written by one thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def identify(self, what: Mapping[str, object]) -> None:
        """Note what is being trained, from what. Raises OutputExistsError if the folder holds a training of something
        else."""
        text = json.dumps(what, sort_keys=True, indent=1, default=str) + "\n"
        path = self.folder / _OF
        if not path.is_file():
            # A new folder; or its states belong to a training that this file alone could have named.
            _empty(self.folder)
        elif _reached(self.folder):
            if path.read_text(errors="replace") != text:
                raise OutputExistsError(
                    f"{self.folder} holds an unfinished training with {_difference(path, what)}: give the same command "
                    "again to finish it, or add --restart to throw it away"
                )
            return
        write_file(path, text.encode(), overwrite=True)

    def save(self, stage: str, arrays: Arrays) -> None:
        """Put the state of `stage` on disk, in place of the one before. Raises StorageError."""
        data = pack(arrays)
        # With its digest: a damaged state is found when it is loaded, and that stage is done again.
        digest = hashlib.sha256(data).digest()
        write_file(self.folder / f"{stage}.npz", digest + data, overwrite=True)

    def load(self, stage: str) -> Arrays | None:
        """Return the last state of `stage`; None if there is none or it was damaged."""
        try:
            content = (self.folder / f"{stage}.npz").read_bytes()
        except FileNotFoundError:
            return None
        digest, data = content[:32], content[32:]
        if hashlib.sha256(data).digest() != digest:
            return None
        return unpack(data)


class NoCheckpoints(Checkpoints):
    """Checkpoints of members that are not the chief: nothing is written, nothing is read."""

    def __init__(self) -> None:
        super().__init__(Path(os.devnull))

    def identify(self, what: Mapping[str, object]) -> None:
        """Do nothing."""

    def save(self, stage: str, arrays: Arrays) -> None:
        """Do nothing."""

    def load(self, stage: str) -> Arrays | None:
        """Return None."""
        return None


def folder_of(out: Path) -> Path:
    """Return the folder in which the training that will write `out` keeps its state."""
    return out.with_name(f"{out.name}.training")


@contextlib.contextmanager
def opened(out: Path, *, restart: bool) -> Iterator[Checkpoints]:
    """Open the checkpoints of the training that will write `out`; they are gone after the block, unless it raises.
    restart: throw away what is there. Raises OutputExistsError if another process trains into them, StorageError."""
    folder = folder_of(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made: {error.strerror or error}: choose another --out") from error
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except BlockingIOError as error:
            raise OutputExistsError(
                f"{folder}: another training is running there: wait for it or choose another --out"
            ) from error
        except OSError as error:
            raise StorageError(
                f"{folder}: cannot be locked: {error.strerror or error}: choose another --out"
            ) from error
        if restart:
            _empty(folder)
        try:
            yield Checkpoints(folder)
        except BaseException:
            if not _reached(folder):
                _remove(folder)
            raise
        _remove(folder)


def _reached(folder: Path) -> bool:
    """Return whether there is a state to go on from."""
    return any((folder / f"{stage}.npz").exists() for stage in STAGES)


def _empty(folder: Path) -> None:
    """Remove what trainings put there, killed ones too, and nothing else."""
    for path in [*(folder / f"{stage}.npz" for stage in STAGES), folder / _OF]:
        clear(path)
        path.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    _empty(folder)
    # With somebody else's files in it, the folder stays.
    with contextlib.suppress(OSError):
        folder.rmdir()


def _difference(path: Path, what: Mapping[str, object]) -> str:
    """Return the first thing that is not as it was, for the message."""
    with contextlib.suppress(ValueError):
        before = json.loads(path.read_text())
        if not isinstance(before, dict):
            return "other options"
        now = json.loads(json.dumps(what, default=str))
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                return f"another {name} ({before.get(name)}, now {now.get(name)})"
    return "other options"
