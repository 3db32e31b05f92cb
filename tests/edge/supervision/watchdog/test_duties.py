"""What the supervisor should have repaired long ago, and what rests or waits on purpose."""

from hypothesis import given
from hypothesis import strategies as st

from edge.config.running import Camera, Engine
from edge.config.settings import Settings
from edge.supervision.life_watch import LifeWatch
from edge.supervision.watchdog.duties import FOREVER_S, GRACE_S, Duties, Duty


def frames(mark: int, limit_s: float = 13.0) -> list[Duty]:
    return [Duty("frames", mark, limit_s)]


def test_it_is_overdue_once_the_supervisor_had_its_time_and_a_grace() -> None:
    duties = Duties()
    late = [second for second in range(100) if duties.overdue(frames(0), second)]
    assert late[0] == 13 + GRACE_S + 1
    assert late == list(range(late[0], 100))


def test_anything_that_moves_begins_the_time_anew() -> None:
    """A camera that is missing for months is tried once a second: each try is a mark."""
    duties = Duties()
    assert not any(duties.overdue(frames(second // 40), second) for second in range(10_000))


def test_what_rests_is_never_overdue_and_begins_anew_when_it_is_over() -> None:
    duties = Duties()
    assert not any(duties.overdue(frames(0, FOREVER_S), second) for second in range(100_000))
    assert duties.overdue(frames(0), 100_040) is None
    assert duties.overdue(frames(0), 100_050) is not None


def test_one_that_moves_does_not_excuse_another() -> None:
    duties = Duties()

    def look(second: int) -> str | None:
        return duties.overdue([Duty("frames", second, 13.0), Duty("the recorder", 0, 120.0)], second)

    words = next(words for second in range(1000) if (words := look(second)))
    assert words.startswith("the recorder: nothing moved for 151 s")


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([1.0, 60.0, FOREVER_S]), st.integers(1, 50)), max_size=40))
def test_it_is_overdue_only_after_so_long_without_a_move(steps: list[tuple[bool, float, int]]) -> None:
    duties, mark, now, moved_s = Duties(), 0, 0, 0
    for moves, limit_s, seconds in [(False, 1.0, 0), *steps]:
        now, mark = now + seconds, mark + moves
        if moves or limit_s == FOREVER_S:
            moved_s = now
        late = duties.overdue(frames(mark, limit_s), now)
        assert (late is not None) == (now - moved_s > limit_s + GRACE_S)


class TestPatience:
    """For how long the supervisor lets a worker look at nothing."""

    def test_by_the_settings(self) -> None:
        watch = LifeWatch(Settings(bundle="none", camera=Camera(source="/dev/video0"), engine=Engine(timeout_s=5.0)))
        assert watch.patience_s(None) == 2 * 3.0 + 2.0 + 5.0
        assert watch.patience_s(0.01) == 2 * 300.0 + 2.0 + 5.0

    def test_a_recording_may_take_any_time_and_so_may_a_camera_that_repeats_itself(self) -> None:
        for camera in (Camera(source="night.mp4"), Camera(source="/dev/video0", frozen_s=0.0)):
            assert LifeWatch(Settings(bundle="none", camera=camera)).patience_s(None) == FOREVER_S
