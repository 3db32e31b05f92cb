"""Make batches of augmented photos, each photo's draws from its seed, pass, step and place alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.prepared import changed_row
from trainer.dataset.rows import RowSource
from trainer.learning.augment import Augmentation, augment

BATCH = 32


@dataclass(frozen=True, slots=True)
class Batch:
    """One member's share of a step.

    step: its number, over all passes.
    pixels: uint8 (photos, height, width, 3).
    indices: of the photos.
    """

    step: int
    pixels: NDArray[np.uint8]
    indices: NDArray[np.int64]


class Batches:
    """The training photos `indices`, shuffled anew for every pass, in batches of 32; of each batch the part of
    member `rank` of `size`."""

    def __init__(
        self,
        pixels: RowSource,
        indices: NDArray[np.int64],
        augmentation: Augmentation,
        seed: int,
        *,
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self._pixels = pixels
        self._indices = indices
        self._augmentation = augmentation
        self._seed = seed
        self._rank, self._size = rank, size
        self._pass = -1
        self.steps_per_pass = max(1, len(indices) // BATCH)

    def of_steps(self, first: int, end: int) -> Iterator[Batch]:
        """Yield the batches of the steps first..end-1."""
        # One batch ahead: pictures are changed while the network learns from those before.
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(self._make, first)
            for step in range(first, end):
                batch = pending.result()
                if step + 1 < end:
                    pending = pool.submit(self._make, step + 1)
                yield batch

    def _make(self, step: int) -> Batch:
        turn, number = divmod(step, self.steps_per_pass)
        whole = self._order(turn)[number * BATCH : (number + 1) * BATCH]
        mine = np.arange(len(whole))[self._rank :: self._size]
        # A generator for each photo: any machine can make any part of any batch, and a resumed training goes on alike.
        draws = [np.random.default_rng((self._seed, turn, number, place)) for place in mine]
        pictures = [
            changed_row(self._pixels, whole[place], partial(augment, how=self._augmentation, rng=rng))
            for place, rng in zip(mine, draws, strict=True)
        ]
        shape = (len(mine), *self._pixels.shape[1:])
        return Batch(step, np.array(pictures, np.uint8).reshape(shape), whole[mine])

    def _order(self, turn: int) -> NDArray[np.int64]:
        if self._pass != turn:
            self._shuffled = np.random.default_rng((self._seed, turn)).permutation(self._indices)
            self._pass = turn
        return self._shuffled
