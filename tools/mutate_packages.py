#!/usr/bin/env python3
"""Read mutants of compiled models, as check-edgetpu, add-edgetpu and doctor do, and report what breaks.

    python tools/mutate_packages.py MODELS --mutants 2000

MODELS is a folder of pairs, NAME.tflite and NAME_edgetpu.tflite; a compiled model without its pair is read alone. The
mutants are of three kinds: changed bytes of the package, fields of its tables overwritten with what a hostile file
would hold, and the package of one model inside another. Each is read alone, and compared with every model of the
folder. A mutant depends on seed and number only.

It must be refused with one line, or read right: layers and figures that are in the mutant's own bytes, and the twin of
no model but the one that it was made from. Ends with 1 if anything else happens: an exception, a wrong twin, more than
one line, more than 10 s of the processor, or memory beyond ten times the file.
"""

import argparse
import random
import struct
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mutants import mutate_bytes

from edge.edgetpu.twin import CompiledModel, check_twin, read_compiled
from edge.errors import ModelError

LIMIT_S = 10.0
MEMORY_TIMES = 10
_WEIGHED = 10  # of so many mutants, one is measured
_COMPILED = "_edgetpu.tflite"
_MARK = b"DWN1"
_HOSTILE = (0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass(frozen=True)
class Folder:
    """Compiled models and models for the CPU, by name."""

    compiled: dict[str, bytes]
    sources: dict[str, bytes]


def load(path: Path) -> Folder:
    """Read the models of a folder. Those for the CPU that cannot be compared with anything are left out."""
    files = {file.name: file.read_bytes() for file in sorted(path.glob("*.tflite"))}
    compiled = {name.removesuffix(_COMPILED): data for name, data in files.items() if name.endswith(_COMPILED)}
    sources = {name.removesuffix(".tflite"): data for name, data in files.items() if not name.endswith(_COMPILED)}
    return Folder(compiled, sources)


def mutant(folder: Folder, chance: random.Random) -> tuple[str, bytes]:
    """Return the name of a model, and a mutant of its compiled twin."""
    name = chance.choice(list(folder.compiled))
    whole = folder.compiled[name]
    begin, end = _package(whole)
    kind = chance.choice(("bytes", "fields", "fields", "fields", "swap"))
    if kind == "bytes":
        # Of the same length: what follows the package in the file keeps its place, so that the package is reached.
        changed = mutate_bytes(whole[begin:end], chance)[: end - begin]
        return name, whole[:begin] + changed.ljust(end - begin, b"\0") + whole[end:]
    if kind == "swap":
        other = folder.compiled[chance.choice(list(folder.compiled))]
        theirs = other[slice(*_package(other))]
        return name, whole[:begin] + theirs[: end - begin].ljust(end - begin, b"\0") + whole[end:]
    changed = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place = _table_place(whole, begin, end, chance)
        size, value = chance.choice(((1, chance.randrange(256)), (2, chance.randrange(2**16)), (4, None)))
        number = chance.choice((*_HOSTILE, len(whole), chance.randrange(2**32))) if value is None else value
        changed[place : place + size] = struct.pack("<I", number)[:size]
    return name, bytes(changed)


def _package(model: bytes) -> tuple[int, int]:
    """Return begin and end of the options of the operator for the Edge TPU, from its map to its last byte."""
    begin = model.index(_MARK) - 12
    (size,) = struct.unpack_from("<I", model, begin - 4)
    return begin, begin + size


def _table_place(model: bytes, begin: int, end: int, chance: random.Random) -> int:
    """Return a place near the tables: the ends of the package, and around the layers and the chip's name."""
    marks = [begin + 4, end - 64]
    place = model.find(b"beagle", begin)
    while 0 <= place < end and len(marks) < 8:
        marks.append(place)
        place = model.find(b"beagle", place + 1)
    return max(begin, min(end - 4, chance.choice(marks) + chance.randrange(-600, 600)))


def judge(folder: Folder, name: str, data: bytes, *, weigh: bool) -> tuple[str, list[str]]:
    """Read a mutant of the twin of `name` alone and beside every model. Return its fate, and what is wrong with it.

    weigh: measure the memory too, which takes three times as long."""
    found, wrong = _tried(lambda: read_compiled(data), len(data), weigh=weigh)
    if isinstance(found, CompiledModel) and not _is_in(found, data):
        wrong.append(f"read what is not in the file: {found}"[:500])
    fate = "refused alone" if isinstance(found, str) else "read, no twin"
    for other, source in folder.sources.items():
        # What is refused alone is refused for the same reason beside any model: one or none suffices to see that.
        if isinstance(found, str) and other != name:
            continue
        answer, more = _tried(lambda source=source: check_twin(data, source), len(data) + len(source), weigh=weigh)
        wrong += more
        if isinstance(answer, CompiledModel):
            fate = "read, a twin"
            wrong += [] if other == name else [f"accepted as the twin of {other}"]
            wrong += [] if answer == found else ["read alone, it differs"]
    return fate, wrong


def _tried(read: Callable[[], CompiledModel], size: int, *, weigh: bool) -> tuple[CompiledModel | str, list[str]]:
    began_s, wrong = time.process_time(), []  # not the wall's: other programs may use the processor
    if weigh:
        tracemalloc.start()
    found: CompiledModel | str
    try:
        found = read()
    except ModelError as error:
        found = str(error)
        if len(found.splitlines()) != 1 or len(found) > 1000 or not found.isprintable():
            wrong.append(f"not one line: {found[:200]!r}")
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        found = repr(error)
        wrong.append(f"raised {found[:200]}")
    peak = tracemalloc.get_traced_memory()[1] if weigh else 0
    tracemalloc.stop()
    if peak > MEMORY_TIMES * size:
        wrong.append(f"took {peak >> 20} MiB for {size >> 10} KiB")
    if (taken_s := time.process_time() - began_s) > LIMIT_S:
        wrong.append(f"took {taken_s:.1f} s")
    return found, wrong


def _is_in(found: CompiledModel, data: bytes) -> bool:
    """Check figures against the bytes, without the reader: each layer's sizes, its numerics, and sizes of vectors."""
    layers = [struct.pack("<if", layer.zero_point, layer.scale) for layer in (*found.inputs, *found.outputs)]
    swapped = [struct.pack("<fi", layer.scale, layer.zero_point) for layer in (*found.inputs, *found.outputs)]
    numerics = all(
        any(form in data for form in forms) or not layer.zero_point
        for layer, *forms in zip((*found.inputs, *found.outputs), layers, swapped, strict=True)
    )
    sizes = (found.on_chip_bytes, found.streamed_bytes)
    return numerics and all(not size or struct.pack("<I", size) in data for size in sizes)


def campaign(folder: Folder, count: int, seed: int, show: Callable[[str], object] = print) -> int:
    """Judge so many mutants. Returns 1 if anything is wrong with one of them."""
    fates: Counter[str] = Counter()
    broken = 0
    for number in range(count):
        name, data = mutant(folder, random.Random(f"{seed} {number}"))
        fate, wrong = judge(folder, name, data, weigh=number % _WEIGHED == 0)
        fates[fate] += 1
        if wrong:
            broken += 1
            show(f"mutant {number} of {name}: {'; '.join(wrong)}")
        if (number + 1) % 200 == 0:
            show(f"{number + 1} of {count}: {dict(fates)}")
    show(f"{count} mutants, each beside {len(folder.sources)} models: {dict(fates)}; {broken} broke something")
    return 1 if broken else 0


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, help="folder of NAME.tflite and NAME_edgetpu.tflite")
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(campaign(load(given.models), given.mutants, given.seed))


if __name__ == "__main__":
    main()
