"""When what waits must be on the disk: as late as the promise allows, so that many share a commit."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.events.records import Event
from edge.recorder.waiting import MOST_FILES, MOST_ITEMS, Item, OpenEvents, Waiting


def event(sequence: int = 1, **changes: Any) -> Event:
    known: dict[str, Any] = {
        "device": "garden",
        "boot": "0123abcd",
        "sequence": sequence,
        "label": "tit",
        "begin_mono_s": 90.0,
        "end_mono_s": 100.0,
        "peak": 0.9,
        "peak_mono_s": 95.0,
        "mean": 0.8,
        "frames": 30,
        "engine": "litert",
        "bundle": "abc",
        "camera": "front",
    }
    return Event(**{**known, **changes})


@pytest.mark.parametrize(
    ("heard_s", "within_s", "due_s"),
    [
        (100.0, 15.0, 110.0),  # at once
        (102.0, 15.0, 110.0),  # after the gap of two seconds
        (108.0, 15.0, 110.5),  # after a long one
        (900.0, 15.0, 902.5),  # sent again to another recorder
        (102.0, 120.0, 180.0),
        (50.0, 15.0, 60.0),  # an end that lies ahead holds nothing up
    ],
)
def test_an_event_waits_for_others_within_the_promise(heard_s: float, within_s: float, due_s: float) -> None:
    waiting = Waiting(within_s)
    waiting.add(Item(1, event()), heard_s)
    assert waiting.due_s == due_s


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 100)), min_size=1), st.floats(1, 3600))
def test_the_promise_holds_for_whatever_came_before(arrivals: list[tuple[float, float]], within_s: float) -> None:
    waiting, now = Waiting(within_s), 1000.0
    for late_s, pause_s in arrivals:
        now += pause_s
        waiting.add(Item(1, event(end_mono_s=now - late_s)), now)
        assert waiting.due_s is not None
        assert waiting.due_s <= max(now - late_s + within_s * 2 / 3, now + within_s / 6)


def test_nothing_waits_once_it_is_kept() -> None:
    waiting = Waiting(15.0)
    assert waiting.due_s is None
    file = os.memfd_create("picture")
    waiting.add(Item(1, event(), files=[file]), 100.0)
    waiting.clear()
    assert waiting.due_s is None
    assert waiting.items == []
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(file)


def test_it_is_full_by_number_or_by_files() -> None:
    waiting = Waiting(15.0)
    for ticket in range(MOST_ITEMS):
        assert not waiting.is_full
        waiting.add(Item(ticket, event(ticket)), 100.0)
    assert waiting.is_full
    waiting.clear()
    assert not waiting.is_full
    waiting.add(Item(1, event(), files=[os.memfd_create("picture") for _ in range(MOST_FILES)]), 100.0)
    assert waiting.is_full
    waiting.clear()


def in_sight(begin_s: float, now: float) -> Event:
    return event(begin_mono_s=begin_s, end_mono_s=now, ended=False)


def test_what_is_long_in_sight_is_stored_now_and_then() -> None:
    events = OpenEvents()
    stored_s = []
    for now in range(100, 1100):
        events.hear(in_sight(100, now), now)
        if long := events.to_store(now):
            stored_s.append(now)
            events.stored(long, now)
    assert stored_s == [161, 461, 761, 1061]


def test_what_ended_is_in_sight_no_more() -> None:
    events = OpenEvents()
    events.hear(in_sight(0, 100), 100)
    events.end(event())
    assert events.take_all() == []


def test_what_is_not_heard_of_was_given_up_somewhere() -> None:
    events = OpenEvents()
    events.hear(in_sight(0, 100), 100)
    events.hear(event(2, ended=False), 600)
    assert events.take_silent(700) == []
    assert events.take_silent(701) == [in_sight(0, 100)]
    assert events.take_all() == [event(2, ended=False)]
    assert events.take_all() == []
