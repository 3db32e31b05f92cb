"""What the status counts: through all workers, and each fault once."""

from edge.processes.messages import Pulse
from edge.supervision.counting import Counting
from edge.supervision.status import Status, begin
from edge.supervision.worker_watch import Fault


def test_frames_add_up_over_the_workers() -> None:
    status = begin()
    counting = Counting(status)
    counting.frames(Pulse(10, 2, 1, 0.0))
    counting.frames(Pulse(20, 4, 1, 0.0))
    counting.worker_ends(Pulse(21, 4, 1, 0.0))
    counting.frames(Pulse(5, 1, 0, 0.0))
    assert (status.counts.captured, status.counts.dropped, status.counts.repeated) == (26, 5, 1)


def counted(*faults: Fault, state: str = "running") -> Status:
    status = begin()
    status.state = state  # type: ignore[assignment]
    counting = Counting(status)
    for fault in faults:
        counting.fault(fault)
    return status


def test_a_fault_counts_for_its_kind_and_for_its_part() -> None:
    counts = counted(
        Fault("hang", "engine", "an inference took more than 5 s", 69),
        Fault("crash", "worker", "died of SIGKILL", 69),
        Fault("error", "camera", "unplugged", 69),
    ).counts
    assert (counts.hangs, counts.crashes, counts.engine_faults, counts.camera_faults) == (1, 1, 1, 1)


def test_a_camera_that_is_tried_again_and_again_is_one_fault() -> None:
    assert counted(Fault("error", "camera", "unplugged", 69), state="recovering").counts.camera_faults == 0
