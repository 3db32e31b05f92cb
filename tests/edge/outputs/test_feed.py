"""What an output is given: in order, from where it was, and never silently less."""

import time
from pathlib import Path

import pytest
from fake_store import FakeStore

from edge.outputs.cursor import Cursor
from edge.outputs.feed import Begins, Feed, Gap, Item


@pytest.fixture
def store(tmp_path: Path) -> FakeStore:
    return FakeStore(tmp_path / "events.db")


def feed_of(store: FakeStore, *, cursor: bool = True, begins: Begins = "first", max_waiting: int | None = None) -> Feed:
    own = Cursor(store.path.with_name("mqtt.json"), None) if cursor else None
    return Feed(store.path, "mqtt", own, begins=begins, max_waiting=max_waiting, open_store=store.open)


def numbers(items: list[Item]) -> list[int | tuple[int, int]]:
    return [(item.what.first, item.what.last) if isinstance(item.what, Gap) else item.number for item in items]


def test_events_come_once_and_in_order(store: FakeStore) -> None:
    store.create()
    store.add("fox", "hare", "fox")
    feed = feed_of(store)
    assert numbers(feed.next(2)) == [1, 2]
    assert numbers(feed.next(2)) == [3]
    assert feed.next(2) == []
    store.add("cat")
    assert numbers(feed.next(2)) == [4]


def test_what_was_not_confirmed_comes_again(store: FakeStore) -> None:
    store.create()
    store.add(*"abcde")
    feed = feed_of(store)
    feed.done(feed.next(5)[1])
    feed.again()
    assert numbers(feed.next(5)) == [3, 4, 5]


def test_after_a_restart_it_goes_on_where_it_was(store: FakeStore) -> None:
    store.create()
    store.add(*"abcde")
    feed = feed_of(store)
    feed.done(feed.next(5)[2])
    feed.close()
    assert numbers(feed_of(store).next(5)) == [4, 5]


def test_a_store_that_is_not_there_yet_is_waited_for_and_begun_at_its_first_event(store: FakeStore) -> None:
    feed = feed_of(store, begins="last")
    assert feed.next(5) == []
    assert feed.fault.why is None
    store.create()
    store.add("fox")
    assert numbers(feed.next(5)) == [1]


def test_it_is_settled_once_a_look_found_nothing_that_waits(store: FakeStore) -> None:
    store.create()
    feed = feed_of(store)
    assert feed.next(5) == []
    store.add("fox")
    asked_s = time.monotonic()
    assert not feed.settled(asked_s), "by an earlier look"
    items = feed.next(5)
    assert not feed.settled(asked_s)
    feed.done(items[0])
    assert feed.settled(asked_s)


def test_a_store_that_is_not_there_leaves_nothing_waiting(store: FakeStore) -> None:
    feed = feed_of(store)
    asked_s = time.monotonic()
    feed.look()
    assert feed.settled(asked_s)


@pytest.mark.parametrize(("begins", "first"), [("first", [1, 2]), ("last", [])])
def test_a_new_output_begins_at_the_first_event_of_an_old_store_or_after_its_last(
    store: FakeStore, begins: Begins, first: list[int]
) -> None:
    store.create()
    store.add("fox", "hare")
    feed = feed_of(store, begins=begins)
    assert numbers(feed.next(5)) == first
    store.add("cat")
    assert numbers(feed.next(5)) == [3]


def test_it_begins_after_the_last_only_the_first_time(store: FakeStore) -> None:
    store.create()
    store.add("fox")
    feed = feed_of(store, begins="last")
    assert feed.next(5) == []
    feed.close()
    store.add("hare")
    assert numbers(feed_of(store, begins="last").next(5)) == [2]


def test_a_store_that_was_replaced_while_it_ran_is_begun_at_its_first_event(store: FakeStore) -> None:
    store.create()
    store.add(*"abc")
    feed = feed_of(store)
    old = feed.next(5)
    feed.done(old[0])
    store.create()
    store.add("x", "y")
    assert numbers(feed.next(5)) == [1, 2]
    feed.done(old[2])  # a late acknowledgement for an event of the old store
    feed.again()
    assert numbers(feed.next(5)) == [1, 2]


def test_a_store_over_which_another_was_copied_is_begun_at_its_first_event(store: FakeStore) -> None:
    store.create()
    store.add(*"abc")
    feed = feed_of(store)
    feed.done(feed.next(5)[-1])
    store.overwrite()
    store.add("x", "y", "z")
    assert numbers(feed.next(5)) == [1, 2, 3]


def test_a_store_that_comes_back_goes_on_where_it_was(store: FakeStore) -> None:
    store.create()
    store.add(*"abc")
    feed = feed_of(store)
    feed.done(feed.next(5)[1])
    kept = store.id, store.events
    store.create()
    assert feed.next(5) == []
    store.create()
    store.id, store.events = kept
    assert numbers(feed.next(5)) == [3]


def test_a_store_that_was_replaced_between_two_runs_is_begun_at_its_first_event(store: FakeStore) -> None:
    store.create()
    store.add(*"abc")
    feed = feed_of(store)
    feed.done(feed.next(5)[-1])
    feed.close()
    store.create()
    store.add("x")
    assert numbers(feed_of(store, begins="last").next(5)) == [1]


def test_more_than_may_wait_become_a_gap_that_is_confirmed_like_an_event(store: FakeStore) -> None:
    store.create()
    store.add(*["fox"] * 150)
    feed = feed_of(store, max_waiting=100)
    (gap,) = feed.next(200)
    assert gap.what == Gap(1, 50, 50)
    feed.again()
    assert feed.next(200) == [gap]
    feed.done(gap)
    assert feed.waiting == 100
    assert numbers(feed.next(200)) == list(range(51, 151))


def test_what_the_store_dropped_before_it_was_sent_is_a_gap(store: FakeStore) -> None:
    store.create()
    store.add(*"abcdefgh")
    feed = feed_of(store)
    feed.done(feed.next(2)[-1])
    del store.events[2:4], store.events[4:5]
    assert numbers(feed.next(10)) == [(3, 4), 5, 6, (7, 7), 8]


def test_a_store_that_cannot_be_read_is_a_fault_until_it_can(store: FakeStore) -> None:
    store.create()
    store.add("fox")
    feed = feed_of(store)
    store.damaged = True
    assert feed.next(5) == []
    assert feed.fault.why is not None
    assert feed.newest() is None
    store.damaged = False
    assert numbers(feed.next(5)) == [1]
    assert feed.fault.why is None


def test_a_store_put_back_from_a_copy_does_not_hide_its_next_events(store: FakeStore) -> None:
    store.create()
    store.add(*"abcde")
    feed = feed_of(store)
    feed.done(feed.next(5)[-1])
    feed.close()
    del store.events[3:]
    again = feed_of(store)
    assert again.next(5) == []
    store.add("x")
    assert numbers(again.next(5)) == [4]


def test_it_knows_the_newest_event_and_all_labels(store: FakeStore) -> None:
    store.create()
    store.add("fox", "hare")
    feed = feed_of(store)
    newest = feed.newest()
    assert newest is not None
    assert newest.number == 2
    assert feed.labels() == ["fox", "hare"]
    assert feed.waiting == 2


def test_a_store_that_is_put_back_from_a_copy_meanwhile_hides_no_event(store: FakeStore) -> None:
    store.create()
    store.add(*"abcde")
    feed = feed_of(store)
    feed.done(feed.next(5)[-1])
    del store.events[2:]
    assert feed.next(5) == []
    store.add("x")
    assert numbers(feed.next(5)) == [3]
