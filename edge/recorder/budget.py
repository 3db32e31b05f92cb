"""Choose which pictures go when there is no more room: pure, over small records.

All pictures of an event go together: half a burst is worth nothing. Each event has a **worth** in points, and those of
the least go first, of equals the oldest. So the pictures of a common label that are sure and exported go first; what is
rare, uncertain, marked as wrong or not exported yet stays longest.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from edge.store.records import Verdict

# A person took the time to mark it, and it is what the next training learns most from.
WRONG: Final = 16.0
# It is on this card only.
NOT_EXPORTED: Final = 8.0
# One point for each halving of the label's share: one in 64 and rarer get all.
RAREST: Final = 6.0
# None for a score of 1 with nothing beside it, all for a second that is as good as the first.
UNCERTAIN: Final = 4.0
# A person has seen it, and the network knew it.
RIGHT: Final = -2.0
# A single pass finds at most so many, in about 100 bytes each.
_MOST = 4000


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What may go: the pictures of an event, or a sample.

    number: of the event or sample; a smaller one is older. size: of all its pictures, in bytes.
    score: its highest, 0..1. second: of the best other label, 0 without one.
    verdict: of a person, None without one.
    """

    number: int
    label: str
    size: int
    score: float
    second: float = 0.0
    verdict: Verdict | None = None
    exported: bool = False


def worth(candidate: Candidate, share: float) -> float:
    """Return how much the pictures are worth keeping. share: of all candidates that have its label, over 0 to 1."""
    lead = min(1.0, max(0.0, candidate.score - candidate.second))
    points = min(RAREST, -math.log2(share)) + UNCERTAIN * (1.0 - lead)
    if not candidate.exported:
        points += NOT_EXPORTED
    if candidate.verdict in ("wrong", "other"):
        points += WRONG
    elif candidate.verdict == "right":
        points += RIGHT
    return points


def choose(candidates: Iterable[Candidate], counts: Counter[str], size: int) -> Iterator[Candidate]:
    """Yield those to remove, least worth first, until `size` bytes are free or a single pass finds no more.

    counts: how many candidates each label has.
    """
    total = max(1, counts.total())
    # Not sorted as a whole: there may be 200,000, and this process has some megabytes.
    ranked = heapq.nsmallest(
        _MOST,
        candidates,
        key=lambda one: (worth(one, max(1, counts[one.label]) / total), one.number),
    )
    for candidate in ranked:
        if size <= 0:
            return
        size -= candidate.size
        yield candidate


def excess(used: int, most: int, free: int, reserve: int, *, slack: float = 0.02) -> int:
    """Return how many bytes of pictures must go, 0 for none.

    used, most: what they take and may take. free, reserve: what is free on their disk, and what must stay free.
    slack: share of `most` that is freed beyond the need, so that the pictures are not looked through for each new one.
    """
    need = max(used - most, reserve - free)
    return min(used, need + int(slack * most)) if need > 0 else 0
