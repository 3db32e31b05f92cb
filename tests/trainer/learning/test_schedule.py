"""Learning rates, and how many steps fit into a given time."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.learning.schedule import MAX_EPOCHS_IN_BUDGET, Deadline, Plan, plan_for

seconds = st.floats(1e-4, 1e3)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.1),
        (5, 0.55),  # half-way up
        (10, 1.0),  # a tenth of the steps: the top
        (55, 0.5),  # half-way down
        (99, 0.5 * (1 - 0.99939083)),  # the last one: cos(89/90 pi)
    ],
)
def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_on_a_cosine(step: int, rate: float) -> None:
    assert Plan(100, 10, 1.0).rate(step) == pytest.approx(rate, rel=1e-4)
    assert Plan(100, 10, 0.004).rate(step) == pytest.approx(0.004 * rate, rel=1e-4)


@pytest.mark.parametrize(
    ("steps", "rates"),
    [(1, [0.1]), (2, [0.1, 1.0]), (3, [0.1, 1.0, 0.5]), (4, [0.1, 1.0, 0.75, 0.25])],
)
def test_the_shortest_plans_have_rates_too(steps: int, rates: list[float]) -> None:
    plan = Plan(steps, 2, 1.0)
    assert [plan.rate(step) for step in range(steps)] == pytest.approx(rates)


@settings(deadline=None)
@given(st.integers(1, 5000), st.floats(1e-6, 1.0))
def test_every_rate_is_above_nothing_and_at_most_the_peak(steps: int, peak: float) -> None:
    plan = Plan(steps, 7, peak)
    assert all(0 < plan.rate(step) <= peak for step in range(0, steps, max(1, steps // 50)))


@pytest.mark.parametrize(
    ("left_s", "steps"),
    [
        (1000.0, 10 * MAX_EPOCHS_IN_BUDGET),  # more gains nothing
        (36.0, 30),  # an epoch is ten steps of 1 s and a validation of 2 s
        (35.9, 20),  # whole ones where more than one fits
        (12.0, 10),
        (11.9, 9),  # one that is cut short, with its validation
        (3.0, 1),  # a tenth of an epoch is the least
        (2.9, 0),
        (0.0, 0),
        (-60.0, 0),
    ],
)
def test_the_longest_plan_that_fits(left_s: float, steps: int) -> None:
    assert plan_for(left_s, 1.0, 2.0, 10, 0.006) == Plan(steps, 10, 0.006)


def test_less_than_a_tenth_of_an_epoch_is_not_worth_a_start() -> None:
    assert plan_for(2 + 9, 1.0, 2.0, 100, 0.006).steps == 0
    assert plan_for(2 + 10, 1.0, 2.0, 100, 0.006).steps == 10


@settings(deadline=None)
@given(st.floats(-100, 1e5), seconds, seconds, st.integers(1, 3000))
def test_a_plan_never_takes_longer_than_there_is_time(
    left_s: float, step_s: float, validation_s: float, steps_per_epoch: int
) -> None:
    plan = plan_for(left_s, step_s, validation_s, steps_per_epoch, 0.006)
    epochs = math.ceil(plan.steps / steps_per_epoch)  # one that is begun is validated, too
    cost_s = plan.steps * step_s + epochs * validation_s
    assert cost_s <= max(0.0, left_s) * (1 + 1e-9)
    assert epochs <= MAX_EPOCHS_IN_BUDGET


def test_the_reserve_is_kept_free_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    assert Deadline(1600.0).left_s() == 600
    assert Deadline(1600.0, reserve_s=30.0).left_s() == 570
    assert Deadline(1010.0, reserve_s=30.0).left_s() == -20
