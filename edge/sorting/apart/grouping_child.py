"""The process that groups pictures: `python -m edge.sorting.apart.grouping_child REQUEST.json ANSWER.json`.

Prints `DONE TOTAL` on lines of standard output as it goes on, and an error of ours as one line on standard error. Ends
with its standard input.
"""

import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import FieldfareError
from edge.processes.child import leave_no_core
from edge.sorting.apart.heaps import heaps
from edge.sorting.apart.looks import SIDE, looks_of
from edge.sorting.apart.small import read_small

_BATCH = 16
# TrashNet, 500 photos: 20 in a group took 383 clicks by looks and 294 by a network, 12 took 337 and 311, 8 364 and 307.
_OF_A_GROUP, _MOST_GROUPS = 12, 400
# What a network computes has 1280 numbers a picture; distances survive in so few.
_KEPT = 96
# Pixels are read a little larger than the network's input, for its own resize.
_NETWORK_SIDE = 320


class _Describer(Protocol):
    channels: int
    side: int

    def describe(self, pictures_rgb: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return float32 (pictures, channels)."""


class _ByLooks:
    channels, side = 176, 2 * SIDE

    def describe(self, pictures_rgb: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        from PIL import Image

        small = [Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BOX) for one in pictures_rgb]
        return np.stack([looks_of(np.asarray(one)) for one in small])


class _ByBundle:
    side = _NETWORK_SIDE

    def __init__(self, path: Path) -> None:
        from edge.bundle.store import open_bundle
        from edge.embedding.source import BundleFeatures
        from edge.preprocess import Preprocessor

        self._source = BundleFeatures(open_bundle(path))
        self._preprocessor = Preprocessor(self._source.spec, self._source.tensor)
        dice = np.random.default_rng(0)
        self.channels = min(_KEPT, self._source.channels)
        whole = self.channels == self._source.channels
        size = (self._source.channels, self.channels)
        self._to = np.eye(self.channels, dtype=np.float32) if whole else dice.normal(size=size).astype(np.float32)

    def describe(self, pictures_rgb: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        from edge.embedding.source import unit_length

        pixels = [self._preprocessor.pixels(np.ascontiguousarray(one[:, :, ::-1])) for one in pictures_rgb]
        found: NDArray[np.float32] = unit_length(self._source.features(np.stack(pixels))) @ self._to
        return found


def group(request: dict[str, Any]) -> list[list[int]]:
    """Return groups of the numbers of pictures in the request, from 0, without those that cannot be read."""
    describer: _Describer = _ByBundle(Path(request["bundle"])) if request["bundle"] else _ByLooks()
    files = [Path(name) for name in request["files"]]
    table = np.empty((len(files), describer.channels), np.float32)
    places: list[int] = []
    with ThreadPoolExecutor(request["threads"]) as pool:
        readings = _in_step(pool, files, describer.side, 2 * request["threads"])
        done = 0
        while batch := list(islice(readings, _BATCH)):
            good = [(done + i, pixels) for i, pixels in enumerate(batch) if pixels is not None]
            if good:
                rows = describer.describe([pixels for _, pixels in good])
                table[len(places) : len(places) + len(good)] = rows
                places += [place for place, _ in good]
            done += len(batch)
            print(done, len(files), flush=True)  # noqa: T201 - the parent reads it
    if not places:
        return []
    wanted = max(1, min(_MOST_GROUPS, len(places) // _OF_A_GROUP))
    return [[places[row] for row in members.tolist()] for members in heaps(table[: len(places)], wanted)]


def _in_step(
    pool: ThreadPoolExecutor, files: Iterable[Path], side: int, ahead: int
) -> Iterator[NDArray[np.uint8] | None]:
    """Yield the pixels of each file, R, G, B, in order; None for what cannot be read. No more than `ahead` wait."""
    files = iter(files)
    waiting = [pool.submit(_read, path, side) for path in islice(files, ahead)]
    while waiting:
        first = waiting.pop(0)
        waiting += [pool.submit(_read, path, side) for path in islice(files, 1)]
        yield first.result()


def _read(path: Path, side: int) -> NDArray[np.uint8] | None:
    with suppress(FieldfareError, OSError):
        return np.asarray(read_small(path, side))
    return None


def _end_with_input() -> None:
    while os.read(0, 1):  # not sys.stdin: its lock would be held when this process ends
        continue
    os._exit(1)


def main() -> int:
    """Group what the request names, and write the answer."""
    leave_no_core()
    threading.Thread(target=_end_with_input, daemon=True).start()
    with suppress(OSError):  # the first to go if memory is short, before who shows the pages
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        found = group(json.loads(Path(sys.argv[1]).read_text()))
        Path(sys.argv[2]).write_text(json.dumps(found))
    except FieldfareError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the parent shows it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
