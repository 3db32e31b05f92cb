"""A slot between two threads: the newest frame wins, or with lossless every frame is taken."""

import threading
import time

import pytest
from scripted import wait_until

from edge.capture.slot import FrameSlot
from edge.errors import CameraError


def test_the_newest_wins_and_the_rest_are_counted() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=False)
    for number in range(5):
        assert slot.put(number)
    assert slot.get(0.1) == 4
    assert slot.dropped == 4
    assert slot.get(0.01) is None


def test_who_wants_to_know_is_told_what_was_replaced() -> None:
    dropped: list[int] = []
    slot: FrameSlot[int] = FrameSlot(lossless=False, on_drop=dropped.append)
    for number in range(4):
        slot.put(number)
    assert slot.get(0.1) == 3
    slot.put(9)
    assert dropped == [0, 1, 2]


def test_lossless_hands_over_every_frame_in_order() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=True)
    producer = threading.Thread(target=lambda: [slot.put(number) for number in range(200)])
    producer.start()
    assert [slot.get(5) for _ in range(200)] == list(range(200))
    producer.join(5)
    assert slot.dropped == 0


def test_who_takes_decides_when_the_other_side_goes_on() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=True)
    producer = threading.Thread(target=lambda: [slot.put(number) for number in (1, 2)])
    producer.start()
    assert wait_until(lambda: not slot.free)
    time.sleep(0.05)  # the second is waiting
    assert slot.take() == 1
    time.sleep(0.05)
    assert slot.free
    assert slot.take() is None
    slot.wake()
    assert slot.get(5) == 2
    producer.join(5)


def test_a_put_may_wait_a_moment_before_it_replaces_a_frame() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=False)
    slot.put(1)
    started = time.monotonic()
    assert slot.put(2, 0.1)
    assert time.monotonic() - started >= 0.1
    assert (slot.get(1), slot.dropped) == (2, 1)
    slot.put(3)
    producer = threading.Thread(target=slot.put, args=(4, 20.0))
    producer.start()
    assert slot.get(5) == 3
    assert slot.get(5) == 4
    producer.join(5)
    assert slot.dropped == 1


def test_taking_leaves_a_failure_for_who_waits() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=False)
    slot.fail(CameraError("gone"))
    assert slot.take() is None
    with pytest.raises(CameraError, match="gone"):
        slot.get(1)


def test_a_failure_arrives_after_the_last_frame() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=False)
    slot.put(1)
    slot.fail(CameraError("gone"))
    assert slot.get(1) == 1
    with pytest.raises(CameraError, match="gone"):
        slot.get(1)


def test_closing_frees_both_sides() -> None:
    slot: FrameSlot[int] = FrameSlot(lossless=True)
    slot.put(1)
    outcomes: list[object] = []
    waiting = threading.Thread(target=lambda: outcomes.append(slot.put(2)))
    waiting.start()
    time.sleep(0.05)
    slot.close()
    waiting.join(5)
    assert outcomes == [False]
    empty: FrameSlot[int] = FrameSlot(lossless=False)
    empty.close()
    assert empty.get(60) is None
