"""Compare the events of one recording under two settings. Pure; no NumPy."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import msgspec

from edge.events.records import Sighting

# Any other smoothing shifts begin and end a little, which nobody looks for.
_SAME_S = 1.0

Verdict = Literal["same", "changed", "only old", "only new"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was and as it would be. same: one label, and begin and end within a second."""

    verdict: Verdict
    old: Sighting | None = None
    new: Sighting | None = None

    @property
    def begin_s(self) -> float:
        """Return when the earlier of the two begins."""
        return min(event.begin_mono_s for event in (self.old, self.new) if event is not None)


def compare(old: Sequence[Sighting], new: Sequence[Sighting]) -> list[Change]:
    """Return what becomes of each event, by time. Each list holds events that follow each other.

    Two are the same visit if they overlap; of several that do, those of one label first, then those that overlap most.
    """
    pairs = sorted(_overlapping(old, new), key=lambda pair: _fit(old[pair[0]], new[pair[1]]), reverse=True)
    of_old: dict[int, int] = {}
    taken: set[int] = set()
    for i, j in pairs:
        if i not in of_old and j not in taken:
            of_old[i] = j
            taken.add(j)
    changes = [_change(old[i], new[j]) for i, j in of_old.items()]
    changes += [Change(verdict="only old", old=event) for i, event in enumerate(old) if i not in of_old]
    changes += [Change(verdict="only new", new=event) for j, event in enumerate(new) if j not in taken]
    return sorted(changes, key=lambda change: change.begin_s)


def counts(changes: Sequence[Change]) -> dict[Verdict, int]:
    """Return how many there are of each verdict."""
    found = Counter(change.verdict for change in changes)
    verdicts: tuple[Verdict, ...] = ("same", "changed", "only old", "only new")
    return {verdict: found[verdict] for verdict in verdicts}


def _overlapping(old: Sequence[Sighting], new: Sequence[Sighting]) -> list[tuple[int, int]]:
    pairs, begin = [], 0
    for i, event in enumerate(old):
        while begin < len(new) and new[begin].end_mono_s < event.begin_mono_s:
            begin += 1
        j = begin
        while j < len(new) and new[j].begin_mono_s <= event.end_mono_s:
            pairs.append((i, j))
            j += 1
    return pairs


def _fit(a: Sighting, b: Sighting) -> tuple[bool, float]:
    return a.label == b.label, min(a.end_mono_s, b.end_mono_s) - max(a.begin_mono_s, b.begin_mono_s)


def _change(old: Sighting, new: Sighting) -> Change:
    shift_s = max(abs(old.begin_mono_s - new.begin_mono_s), abs(old.end_mono_s - new.end_mono_s))
    return Change(verdict="same" if old.label == new.label and shift_s <= _SAME_S else "changed", old=old, new=new)
