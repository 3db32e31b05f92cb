"""What the status counts: through all workers, and each fault once."""

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
