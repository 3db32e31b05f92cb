"""What is said of a taught layer: better or worse, and what right answers alone do not show."""

import numpy as np
import pytest

from edge.teaching.fitting import Rows
from edge.teaching.judging import Judged, Material
from edge.teaching.remembering import Remembered
from edge.teaching.verdict import Verdict, judge

# Ten examples of a new class, then of two known ones. All are answered rightly, but the new one by the old layer.
CLASSES = np.repeat(np.array([2, 0, 1]), 10)
AFTER = np.eye(3)[CLASSES]


def verdict(named: int, named_before: int) -> Verdict:
    """The verdict if so many of the 20 known examples are named rightly, after and before."""
    none = Remembered.of(np.empty((0, 4)), np.empty(0, np.int64))
    material = Material(2, np.zeros((30, 4)), CLASSES, np.zeros((10, 5, 4), np.float32), none)
    judged = Judged(Rows(np.zeros((3, 4)), np.zeros(3)), AFTER[:, :2], AFTER, np.array([False, False, True]))
    first = np.arange(30) < 10
    after, before = (first | (np.arange(30) < 10 + count) for count in (named, named_before))
    return judge(judged, material, ("owl", "fox", "hare"), after, before)


@pytest.mark.parametrize(("named", "named_before"), [(20, 20), (20, 10), (16, 16)])
def test_as_many_named_as_before_are_no_word(named: int, named_before: int) -> None:
    found = verdict(named, named_before)
    assert found.better
    assert found.hints == ()


def test_fewer_named_than_before_are_said_though_all_are_right() -> None:
    found = verdict(14, 18)
    assert found.known_before == found.known_after == 1.0
    assert len(found.hints) == 1
    assert found.hints[0].startswith("of the known classes 90% were named before, 70% are after")
