"""Which pictures go first: what is common, sure and exported; what is rare, uncertain or marked wrong stays."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recorder.budget import Candidate, choose, excess, worth


def pictures(number: int, **changes: Any) -> Candidate:
    return Candidate(**{"number": number, "label": "tit", "size": 100, "score": 0.9, **changes})


def removed(candidates: Sequence[Candidate], size: int) -> list[int]:
    return [one.number for one in choose(candidates, Counter(one.label for one in candidates), size)]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"exported": True}, {}),
        ({"exported": True, "score": 0.0}, {}),
        ({"score": 0.9}, {"score": 0.1}),
        ({"score": 0.6}, {"score": 0.6, "second": 0.4}),
        ({"score": 0.5, "second": 0.1}, {"score": 0.6, "second": 0.4}),
        ({"verdict": "right"}, {}),
        ({}, {"verdict": "wrong"}),
        ({}, {"verdict": "other"}),
        ({}, {"verdict": "wrong", "exported": True}),
        ({"number": 1}, {"number": 2}),
    ],
    ids=lambda changes: ",".join(f"{key}={value}" for key, value in changes.items()) or "plain",
)
def test_what_goes_first(first: dict[str, Any], later: dict[str, Any]) -> None:
    one, other = pictures(**{"number": 2, **first}), pictures(**{"number": 1, **later})
    assert removed([one, other], 1) == removed([other, one], 1) == [one.number]


def test_the_rare_outlive_the_common() -> None:
    common = [pictures(number) for number in range(10, 30)]
    rare = [pictures(number, label="wryneck") for number in (1, 2)]
    assert removed([*rare, *common], 2000) == list(range(10, 30))


def test_no_more_goes_than_must() -> None:
    assert removed([pictures(number) for number in range(5)], 0) == []
    assert removed([pictures(number) for number in range(5)], 250) == [0, 1, 2]
    assert removed([pictures(number) for number in range(5)], 10_000) == [0, 1, 2, 3, 4]


@given(st.floats(0, 1, exclude_min=True), st.floats(-1, 2), st.booleans())
def test_a_mark_of_wrong_outweighs_whatever_else(share: float, score: float, exported: bool) -> None:
    marked = worth(pictures(1, verdict="wrong", exported=exported, score=score), share)
    assert marked > worth(pictures(1, exported=exported, score=score), share)


@pytest.mark.parametrize(
    ("used", "most", "free", "reserve", "size"),
    [
        (99, 100, 1000, 500, 0),
        (100, 100, 1000, 500, 0),
        (110, 100, 1000, 500, 12),  # 2 % more than must
        (50, 100, 480, 500, 22),
        (10, 100, 0, 500, 10),  # the reserve is gone: all that there is
        (0, 100, 0, 500, 0),
        (70, 0, 1000, 500, 70),  # no pictures wanted any more
    ],
)
def test_how_much_must_go(used: int, most: int, free: int, reserve: int, size: int) -> None:
    assert excess(used, most, free, reserve) == size
