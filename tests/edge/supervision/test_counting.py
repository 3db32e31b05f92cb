"""What the status counts: through all workers, and each fault once."""

from hypothesis import given
from hypothesis import strategies as st

from edge.results import FrameCounts
from edge.supervision.counting import Counting
from edge.supervision.recovery import Fault
from edge.supervision.status import Counts


def test_frames_add_up_over_the_workers() -> None:
    counts = Counts()
    counting = Counting(counts)
    counting.frames(1, FrameCounts(captured=10, dropped=2, repeated=1))
    counting.frames(1, FrameCounts(captured=20, dropped=4, repeated=1))
    counting.frames(1, FrameCounts(captured=21, dropped=4, repeated=1, turned_away=3, decided=13))
    counting.frames(2, FrameCounts())
    counting.frames(2, FrameCounts(captured=5, dropped=1, turned_away=2, decided=1))
    assert (counts.captured, counts.dropped, counts.repeated) == (26, 5, 1)
    assert (counts.turned_away, counts.looked_at) == (5, 19)


def test_a_worker_that_never_sent_a_pulse_takes_nothing_away() -> None:
    counts = Counts()
    counting = Counting(counts)
    counting.frames(1, FrameCounts(captured=10))
    counting.frames(2, FrameCounts())
    counting.frames(3, FrameCounts(captured=1))
    assert counts.captured == 11


def counted(*faults: Fault, recovering: bool = False) -> Counts:
    counts = Counts()
    counting = Counting(counts)
    for fault in faults:
        counting.fault(fault, recovering=recovering)
    return counts


def test_a_fault_counts_for_its_kind_and_for_its_part() -> None:
    counts = counted(
        Fault("hang", "engine", "an inference took more than 5 s", 69),
        Fault("crash", "worker", "died of SIGKILL", 69),
        Fault("error", "camera", "unplugged", 69),
    )
    assert (counts.hangs, counts.crashes, counts.engine_faults, counts.camera_faults) == (1, 1, 1, 1)


def test_a_camera_that_is_tried_again_and_again_is_one_fault() -> None:
    assert counted(Fault("error", "camera", "unplugged", 69), recovering=True).camera_faults == 0


def test_a_worker_that_crashes_before_its_pulse_leaves_no_more_results_than_frames() -> None:
    counts = Counts()
    counting = Counting(counts)
    counting.frames(1, FrameCounts(captured=6, dropped=1, turned_away=2, decided=2))
    for _ in range(7):
        counting.decided(1)
    assert (counts.captured, counts.looked_at) == (10, 9)
    counting.frames(2, FrameCounts())
    for _ in range(3):
        counting.decided(2)
    assert (counts.captured, counts.looked_at, counts.dropped) == (13, 12, 1)


def test_the_pulse_after_decisions_does_not_count_them_again() -> None:
    counts = Counts()
    counting = Counting(counts)
    for _ in range(5):
        counting.decided(1)
    counting.frames(1, FrameCounts(captured=8, dropped=1, decided=6))
    assert (counts.captured, counts.looked_at) == (8, 6)


@given(
    st.lists(
        st.one_of(st.none(), st.integers(1, 3), st.builds(FrameCounts, st.integers(0, 9), *[st.integers(0, 3)] * 4))
    )
)
def test_whatever_comes_in_whatever_order_the_counts_agree(events: list[FrameCounts | int | None]) -> None:
    """None is the next worker, a number so many decisions, else a pulse with what came since the pulse before."""
    counts, worker, pulsed, results = Counts(), 1, FrameCounts(), 0
    counting = Counting(counts)
    for event in events:
        before = counts.captured
        if event is None:
            worker, pulsed = worker + 1, FrameCounts()
        elif isinstance(event, int):
            for _ in range(event):
                counting.decided(worker)
            results += event
        else:
            pulsed = pulsed.plus(event)
            counting.frames(worker, pulsed)
        assert results <= counts.looked_at <= counts.captured or results == 0
        assert counts.captured >= before
