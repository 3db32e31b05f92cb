"""Say whether a taught layer is better than the one before, from answers to examples that it had not seen."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge.teaching.judging import MOST_LOST, Judged, Material

# A new class that is found less often is worth a hint.
_OFTEN = 0.7


class Row(msgspec.Struct, frozen=True):
    """One class. photos, remembered: how many examples. before, after: shares of them that are answered rightly; None
    without any. named: the share that is, and reaches its threshold. new: whether the bundle did not know it."""

    label: str
    new: bool
    photos: int
    remembered: int
    before: float | None
    after: float | None
    named: float | None


class Verdict(msgspec.Struct, frozen=True):
    """The figures, and what they show.

    known_before, known_after: shares of right answers to all examples of the classes that were there.
    new: mean share of right answers to new classes; None if there are none.
    """

    better: bool
    summary: str
    hints: tuple[str, ...]
    known_before: float
    known_after: float
    new: float | None
    rows: tuple[Row, ...]


def judge(
    judged: Judged,
    material: Material,
    labels: Sequence[str],
    named: NDArray[np.bool_],
    named_before: NDArray[np.bool_],
) -> Verdict:
    """Compare both layers' answers. named, named_before: bool (examples,), which each answers rightly, and surely
    enough.

    Better is one that loses at most 2 points of the classes that were there, and gains: in the mean of all classes if
    there are new ones, in right answers otherwise.
    """
    classes, known = material.classes, material.classes < material.known
    before, after = judged.before.argmax(axis=1) == classes, judged.after.argmax(axis=1) == classes
    is_photo = np.arange(len(classes)) < material.photos
    rows = []
    for number in np.unique(np.concatenate([classes, np.arange(material.known, len(labels))])):
        own = classes == number
        rows.append(
            Row(
                label=labels[number],
                new=bool(number >= material.known),
                photos=int((own & is_photo).sum()),
                remembered=int((own & ~is_photo).sum()),
                before=_share(before[own]),
                after=_share(after[own]),
                named=_share(named[own]),
            )
        )
    known_before, known_after = float(before[known].mean()), float(after[known].mean())
    found = [row.after or 0.0 for row in rows if row.new]
    lost = known_before - known_after
    gains = np.mean([(row.after or 0) - (row.before or 0) for row in rows]) > 0 if found else after.sum() > before.sum()
    better = bool(gains) and lost <= MOST_LOST + 1e-9
    new = float(np.mean(found)) if found else None
    return Verdict(
        better,
        _summary(known_before, known_after, new),
        (*_hints(rows), *_hint_at_names(float(named_before[known].mean()), float(named[known].mean()))),
        known_before,
        known_after,
        new,
        tuple(rows),
    )


def _share(right: NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if right.size else None


def _summary(before: float, after: float, new: float | None) -> str:
    known = f"known classes {before:.1%} before, {after:.1%} after"
    return known if new is None else f"{known}; new ones {new:.1%}"


def _hints(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(
        f"{row.label[:80]} is found in {row.after:.0%} of its photos: more of it, of other moments, would help"
        for row in rows
        if row.new and row.after is not None and row.after < _OFTEN
    )


def _hint_at_names(before: float, after: float) -> tuple[str, ...]:
    """Tell that fewer are named, which right answers do not show."""
    if after >= before - MOST_LOST:
        return ()
    return (
        f"of the known classes {before:.0%} were named before, {after:.0%} are after: more are `unknown`; "
        "[decision] threshold in the settings lowers the threshold, and so the precision",
    )
