"""The governor on a simulated board: it stays under the ceiling, within the budget, and it does not hunt."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.board import Power, PowerFlag, Readings
from edge.config.running import Load
from edge.supervision.load.governor import BAND_C, Allowance, Governor, Sample

CEILING_C = 75.0


def cool(now_s: float) -> Sample:
    return at(now_s, 40.0)


def at(now_s: float, degrees_c: float | None, *flags: PowerFlag) -> Sample:
    return Sample(now_s, Readings(degrees_c, Power(flags, None, flags, "sysfs")))


def governor(target_fps: float | None = 10.0, **load: float) -> Governor:
    return Governor(Load(**load), target_fps=target_fps, cpus=4)  # type: ignore[arg-type]


def run(made: Governor, sample: Callable[[float], Sample], seconds: int, start: int = 0) -> list[Allowance]:
    return [made.update(sample(float(now))) for now in range(start, start + seconds)]


# Without trouble


def test_a_cool_board_runs_at_its_target() -> None:
    assert run(governor(), cool, 60)[-1] == Allowance(10.0, None, None)


def test_max_fps_is_the_target_where_it_is_less() -> None:
    assert run(governor(max_fps=4), cool, 1)[-1].fps == 4


def test_without_any_target_nothing_is_limited() -> None:
    assert run(governor(None), cool, 60)[-1].fps is None


def test_a_board_without_a_sensor_is_not_slowed_down() -> None:
    assert run(governor(), lambda now_s: Sample(now_s, Readings(None, None)), 60)[-1].fps == 10


# Temperature


def test_it_slows_down_before_the_ceiling() -> None:
    assert run(governor(), lambda now_s: at(now_s, CEILING_C - BAND_C - 1), 60)[-1].fps == 10
    assert run(governor(), lambda now_s: at(now_s, CEILING_C - BAND_C / 2), 60)[-1].fps == pytest.approx(5, abs=1)


def test_it_says_what_it_does_and_when_that_changes() -> None:
    made = governor()
    run(made, cool, 10)
    slowed = run(made, lambda now_s: at(now_s, 72.3), 30, start=10)
    assert slowed[5].fps != slowed[4].fps
    assert slowed[-1].reason == "72.3 C of 75 C"
    assert slowed[-1].limited_by == "temperature"
    assert slowed[-1].fps == slowed[-2].fps


def test_down_is_fast_and_up_is_slow() -> None:
    made = governor()
    run(made, cool, 10)
    down = [a.fps for a in run(made, lambda now_s: at(now_s, 90), 30, start=10)]
    up = [a.fps for a in run(made, cool, 300, start=40)]
    seconds_down = next(second for second, fps in enumerate(down) if fps == 1)
    seconds_up = next(second for second, fps in enumerate(up) if fps == 10)
    assert seconds_down < 20
    assert seconds_up > 45


@pytest.mark.parametrize(("target", "floor"), [(10.0, 1.0), (1.0, 0.2), (0.1, 0.1), (30.0, 3.0)])
def test_the_floor(target: float, floor: float) -> None:
    """0.2 a second or a tenth of the target, whichever is more; never more than the target."""
    assert run(governor(target), lambda now_s: at(now_s, 120.0), 120)[-1].fps == pytest.approx(floor)


@dataclass
class Hot:
    """A first-order board: a heat sink with a time constant, and a chip that follows within seconds."""

    ambient_c: float
    full_c: float  # how much hotter the heat sink gets at the full rate
    chip_c: float  # and the chip above it
    tau_s: float
    noise_c: float
    seed: int = 0

    def __post_init__(self) -> None:
        self.sink_c, self.above_c = self.ambient_c, 0.0
        self._random = random.Random(self.seed)

    def after_a_second_at(self, share: float) -> float:
        self.sink_c += (self.ambient_c + self.full_c * share - self.sink_c) / self.tau_s
        self.above_c += (self.chip_c * share - self.above_c) * 0.8
        return self.sink_c + self.above_c

    def shown(self) -> float:
        """With a sensor that counts in steps of 0.487 C, as a Pi 4's does."""
        noisy = self.sink_c + self.above_c + self._random.uniform(-self.noise_c, self.noise_c)
        return round(noisy / 0.487) * 0.487


boards = st.builds(
    Hot,
    ambient_c=st.floats(0, 50),
    full_c=st.floats(0, 60),
    chip_c=st.floats(0, 8),
    tau_s=st.floats(40, 600),
    noise_c=st.floats(0, 0.3),
    seed=st.integers(0, 1000),
)


@settings(max_examples=40, deadline=None)
@given(boards)
@example(Hot(ambient_c=1.5, full_c=60.0, chip_c=8.0, tau_s=40.0, noise_c=0.0))
def test_any_board_settles_under_the_ceiling_and_the_rate_does_not_hunt(board: Hot) -> None:
    made, fps, degrees_c, rates = governor(), 10.0, 0.0, []
    for now in range(3600):
        degrees_c = board.after_a_second_at(fps / 10)
        assert degrees_c < CEILING_C + 0.5
        fps = made.update(at(float(now), board.shown())).fps or 0.0
        rates.append(fps)
    last = rates[-900:]
    assert degrees_c < CEILING_C
    assert max(last) - min(last) <= 1.0
    moves = [b - a for a, b in itertools.pairwise(last) if b != a]
    turns = sum(a * b < 0 for a, b in itertools.pairwise(moves))
    assert turns <= 6, f"{turns} turns in a quarter of an hour"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 20), st.none() | st.floats(-60, 160)), max_size=60), st.floats(0.05, 200))
def test_whatever_comes_the_rate_stays_between_floor_and_target(
    looks: list[tuple[float, float | None]], target: float
) -> None:
    made, now_s = governor(target), 0.0
    for step_s, degrees_c in looks:
        now_s += step_s
        fps = made.update(at(now_s, degrees_c)).fps
        assert fps is not None
        assert min(target, max(0.2, 0.1 * target)) * 0.99 <= fps <= target * 1.01


# CPU


def loaded(
    made: Governor, *, cost_s: float, base_percent: float = 0.0, seconds: int = 300, camera_fps: float = 30
) -> tuple[list[Allowance], list[float]]:
    """Run on a board where each decision costs `cost_s` CPU seconds; returns (allowances, CPU percents)."""
    cpu_s, frames, fps, said, percents = 0.0, 0.0, camera_fps, [], []
    for now in range(seconds):
        allowance = made.update(Sample(float(now), Readings(None, None), cpu_s, int(frames)))
        fps = min(camera_fps, allowance.fps or camera_fps)
        frames += fps
        cpu_s += 4 * base_percent / 100 + cost_s * fps
        said.append(allowance)
        percents.append(base_percent + 25 * cost_s * fps)
    return said, percents


@pytest.mark.parametrize("base_percent", [0.0, 5.0, 15.0])
@pytest.mark.parametrize("target", [30.0, None])
def test_the_cpu_budget_is_kept(base_percent: float, target: float | None) -> None:
    said, percents = loaded(governor(target, cpu_percent=25), cost_s=0.05, base_percent=base_percent)
    assert all(percent <= 25.5 for percent in percents[60:])
    assert percents[-1] > 18
    assert len({allowance.fps for allowance in said[200:]}) == 1
    assert said[-1].limited_by == "cpu"
    assert (said[-1].reason or "").endswith("% of 25 %")


def test_a_budget_that_is_not_reached_limits_nothing() -> None:
    said, _ = loaded(governor(30.0, cpu_percent=50), cost_s=0.01)
    assert {allowance.fps for allowance in said} == {30.0}


def test_the_rate_comes_back_when_decisions_cost_less() -> None:
    made = governor(30.0, cpu_percent=25)
    loaded(made, cost_s=0.05)
    said = [
        made.update(Sample(300.0 + now, Readings(None, None), 1000 + 0.1 * now, 10_000 + 10 * now))
        for now in range(120)
    ]
    assert said[-1].fps == 30


def test_a_new_worker_counts_from_nought() -> None:
    made = governor(30.0, cpu_percent=25)
    made.update(Sample(0.0, Readings(None, None), 500.0, 9000))
    made.update(Sample(1.0, Readings(None, None), 0.0, 0))
    assert made.update(Sample(7.0, Readings(None, None), 1.0, 180)).fps == 30


# Power


@pytest.mark.parametrize("flag", ["under-voltage", "throttled", "frequency capped"])
def test_an_alarm_halves_the_rate_at_once(flag: PowerFlag) -> None:
    made = governor()
    run(made, cool, 10)
    said = made.update(at(10.0, 40.0, flag))
    assert (said.fps, said.limited_by, said.reason) == (5.0, "power", flag)


def test_an_alarm_that_lasts_goes_down_to_the_floor() -> None:
    assert run(governor(), lambda now_s: at(now_s, 40.0, "under-voltage"), 30)[-1].fps == 1


def test_the_soft_limit_of_a_pi_3b_plus_is_no_alarm() -> None:
    assert run(governor(), lambda now_s: at(now_s, 62.0, "soft temperature limit"), 60)[-1].fps == 10


def test_after_an_alarm_it_waits_a_minute() -> None:
    made = governor()
    made.update(at(0.0, 40.0, "under-voltage"))
    said = run(made, cool, 200, start=1)
    assert said[50].fps == 5
    assert said[50].reason == "under-voltage a while ago"
    assert said[-1] == Allowance(10.0, None, None)


def test_relapses_become_rare() -> None:
    """A supply that holds up to 6 of 10 frames a second: each relapse doubles the wait, up to an hour."""
    made, fps, relapses = governor(), 10.0, []
    for now in range(8 * 3600):
        flags: tuple[PowerFlag, ...] = ("under-voltage",) if fps > 6 else ()
        relapses += [now] if flags else []
        fps = made.update(at(float(now), 40.0, *flags)).fps or 0.0
    assert len(relapses) < 20
    assert relapses[-1] - relapses[-2] > 3600
