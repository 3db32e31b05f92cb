"""What is in flight, and the pauses between connections."""

import random

from fake_store import stored
from hypothesis import given
from hypothesis import strategies as st

from edge.outputs.feed import Item
from edge.outputs.mqtt.pauses import Pauses
from edge.outputs.mqtt.window import Sent, Window


def item(number: int) -> Item:
    return Item("s", number, stored(number))


@given(order=st.permutations(range(1, 16)))
def test_the_cursor_never_passes_what_is_not_acknowledged(order: list[int]) -> None:
    window = Window(20)
    for number in range(1, 16):
        window.add(100 + number, Sent("event", 1, item(number), 0.0))
    acknowledged: set[int] = set()
    cursor = 0
    for number in order:
        acknowledged.add(number)
        last = window.acknowledge(100 + number)
        cursor = last.number if last is not None else cursor
        assert set(range(1, cursor + 1)) <= acknowledged
        assert cursor + 1 not in acknowledged
    assert cursor == 15
    assert window.is_empty()


def test_it_is_full_at_its_size_and_counts_what_is_no_event() -> None:
    window = Window(2)
    window.add(1, Sent("state", 900, None, 5.0))
    window.add(2, Sent("event", 500, item(1), 6.0))
    assert not window.has_room()
    assert window.oldest_s() == 5.0
    assert window.largest() == window.find(1)
    assert window.acknowledge(1) is None
    assert window.has_room()
    assert window.largest() == window.find(2)


def test_an_acknowledgement_of_something_else_changes_nothing() -> None:
    window = Window(2)
    window.add(1, Sent("event", 500, item(1), 0.0))
    assert window.acknowledge(7) is None
    assert not window.is_empty()


def test_pauses_grow_to_a_minute_and_never_fall_together() -> None:
    pauses = Pauses(random.Random(1))
    drawn = [pauses.after(0.0) for _ in range(12)]
    for number, pause_s in enumerate(drawn):
        longest_s = min(2.0**number, 60.0)
        assert longest_s / 2 <= pause_s <= longest_s
    assert len(set(drawn)) == len(drawn)


def test_a_good_connection_begins_anew_and_a_short_one_does_not() -> None:
    pauses = Pauses(random.Random(1))
    for _ in range(8):
        pauses.after(2.0)
    assert pauses.after(2.0) > 10
    assert pauses.after(3600.0) <= 1.0
