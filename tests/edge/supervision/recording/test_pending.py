"""What waits for the recorder: in order, in its newest form, and never too much."""

import fcntl
import os
import resource
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorders import PICTURE, SAMPLE, STARTED, open_pictures, picture, sighting

from edge.config.keeping import Device
from edge.events.records import Event
from edge.processes.recorder_messages import KeepEvent, KeepSample
from edge.supervision.recording.pending import Item, Pending, room_for_files
from edge.supervision.recording.sightings import Sightings

EVENT = Sightings(Device(), "camera", "pi", "boot").events(sighting(), STARTED, None, 1.0)[-1]


def event(sequence: int, *, ended: bool = True) -> Event:
    return msgspec.structs.replace(EVENT, sequence=sequence, ended=ended)


@pytest.fixture
def pending() -> Iterator[Pending]:
    """At most 4 items, 1000 bytes and 6 files."""
    one = Pending(6, most_events=4, most_bytes=1000)
    yield one
    one.close()
    assert open_pictures() == 0


def send_all(pending: Pending, now: float = 1.0) -> list[Item]:
    sent = []
    while (item := pending.next) is not None:
        pending.sent(item, now)
        sent.append(item)
    return sent


def sequences(items: list[Item]) -> list[int]:
    return [item.content.sequence for item in items if isinstance(item.content, Event)]


def test_it_is_sent_once_in_order_and_held_until_it_is_kept(pending: Pending) -> None:
    for number in (7, 3, 5):
        pending.keep_event(event(number), [PICTURE], [picture()])
    sent = send_all(pending)
    assert sequences(sent) == [7, 3, 5]
    assert (send_all(pending), pending.waiting, open_pictures()) == ([], 3, 3)
    assert sequences(pending.kept([sent[0].ticket, sent[2].ticket, 99])) == [7, 5]
    assert (pending.waiting, open_pictures()) == (1, 1)


def test_another_recorder_gets_what_is_not_kept_again(pending: Pending) -> None:
    for number in range(3):
        pending.keep_event(event(number))
    first = send_all(pending)
    pending.kept([first[1].ticket])
    pending.recorder_begins()
    assert sequences(send_all(pending)) == [0, 2]


def test_of_one_that_goes_on_only_the_newest_form_is_held(pending: Pending) -> None:
    pending.keep_event(event(1, ended=False))
    pending.keep_event(event(2))
    (first, _) = send_all(pending)
    pending.keep_event(event(1, ended=False))
    pending.keep_event(event(1), [PICTURE], [picture()])
    assert len(pending) == 2
    assert pending.kept([first.ticket]) == [], "an old form that is kept is not the new one"
    assert sequences(send_all(pending)) == [1]
    assert pending.waiting == 2


def test_messages_bring_ticket_pictures_and_files() -> None:
    pending = Pending(9)
    pending.keep_event(event(1), [PICTURE], [picture()])
    pending.keep_sample(SAMPLE, "cpu", "abc", [picture()])
    one, two = send_all(pending)
    assert one.message == KeepEvent(one.ticket, event(1), (PICTURE,))
    assert two.message == KeepSample(two.ticket, SAMPLE, "cpu", "abc")
    assert (len(one.files), len(two.files)) == (1, 1)
    pending.close()


class TestTooMuch:
    def test_the_oldest_pictures_go_first_and_their_events_stay(self, pending: Pending) -> None:
        for number in range(3):
            pending.keep_event(event(number), [PICTURE], [picture(400)])
        assert [len(item.files) for item in send_all(pending)] == [0, 1, 1]
        assert (pending.waiting, pending.lost_pictures, pending.lost_events) == (3, 1, 0)

    def test_too_many_small_files_are_too_much_as_well(self, pending: Pending) -> None:
        for number in range(3):
            pending.keep_event(event(number), [PICTURE] * 3, [picture(1) for _ in range(3)])
        assert [len(item.files) for item in send_all(pending)] == [0, 3, 3]

    def test_a_sample_without_its_picture_is_nothing(self, pending: Pending) -> None:
        pending.keep_sample(SAMPLE, "cpu", "abc", [picture(900)])
        pending.keep_event(event(1), [PICTURE], [picture(900)])
        assert sequences(send_all(pending)) == [1]
        assert (len(pending), pending.lost_pictures, pending.lost_events) == (1, 1, 0)

    def test_then_forms_of_events_that_go_on_then_the_oldest_events(self, pending: Pending) -> None:
        pending.keep_event(event(1))
        pending.keep_event(event(2, ended=False))
        for number in (3, 4, 5):
            pending.keep_event(event(number))
        assert sequences(send_all(pending)) == [1, 3, 4, 5]
        assert pending.lost_events == 0, "another form of it will come"
        pending.keep_event(event(6))
        assert pending.lost_events == 1
        pending.recorder_begins()
        assert sequences(send_all(pending)) == [3, 4, 5, 6]

    def test_a_picture_that_alone_is_too_large_costs_no_other(self, pending: Pending) -> None:
        pending.keep_event(event(1), [PICTURE], [picture(500)])
        pending.keep_event(event(2), [PICTURE, PICTURE], [picture(2000), picture(7)])
        assert [[os.fstat(file).st_size for file in item.files] for item in send_all(pending)] == [[500], [7]]
        assert pending.lost_pictures == 1


class TestFilesThatDoNotFit:
    def test_the_kernel_left_some_out(self, pending: Pending) -> None:
        """As it does if this process has too many open files."""
        pending.keep_event(event(1), [PICTURE, PICTURE], [picture()])
        (item,) = send_all(pending)
        assert (len(item.pictures), len(item.files), pending.lost_pictures) == (1, 1, 1)

    def test_more_than_were_announced(self, pending: Pending) -> None:
        pending.keep_event(event(1), [], [picture()])
        assert open_pictures() == 0

    def test_a_pipe_is_no_picture(self, pending: Pending) -> None:
        reader, writer = os.pipe()
        pending.keep_event(event(1), [PICTURE], [reader])
        os.close(writer)
        (item,) = send_all(pending)
        assert item.pictures == ()

    def test_a_sample_without_a_file(self, pending: Pending) -> None:
        pending.keep_sample(SAMPLE, "cpu", "abc", [])
        assert len(pending) == 0


STEPS = st.one_of(
    st.tuples(st.just("event"), st.integers(1, 9), st.booleans()),
    st.tuples(st.just("picture"), st.integers(0, 600), st.booleans()),
    st.tuples(st.just("sample"), st.integers(0, 600), st.booleans()),
    st.tuples(st.just("send"), st.integers(1, 3), st.booleans()),
    st.tuples(st.just("kept"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("anew"), st.integers(), st.booleans()),
)


@given(st.lists(STEPS, max_size=50))
def test_whatever_happens_it_stays_within_its_bounds_and_loses_no_file(steps: list[tuple[str, int, bool]]) -> None:
    pending, sequence, tickets = Pending(6, most_events=4, most_bytes=1000), 100, [0]
    for step, number, ended in steps:
        sequence += 1
        match step:
            case "event":
                pending.keep_event(event(number, ended=ended))
            case "picture":
                pending.keep_event(event(sequence), [PICTURE], [picture(number)])
            case "sample":
                pending.keep_sample(SAMPLE, "cpu", "abc", [picture(number)])
            case "send":
                while number and (item := pending.next) is not None:
                    pending.sent(item, 1.0)
                    tickets.append(item.ticket)
                    number -= 1
            case "kept":
                pending.kept([tickets[number % len(tickets)]])
            case _:
                pending.recorder_begins()
        assert len(pending) <= 4
        assert 0 <= pending.waiting <= len(pending)
        assert open_pictures() <= 6
    pending.recorder_begins()
    items = send_all(pending)
    assert [item.ticket for item in items] == sorted({item.ticket for item in items})
    assert sum(item.size for item in items) <= 1000
    pending.kept([item.ticket for item in items])
    assert (len(pending), open_pictures()) == (0, 0)


def test_a_full_one_takes_little_time_and_memory() -> None:
    """The supervisor's loop goes on meanwhile."""
    pending = Pending(0)
    for number in range(25_000):
        pending.keep_event(event(number))
    assert (len(pending), pending.lost_events) == (20_000, 5_000)
    assert len(send_all(pending)) == 20_000
    pending.kept(range(25_001))
    assert len(pending) == 0


def test_room_for_files_is_made_as_far_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = (256, 1000)
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: given.append(both))
    assert (room_for_files(), given) == (744, [(1000, 1000)])
    limits = (1024, resource.RLIM_INFINITY)
    assert (room_for_files(), given[1:]) == (4096, [(5120, resource.RLIM_INFINITY)])
    limits = (100_000, 100_000)
    assert (room_for_files(), given[2:]) == (4096, [])


def test_held_files_leave_the_low_numbers_to_others(pending: Pending) -> None:
    """A process that is started while thousands are held gets its socket under one that select takes."""
    room_for_files()
    pending.keep_event(event(1), [PICTURE], [picture(3)])
    (item,) = send_all(pending)
    assert item.files[0] >= 1024
    assert os.fstat(item.files[0]).st_size == 3
    assert not os.get_inheritable(item.files[0])


def test_if_the_limit_is_low_they_keep_their_numbers(pending: Pending, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    file = picture(3)
    pending.keep_event(event(1), [PICTURE], [file])
    assert send_all(pending)[0].files == [file]
