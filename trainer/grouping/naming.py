"""Name groups by the classes that a bundle knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle.store import Bundle
from trainer.features.scores import BundleScores
from trainer.grouping.pictures import decoded
from trainer.progress import Progress


@dataclass(frozen=True, slots=True)
class Name:
    """The known class that a group is nearest to, and its mean score there, 0 to 1."""

    label: str
    score: float


def name_groups(
    bundle: Bundle, samples: Sequence[Sequence[Path]], *, workers: int, progress: Progress
) -> list[Name | None]:
    """Return the name of each group by some of its photos, `samples`; None if none of them can be read.

    In the fork of a command (edge.cli.apart): a model that hangs ends the process. Raises BundleError, EngineError."""
    source = BundleScores(bundle, threads=1)
    paths = [path for sample in samples for path in sample]
    group_of = np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    sums, counts = np.zeros((len(samples), len(bundle.labels))), np.zeros(len(samples))
    try:
        with decoded(paths, source.spec, source.tensor, workers=workers, progress=progress) as (rows, read):
            for place in sorted(read):
                sums[group_of[place]] += source.scores(rows[place : place + 1])[0]
                counts[group_of[place]] += 1
    finally:
        source.close()
    return [_name(bundle, total / count) if count else None for total, count in zip(sums, counts, strict=True)]


def _name(bundle: Bundle, scores: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Name:
    return Name(bundle.labels[int(scores.argmax())], float(scores.max()))
