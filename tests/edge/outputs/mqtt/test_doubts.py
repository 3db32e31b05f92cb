"""Which messages are held back after connections that broke."""

from hypothesis import given
from hypothesis import strategies as st

from edge.outputs.mqtt.doubts import Doubt


def held_back(size: int = 1000) -> Doubt:
    doubt = Doubt()
    assert [doubt.blame(size, 0.0, certain=False) for _ in range(3)] == [False, False, True]
    return doubt


def test_three_in_a_row_hold_it_back_and_smaller_ones_go_on() -> None:
    doubt = held_back()
    assert not doubt.allows(501, 599.0)
    assert doubt.allows(500, 0.0)
    assert doubt.allows(1000, 600.0)


def test_one_that_the_broker_names_is_enough() -> None:
    doubt = Doubt()
    assert doubt.blame(1000, 0.0, certain=True)
    assert not doubt.allows(1000, 1.0)


def test_connections_that_break_now_and_then_hold_nothing_back() -> None:
    doubt = Doubt()
    for _ in range(10):
        doubt.blame(1000, 0.0, certain=False)
        doubt.blame(1000, 0.0, certain=False)
        doubt.trust(1000)
    assert doubt.allows(1000, 0.0)


def test_the_next_try_is_a_single_one_and_each_pause_is_twice_as_long_up_to_six_hours() -> None:
    doubt, now_s = held_back(), 0.0
    pauses = []
    for _ in range(9):
        pauses.append(doubt.pause_s)
        now_s += doubt.pause_s
        assert doubt.allows(1000, now_s)
        assert doubt.blame(1000, now_s, certain=False)
        assert not doubt.allows(1000, now_s)
    assert pauses[:3] == [600, 1200, 2400]
    assert pauses[-1] == 21600


def test_one_that_arrives_ends_the_doubt_but_only_if_it_was_too_large_before() -> None:
    doubt = held_back()
    assert not doubt.trust(400)
    assert not doubt.allows(1000, 1.0)
    assert doubt.trust(600)
    assert doubt.allows(1000, 1.0)
    assert not doubt.trust(1000)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 600_000), st.floats(0, 1e5), st.booleans()),
        max_size=50,
    )
)
def test_whatever_happens_everything_is_tried_again_within_six_hours(
    happenings: list[tuple[bool, int, float, bool]],
) -> None:
    doubt, now_s = Doubt(), 0.0
    for lost, size, later_s, certain in happenings:
        now_s += later_s
        if lost:
            doubt.blame(size, now_s, certain=certain)
        else:
            doubt.trust(size)
        assert doubt.allows(600_000, now_s + 6 * 3600)
        assert doubt.allows(0, now_s)
