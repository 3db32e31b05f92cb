"""The states of the service: what each event makes of each, and what ends it."""

from collections.abc import Callable

import pytest

from edge.errors import BundleError, ConfigError, MissingInputError, MissingPackageError
from edge.supervision.recovery import Fault, FaultKind
from edge.supervision.states import TRIES_BY_HAND, ServiceState

Event = Callable[[ServiceState], None]


def fault(kind: FaultKind = "error", status: int = 69) -> Fault:
    return Fault(kind, "worker", "it broke", status)


def service(*, proven: bool = False) -> ServiceState:
    state = ServiceState(service=True, endless=True)
    state.worker_starts()
    if proven:
        state.works([], computed=True)
    return state


def by_hand(*, proven: bool = False, endless: bool = True) -> ServiceState:
    state = ServiceState(service=False, endless=endless)
    state.worker_starts()
    if proven:
        state.works([], computed=True)
    return state


def test_a_service_is_starting_until_it_works() -> None:
    state = service()
    assert (state.state, state.serves) == ("starting", False)
    state.works([], computed=True)
    assert (state.state, state.why, state.serves) == ("running", "as configured", True)


def test_what_is_missing_degrades_it_and_stands_in_the_reason() -> None:
    state = service()
    state.works(["Edge TPU lost: unplugged", "74.2 C of 75 C"], computed=True)
    assert (state.state, state.why, state.serves) == ("degraded", "Edge TPU lost: unplugged; 74.2 C of 75 C", True)
    state.works([], computed=True)
    assert state.state == "running"


def test_by_schedule_it_sleeps_and_wakes_up() -> None:
    state = service(proven=True)
    state.sleeps("by the schedule, until 06:00")
    assert (state.state, state.why, state.serves) == ("asleep", "by the schedule, until 06:00", False)
    state.wakes()
    assert (state.state, state.serves) == ("starting", False)
    state.works([], computed=True)
    assert state.state == "running"


@pytest.mark.parametrize(
    "event",
    [
        lambda state: state.camera_fails("it broke", 69),
        lambda state: state.worker_fails(fault()),
        lambda state: state.worker_fails(fault("crash")),
        lambda state: state.worker_fails(fault("hang")),
        lambda state: state.worker_refused("it broke"),
        lambda state: state.recovers("it broke"),
    ],
)
@pytest.mark.parametrize("proven", [False, True])
def test_whatever_fails_a_service_recovers(event: Event, proven: bool) -> None:
    state = service(proven=proven)
    event(state)
    assert (state.state, state.why, state.exit_status, state.complaint) == ("recovering", "it broke", None, None)
    state.works([], computed=True)
    assert state.state == "running"


class TestWhatNoRepetitionMends:
    @pytest.mark.parametrize("error", [BundleError, MissingPackageError, ConfigError])
    def test_ends_a_service_that_never_worked_but_not_one_that_did(self, error: type[BundleError]) -> None:
        """What it needs may be in the middle of being replaced."""
        state, proven = service(), service(proven=True)
        for one in (state, proven):
            one.worker_fails(fault(status=error.exit_status))
        assert (state.state, state.exit_status, state.complaint) == ("failed", error.exit_status, "it broke")
        assert proven.state == "recovering"

    def test_of_several_faults_each_has_a_line_of_the_complaint(self) -> None:
        state = service()
        lines = ("2 are wrong:", "one\nof them", "the other")
        state.worker_fails(Fault("error", "worker", "2 are wrong: ...", ConfigError.exit_status, lines=lines))
        assert (state.why, state.complaint) == (
            "2 are wrong: ...",
            "2 are wrong:\none of them\nthe other",
        )

    def test_a_file_that_is_missing_is_waited_for_by_a_service_only(self) -> None:
        state, alone = service(), by_hand()
        for one in (state, alone):
            one.worker_fails(fault(status=MissingInputError.exit_status))
        assert (state.state, alone.state) == ("recovering", "failed")

    def test_ends_it_by_hand_even_if_it_worked_before(self) -> None:
        state = by_hand(proven=True)
        state.camera_fails("it broke", BundleError.exit_status)
        assert state.state == "failed"


class TestByHand:
    def test_a_camera_that_never_gave_a_frame_ends_it(self) -> None:
        state, proven = by_hand(), by_hand(proven=True)
        for one in (state, proven):
            one.camera_fails("unplugged", 69)
        assert (state.state, state.exit_status) == ("failed", 69)
        assert proven.state == "recovering"

    @pytest.mark.parametrize("kind", ["crash", "hang"])
    def test_a_crash_at_the_start_is_tried_three_times(self, kind: FaultKind) -> None:
        state = by_hand()
        for _ in range(TRIES_BY_HAND - 1):
            state.worker_fails(fault(kind))
            assert state.state == "recovering"
            state.worker_starts()
        state.worker_fails(fault(kind))
        assert state.state == "failed"

    def test_no_process_is_tried_three_times_in_a_row(self) -> None:
        state = by_hand()
        state.worker_refused("no memory")
        state.worker_starts()
        for _ in range(TRIES_BY_HAND - 1):
            state.worker_refused("no memory")
        assert state.state == "recovering"
        state.worker_refused("no memory")
        assert (state.state, state.exit_status) == ("failed", 69)

    def test_a_replay_is_not_begun_again(self) -> None:
        state = by_hand(proven=True, endless=False)
        state.worker_fails(fault("crash"))
        assert state.state == "failed"


def test_it_is_stopped_with_status_0() -> None:
    state = service(proven=True)
    state.ends()
    assert (state.state, state.why, state.exit_status, state.complaint) == ("stopped", "ended", 0, None)


def test_an_end_is_final() -> None:
    failed, stopped = service(), service()
    failed.worker_fails(fault(status=BundleError.exit_status))
    stopped.ends()
    for state in (failed, stopped):
        before = (state.state, state.why, state.exit_status)
        for event in (
            lambda state: state.works([], computed=True),
            lambda state: state.recovers("again"),
            lambda state: state.worker_fails(fault(status=BundleError.exit_status)),
            lambda state: state.ends(),
        ):
            event(state)
        assert (state.state, state.why, state.exit_status) == before


@pytest.mark.parametrize(("service", "status", "ends"), [(False, 74, "failed"), (True, 0, "stopped")])
def test_events_that_are_lost_at_the_end_are_a_failure_by_hand(*, service: bool, status: int, ends: str) -> None:
    state = ServiceState(service=service, endless=True)
    state.works([], computed=True)
    state.ends()
    assert state.loses("not kept: 2 events: the disk is full") != service
    assert (state.exit_status, state.state) == (status, ends)
    assert state.complaint == (None if service else "not kept: 2 events: the disk is full")
