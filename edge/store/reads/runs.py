"""Keep sets of numbers of which most lie side by side, such as those of the events that were exported."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import pairwise


class NumberSet:
    """A set of whole numbers, as runs of them. Immutable.

    A million of which all lie side by side take nothing; a million single ones 16 MB.
    """

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        # The first number of each run, and the first after it, in turn.
        self._bounds = _joined((number, number + 1) for number in sorted(numbers))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and bisect_right(self._bounds, number) % 2 == 1

    def __bool__(self) -> bool:
        return bool(self._bounds)

    def __or__(self, other: "NumberSet") -> "NumberSet":
        found = NumberSet()
        found._bounds = _joined(merge(self._runs(), other._runs()))
        return found

    def _runs(self) -> Iterator[tuple[int, int]]:
        bounds = iter(self._bounds)
        return zip(bounds, bounds, strict=True)

    def up_to(self, last: int) -> Iterator[int]:
        """Yield the numbers from 1 to `last`, in order."""
        for begin, end in self._runs():
            yield from range(max(begin, 1), min(end, last + 1))

    def words(self) -> str:
        """Return it as text: the first bound, then each one's distance from the last."""
        return " ".join(str(bound - before) for before, bound in pairwise((0, *self._bounds)))

    @classmethod
    def of_words(cls, words: str) -> "NumberSet":
        """Return the set of such text. Raises ValueError or OverflowError for any other."""
        found, bound = cls(), 0
        for word in words.split():
            step = int(word)
            if step <= 0 and found._bounds:
                raise ValueError("runs of numbers that are not in order")
            bound += step
            found._bounds.append(bound)
        if len(found._bounds) % 2:
            raise ValueError("a run of numbers without an end")
        return found


def _joined(runs: Iterable[tuple[int, int]]) -> "array[int]":
    """Return the bounds of runs that come in the order of their begins."""
    bounds = array("q")
    for begin, end in runs:
        if bounds and begin <= bounds[-1]:
            bounds[-1] = max(bounds[-1], end)
        else:
            bounds.extend((begin, end))
    return bounds
