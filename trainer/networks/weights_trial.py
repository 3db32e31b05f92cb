"""Try a weights file from an unknown source in a child process: a small one can request any amount of memory.

Run as `python -m trainer.networks.weights_trial FILE`, with what the network expects as JSON on standard input; prints
what is wrong with the file, or nothing. Keras then reads the same arrays, in the same library.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edge.errors import UnavailableError
from edge.processes.child import limit_memory
from edge.processes.process import describe_exit, last_line, module_command
from edge.processes.run import Finished, run

TIMEOUT_S = 120.0
# The largest network has 5 million weights, which is 20 MB. This is what libraries and a file's index may take, too.
_MEMORY_BYTES = 2 << 30
_MOST_OUTPUT = 1 << 16
# HDF5 unpacks a chunk as a whole, however little of it belongs to the array. Keras writes none.
_MOST_CHUNK_BYTES = 64 << 20
DAMAGED = "damaged, cut short, or no HDF5 file"
_VARIABLES = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # each thread takes address space

_Shape = tuple[int, ...]


def try_weights(path: Path, expected: list[_Shape]) -> str:
    """Return why the arrays of the HDF5 file at `path` do not have the shapes `expected`, or cannot be read, in a few
    words; '' if they do. Raises UnavailableError if no process can be started."""
    command = module_command("trainer.networks.weights_trial", [str(path.absolute())], _VARIABLES)
    try:
        finished = run(command, TIMEOUT_S, given=msgspec.json.encode(expected), max_output=_MOST_OUTPUT)
    except OSError as error:
        raise UnavailableError(f"{path}: no process can be started to try it: {error.strerror or error}") from error
    return _reason(finished)


def _reason(finished: Finished) -> str:
    if finished.killed_for == "time":
        return f"not read within {TIMEOUT_S:g} s"
    if finished.killed_for is not None:
        return "its arrays have names without end"
    if finished.status:
        return last_line(finished.errors) or f"reading it {describe_exit(finished.status)}"
    return finished.output.decode("utf-8", "replace")


def _problem(path: Path, expected: list[_Shape]) -> str:
    """Return what is wrong with the file, in one line; '' if nothing is."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if path.name.endswith(".weights.h5"):  # Keras 3's own form, whose order is not that of the layers
                _check_all(file, max(map(math.prod, expected), default=0))
            else:
                _check_order(file, expected)
    except (MemoryError, OSError) as error:
        # HDF5 reports as an OSError, too, that it gets no memory; its other words are those of its inside.
        if isinstance(error, MemoryError) or "memory" in str(error):
            return f"takes over {_MEMORY_BYTES >> 30} GiB of memory to read"
        return DAMAGED
    except Exception as error:  # noqa: BLE001 - h5py raises anything on damaged bytes
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _check_order(file: Any, expected: list[_Shape]) -> None:
    """Raise ValueError if the arrays, in the order in which Keras reads them, do not have the shapes `expected`."""
    number = -1
    for number, (name, array) in enumerate(_stored(file)):
        shape = tuple(array.shape)
        if number >= len(expected) or shape != expected[number]:
            wanted = expected[number] if number < len(expected) else "no more arrays"
            raise ValueError(f"{name} has the shape {shape}, the network has {wanted} there")
        _read(name, array)
    if number + 1 < len(expected):
        raise ValueError(f"{number + 1} arrays, the network has {len(expected)}")


def _stored(file: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and arrays, as Keras would read them. `file`: an open h5py.File."""
    root = file if "layer_names" in file.attrs or "model_weights" not in file else _inside(file, "model_weights")
    for layer in _names(root, "layer_names"):
        group = _inside(root, layer)
        for weight in _names(group, "weight_names"):
            yield weight, _inside(group, weight)


def _names(group: Any, attribute: str) -> Iterator[str]:
    """Yield a list of names."""
    # Keras writes a long one in parts: weight_names0, weight_names1 and so on.
    parts = [attribute] if attribute in group.attrs else [f"{attribute}{part}" for part in range(len(group.attrs))]
    for part in parts:
        for name in group.attrs.get(part, ()):
            yield name.decode() if isinstance(name, bytes) else str(name)


def _inside(group: Any, path: str) -> Any:
    """Return what is at `path` below `group`. Raises ValueError if a link on the way leads elsewhere, even out of the
    file: to a pipe, or to other people's data."""
    import h5py

    for part in filter(None, path.split("/")):
        if not isinstance(group, h5py.Group):
            raise ValueError(f"{path} is not there")  # noqa: TRY004 - the file is wrong, not a type
        if group.get(part, getclass=True, getlink=True) is not h5py.HardLink:
            raise ValueError(f"{path} is not in the file itself")
        group = group[part]
    return group


def _check_all(file: Any, most: int) -> None:
    """Read every array and attribute below `file`. Raises ValueError if an array has more values than `most`."""
    import h5py

    waiting, seen = [("", file)], set()
    while waiting:
        name, group = waiting.pop()
        dict(group.attrs)
        if isinstance(group, h5py.Dataset):
            if group.size is None or group.size > most:
                raise ValueError(f"{name} has {group.size} values, the largest array of the network {most}")
            _read(name, group)
        elif isinstance(group, h5py.Group) and (place := h5py.h5o.get_info(group.id).addr) not in seen:
            seen.add(place)  # groups can hold each other
            waiting += [(f"{name}/{part}", _inside(group, part)) for part in group]


def _read(name: str, array: Any) -> None:
    """Read `array`. Raises ValueError if it is none of numbers, or not stored as one."""
    import h5py

    # Before it is read: one value of another type can fill all memory, and so can one chunk.
    if not isinstance(array, h5py.Dataset) or array.dtype.kind not in "fiu":
        raise ValueError(f"{name} is no array of numbers")
    if array.is_virtual or array.external:
        raise ValueError(f"{name} is not in the file itself")
    if array.chunks and math.prod(array.chunks) * array.dtype.itemsize > _MOST_CHUNK_BYTES:
        raise ValueError(f"{name} is stored in pieces of over {_MOST_CHUNK_BYTES >> 20} MiB")
    array[()]


if __name__ == "__main__":
    limit_memory(_MEMORY_BYTES)
    sys.stdout.write(_problem(Path(sys.argv[1]), msgspec.json.decode(sys.stdin.buffer.read(), type=list[_Shape])))
