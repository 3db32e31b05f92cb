"""The rungs: what follows a fault, and after how long. Times are the test's own; nothing waits."""

import pytest

from edge.config.running import Recovery
from edge.supervision.recovery import (
    DAY_S,
    HEALTHY_S,
    MOST_PROOF_S,
    REBOOT_EVERY_S,
    RELAPSE_S,
    RESTART_S,
    TRIAL_S,
    EdgeTpuPolicy,
    RebootBudget,
    Reboots,
    Restarts,
    UsbResets,
)


class TestRestarts:
    def test_the_first_comes_at_once_and_for_minutes_none_waits_for_long(self) -> None:
        restarts, waits = Restarts(), []
        while sum(waits) < 180:
            waits.append(restarts.failed(0.0))
        assert waits[:4] == [0, 0.5, 1, 2]
        assert max(waits) == 2

    def test_in_the_end_it_waits_half_a_minute(self) -> None:
        restarts = Restarts()
        waits = [restarts.failed(0.0) for _ in range(200)]
        assert waits == sorted(waits)
        assert waits[-5:] == [30] * 5

    def test_results_for_a_while_make_it_forget(self) -> None:
        restarts = Restarts()
        for _ in range(5):
            restarts.failed(0.0)
        restarts.works(100.0)
        restarts.works(100.0 + HEALTHY_S + 0.1)
        assert restarts.failed(0.0) == 0

    def test_a_worker_that_dies_after_each_result_is_not_forgiven(self) -> None:
        restarts, waits = Restarts(), []
        for now_s in range(0, 100 * len(RESTART_S), 100):
            restarts.works(float(now_s))
            waits.append(restarts.failed(0.0))
        assert waits == list(RESTART_S)

    def test_the_next_is_due_after_its_wait(self) -> None:
        restarts = Restarts()
        assert restarts.is_due(0.0)
        restarts.failed(10.0)
        assert restarts.is_due(10.0)
        restarts.failed(20.0)
        assert [restarts.is_due(now_s) for now_s in (20.0, 20.4, 20.5)] == [False, False, True]

    def test_the_wait_can_be_longer_and_is_cut_short_for_a_worker_that_makes_way(self) -> None:
        restarts = Restarts()
        assert restarts.failed(10.0, at_least_s=1.0) == 1.0
        assert not restarts.is_due(10.9)
        restarts.at_once(10.9)
        assert restarts.is_due(10.9)


class TestEdgeTpu:
    def test_a_hang_hands_over_to_the_cpu_at_once(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.fault("hang", 0.0)
        assert (policy.lost, policy.losses) == (True, 1)

    @pytest.mark.parametrize("kind", ["crash", "error"])
    def test_a_crash_or_an_error_gets_one_more_try_in_a_minute(self, kind: str) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.fault(kind, 0.0)  # type: ignore[arg-type]
        assert not policy.lost
        policy.fault(kind, 59.0)  # type: ignore[arg-type]
        assert policy.lost

    def test_crashes_that_are_rare_are_lived_with(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        for now_s in range(0, 1000, 61):
            policy.fault("crash", float(now_s))
            policy.result(now_s + 1.0)
        assert not policy.lost

    def test_without_a_result_between_them_it_is_lost_however_rare_they_are(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.fault("error", 0.0)
        policy.serves(10.0)
        policy.fault("error", 3600.0)
        assert policy.lost

    def test_a_fault_after_a_night_in_which_a_gate_let_nothing_through_is_no_relapse(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.fault("hang", 0.0)
        policy.trial_succeeded()
        policy.serves(10.0)
        policy.fault("hang", 10.0 + 3 * 3600)
        assert policy.proof_s == 0
        assert policy.is_trial_due(10.0 + 3 * 3600 + TRIAL_S[0])

    def test_one_that_is_not_wanted_is_never_lost_nor_looked_for(self) -> None:
        policy = EdgeTpuPolicy(wanted=False)
        policy.fault("hang", 0.0)
        policy.refused(1.0)
        assert not policy.lost
        assert not policy.is_trial_due(1e9)

    def test_a_lost_one_is_looked_for_less_and_less_often_but_at_least_every_30_s(self) -> None:
        policy, now_s, waits = EdgeTpuPolicy(wanted=True), 100.0, []
        policy.refused(now_s)
        for _ in range(8):
            waits.append(next(wait for wait in range(100) if policy.is_trial_due(now_s + wait)))
            now_s += waits[-1]
            policy.trial_failed(now_s)
        assert waits == [2, 5, 10, 20, 30, 30, 30, 30]
        assert max(TRIAL_S) <= 30

    def test_its_return_lets_the_next_worker_use_it(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.refused(0.0)
        policy.trial_succeeded()
        assert (policy.lost, policy.losses) == (False, 1)
        assert not policy.is_trial_due(1e9)

    def test_after_its_return_a_crash_gets_one_more_try_again(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.fault("crash", 0.0)
        policy.fault("crash", 1.0)
        policy.trial_succeeded()
        policy.fault("crash", 40.0)
        assert not policy.lost

    def test_a_loss_that_is_told_twice_counts_once(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.fault("hang", 0.0)
        policy.refused(1.0)
        assert policy.losses == 1
        assert policy.is_trial_due(TRIAL_S[0])

    def test_one_that_fails_soon_after_its_return_is_looked_for_later_each_time(self) -> None:
        policy, now_s, waits = EdgeTpuPolicy(wanted=True), 0.0, []
        for _ in range(4):
            policy.fault("hang", now_s)
            waits.append(next(wait for wait in range(100) if policy.is_trial_due(now_s + wait)))
            now_s += waits[-1]
            policy.trial_succeeded()
            now_s += 20  # of starting, which tells nothing of its health
            policy.result(now_s)
            now_s += RELAPSE_S / 2
        assert waits == [2, 5, 10, 20]
        now_s += RELAPSE_S
        policy.fault("hang", now_s)
        assert policy.is_trial_due(now_s + TRIAL_S[0])

    def test_what_failed_again_must_compute_for_as_long_as_it_lasted(self) -> None:
        policy = EdgeTpuPolicy(wanted=True)
        policy.result(0.0)
        policy.fault("hang", 5.0)
        assert policy.proof_s == 0, "the first time it is taken at its word"
        policy.trial_succeeded()
        for now_s in (100.0, 101.0, 103.0):
            policy.result(now_s)
        policy.fault("hang", 108.0)
        assert policy.proof_s == 4
        policy.trial_succeeded()
        policy.refused(200.0)
        assert policy.proof_s == 1, "it gave no result at all"
        policy.trial_succeeded()
        policy.result(300.0)
        policy.result(340.0)
        policy.fault("hang", 345.0)
        assert policy.proof_s == MOST_PROOF_S


class TestUsbResets:
    def test_first_after_45_s_and_then_every_five_minutes_at_most(self) -> None:
        resets = UsbResets(allowed=True)
        assert [now_s for now_s in range(1000) if resets.due(float(now_s), float(now_s))] == [46, 347, 648, 949]

    def test_settings_can_forbid_it(self) -> None:
        assert not UsbResets(allowed=False).due(1e6, 1e6)


class TestReboots:
    def test_it_is_asked_for_after_the_time_that_the_settings_say_and_again_should_nobody_hear(self) -> None:
        reboots = Reboots(Recovery(reboot_after_min=2))
        asked = [now_s for now_s in range(2000) if reboots.due(float(now_s), float(now_s))]
        assert asked == [121, 121 + int(REBOOT_EVERY_S), 121 + 2 * int(REBOOT_EVERY_S), 121 + 3 * int(REBOOT_EVERY_S)]

    def test_without_a_setting_never(self) -> None:
        assert not Reboots(Recovery()).due(1e9, 1e9)


class TestRebootBudget:
    def test_so_many_in_24_hours(self) -> None:
        now_s = 1.7e9
        budget = RebootBudget(2, [now_s - DAY_S - 1, now_s - DAY_S + 1])
        assert budget.allows(now_s)
        budget.past.append(now_s)
        assert not budget.allows(now_s)
        assert budget.allows(now_s + 2)

    def test_a_clock_that_was_set_back_makes_none_free(self) -> None:
        assert not RebootBudget(1, [1.7e9]).allows(1.0e9)
