"""Sightings of one worker after another, completed to events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorders import STARTED, sighting

from edge.config.keeping import Device
from edge.events.records import Event
from edge.supervision.recording.sightings import Sightings


def sightings(device: Device = Device()) -> Sightings:  # noqa: B008 - frozen
    return Sightings(device, "/dev/video0", "pi", "boot")


def test_an_event_is_the_sighting_with_its_identity_and_where_it_comes_from() -> None:
    device = Device(camera="nest box", latitude=1.5, longitude=-2.5)
    (event,) = sightings(device).events(sighting(label="owl"), STARTED, 41.5, 7.25)
    assert (event.device, event.boot, event.sequence, event.label) == ("pi", "boot", 7250, "owl")
    assert (event.engine, event.bundle, event.camera, event.fallback) == ("cpu", "abc", "nest box", None)
    assert (event.temperature_c, event.latitude, event.longitude) == (41.5, 1.5, -2.5)
    assert (event.peak, event.mean, event.frames, event.ended) == (0.9, 0.8, 9, True)


def test_a_camera_without_a_name_is_called_by_its_source() -> None:
    (event,) = sightings().events(sighting(), STARTED, None, 1.0)
    assert event.camera == "/dev/video0"


def test_all_forms_of_one_have_the_identity_and_temperature_of_the_first() -> None:
    known = sightings()
    forms = [
        known.events(sighting(ended=ended), STARTED, temperature_c, now)[-1]
        for ended, temperature_c, now in [(False, 40.0, 1.0), (False, 50.0, 2.0), (True, 60.0, 3.0)]
    ]
    assert [(form.sequence, form.temperature_c, form.ended) for form in forms] == [
        (1000, 40.0, False),
        (1000, 40.0, False),
        (1000, 40.0, True),
    ]


def test_numbers_count_anew_in_the_next_worker() -> None:
    known = sightings()
    (first,) = known.events(sighting(1, ended=False), STARTED, None, 1.0)
    assert [event.sequence for event in known.worker_ended()] == [first.sequence]
    (second,) = known.events(sighting(1, ended=False), STARTED, None, 1.0)
    assert second.sequence == first.sequence + 1


def test_what_a_lost_worker_left_open_ends_with_what_was_last_heard() -> None:
    known = sightings()
    known.events(sighting(1, "owl", ended=False), STARTED, None, 1.0)
    known.events(sighting(2, "fox", ended=True), STARTED, None, 1.0)
    known.events(sighting(3, "cat", ended=False), STARTED, None, 1.0)
    ended = known.worker_ended()
    assert [(event.label, event.ended, event.frames) for event in ended] == [("owl", True, 9), ("cat", True, 9)]
    assert known.worker_ended() == []


def test_a_worker_that_never_ends_any_does_not_fill_the_memory() -> None:
    known = sightings()
    events: list[Event] = []
    for number in range(1500):
        events += known.events(sighting(number, ended=False), STARTED, None, 1.0)
    assert [event.sequence for event in events if event.ended] == [1000 + number for number in range(500)]
    assert len(known.worker_ended()) == 1000


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.floats(0, 0.01)), max_size=60))
def test_identities_grow_and_no_two_events_share_one(steps: list[tuple[int, bool, float]]) -> None:
    known, now = sightings(), 0.0
    begun: list[int] = []
    for number, ended, later_s in steps:
        now += later_s
        event = known.events(sighting(number, ended=ended), STARTED, None, now)[-1]
        if event.sequence not in begun:
            begun.append(event.sequence)
    assert begun == sorted(begun)
    # One that had ended before it came again is another event.
    goes_on: set[int] = set()
    expected = 0
    for number, ended, _ in steps:
        expected += number not in goes_on
        goes_on = goes_on - {number} if ended else goes_on | {number}
    assert len(begun) == expected


@pytest.mark.parametrize("now", [0.0, 1e9])
def test_a_supervisor_started_later_in_the_same_boot_begins_after_all_before(now: float) -> None:
    first, second = sightings(), sightings()
    before = [first.events(sighting(number), STARTED, None, now)[-1].sequence for number in range(500)]
    after = second.events(sighting(1), STARTED, None, now + 1.0)[-1].sequence
    assert after > max(before)
