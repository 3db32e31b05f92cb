"""Decide what to do after a fault, and when: pure rules, driven by the supervisor's clock.

The rungs: open the camera again (the worker does that by itself), start the worker anew, serve without the Edge
TPU, reset the device on USB, request a reboot. Times are monotonic seconds.
"""

from dataclasses import dataclass, field
from typing import Literal

from edge.config.running import Recovery
from edge.processes.messages import Part

FaultKind = Literal["error", "crash", "hang"]

# Seconds before the next worker; the first comes at once. For the first minutes short enough to have results within 5 s
# of the end of what was wrong. In the end a dead camera costs one start a minute, as a worker itself tries a camera for
# 30 s.
RESTART_S = (0.0, 0.5, 1.0, *[2.0] * 100, 4.0, 8.0, 15.0, 30.0)
# After signs of life for so long earlier failures are forgotten: a worker that fails now and then is replaced at once.
HEALTHY_S = 2.0
# Seconds before a lost Edge TPU is tried again; the last value stays. Its return is noticed within 45 s, even if a
# trial hangs for 15 s first; within 55 s if it has to prove itself.
TRIAL_S = (2.0, 5.0, 10.0, 20.0, 30.0)
# A crash so long after the last one counts as the first again.
FORGIVEN_AFTER_S = 60.0
# An Edge TPU that fails this soon after it began to serve again was not well: wait longer, and let the
# trial compute for as long as it lasted, so that one which fails again does so beside the CPU that serves.
RELAPSE_S = 60.0
# A longer proof keeps a good Edge TPU out of use, and what a bad one costs is a gap of 1 to 6 s (docs/recovery.md).
MOST_PROOF_S = 10.0
# By then a worker has tried the camera for 30 s, and a new worker has tried it again.
USB_RESET_AFTER_S = 45.0
# What one reset did not mend, many will not; and each takes the device away for a second.
USB_RESET_EVERY_S = 300.0
# Time for the board to go down and come up again, if the first request was not seen.
REBOOT_EVERY_S = 600.0
DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """How a worker ended.

    kind: by an error of its own, a crash, or a hang.
    part: what it was doing.
    why: one line for people.
    status: the exit status that the program would end with.
    late: its results were all too old when they were ready.
    lines: why, a line for each fault, if there are several; else none.
    """

    kind: FaultKind
    part: Part
    why: str
    status: int
    late: bool = False
    lines: tuple[str, ...] = ()

    @property
    def may_be_engine(self) -> bool:
        """Can only a result show that this is over? Frames that a gate turns away were not computed on."""
        # While it classifies, a crash may be anybody's: the part is then "worker".
        return self.part == "engine" or self.late or (self.kind == "crash" and self.part == "worker")


@dataclass(slots=True)
class Restarts:
    """When the next worker starts: at once, then after longer and longer waits."""

    _failures: int = 0
    _works_since_s: float | None = None
    _next_s: float = float("-inf")

    def failed(self, now_s: float, *, at_least_s: float = 0.0) -> float:
        """Note that a worker ended badly; return the seconds until the next."""
        self._works_since_s = None
        self._failures += 1
        wait_s = max(at_least_s, RESTART_S[min(self._failures, len(RESTART_S)) - 1])
        self._next_s = now_s + wait_s
        return wait_s

    def at_once(self, now_s: float) -> None:
        """Note that a worker was ended on purpose, to start another."""
        self._next_s = now_s

    def works(self, now_s: float) -> None:
        """Note a sign of life: a result, or frames that were turned away unless the engine is in doubt."""
        if self._works_since_s is None:
            self._works_since_s = now_s
        elif now_s - self._works_since_s > HEALTHY_S:
            self._failures = 0

    def is_due(self, now_s: float) -> bool:
        """Return True if the next worker may start."""
        return now_s >= self._next_s


@dataclass(slots=True)
class EdgeTpuPolicy:
    """Whether the next worker may use the Edge TPU, and when to try a lost one.

    wanted: the settings allow one at all.
    lost: it is not to be used now.
    losses: how often it was lost.
    proof_s: how long the next trial must compute.
    """

    wanted: bool
    lost: bool = False
    losses: int = 0
    proof_s: float = 0.0
    _last_fault_s: float = float("-inf")
    _returned: bool = False
    _first_served_s: float | None = None  # since its return
    _last_result_s: float = 0.0
    _tries: int = 0
    _next_trial_s: float = float("inf")

    def result(self, now_s: float) -> None:
        """Note a result that came from it."""
        self.serves(now_s)
        self._last_result_s = now_s

    def serves(self, now_s: float) -> None:
        """Note that a worker which uses it looks at frames. If a gate turns all of them away, that proves nothing of
        it, but its time begins: a fault after a night without an animal is no relapse."""
        if self._first_served_s is None:
            self._first_served_s = now_s

    def fault(self, kind: FaultKind, now_s: float) -> None:
        """Note that the worker failed while it used the Edge TPU, or was opening it."""
        # A hang costs 5 s or more, so the CPU takes over at once. A crash or an error costs one or two, and most
        # happen once: that gets one more try.
        # Time alone does not show that it was well: behind a gate it may get one frame an hour, and fail at each.
        well_since = self._last_result_s > self._last_fault_s
        again = kind != "hang" and well_since and now_s - self._last_fault_s > FORGIVEN_AFTER_S
        self._last_fault_s = now_s
        if not again:
            self._lose(now_s)

    def refused(self, now_s: float) -> None:
        """Note that the worker serves from the CPU, because the Edge TPU could not be opened."""
        self._lose(now_s)

    def is_trial_due(self, now_s: float) -> bool:
        """Return True if the lost Edge TPU must be tried now."""
        return self.wanted and self.lost and now_s >= self._next_trial_s

    def trial_failed(self, now_s: float) -> None:
        """Note that it is not back."""
        self._tries += 1
        self._next_trial_s = now_s + TRIAL_S[min(self._tries, len(TRIAL_S) - 1)]

    def trial_succeeded(self) -> None:
        """Note that it is back: the next worker may use it."""
        self.lost = False
        self._returned, self._first_served_s = True, None
        self._last_fault_s = float("-inf")

    def _lose(self, now_s: float) -> None:
        if self.lost or not self.wanted:
            return
        self.lost = True
        self.losses += 1
        first_s = now_s if self._first_served_s is None else self._first_served_s
        relapsed = self._returned and now_s - first_s < RELAPSE_S
        self._tries = self._tries + 1 if relapsed else 0
        # A second more than it lasted: it must get past the moment at which it failed.
        lasted_s = max(0.0, self._last_result_s - first_s)
        self.proof_s = min(MOST_PROOF_S, lasted_s + 1.0) if relapsed else 0.0
        self._next_trial_s = now_s + TRIAL_S[min(self._tries, len(TRIAL_S) - 1)]


@dataclass(slots=True)
class UsbResets:
    """When to reset a device on USB that new workers did not bring back."""

    allowed: bool
    _reset_s: float = float("-inf")

    def due(self, missing_s: float, now_s: float) -> bool:
        """Return True if it must be reset now, after `missing_s` without it; at most once in five minutes."""
        due = self.allowed and missing_s > USB_RESET_AFTER_S and now_s - self._reset_s > USB_RESET_EVERY_S
        if due:
            self._reset_s = now_s
        return due


@dataclass(slots=True)
class Reboots:
    """When to request a reboot."""

    recovery: Recovery
    _next_s: float = float("-inf")

    def due(self, silent_s: float, now_s: float) -> bool:
        """Return True if a reboot must be requested now, after `silent_s` without a sign of life; again every ten
        minutes, if nothing comes of it."""
        after_min = self.recovery.reboot_after_min
        due = after_min is not None and silent_s > after_min * 60 and now_s >= self._next_s
        if due:
            self._next_s = now_s + REBOOT_EVERY_S
        return due


@dataclass(slots=True)
class RebootBudget:
    """How many reboots may still be requested.

    a_day: how many are allowed in 24 hours.
    past: when earlier ones were requested, wall clock, seconds since 1970.
    """

    a_day: int
    past: list[float] = field(default_factory=list)

    def allows(self, wall_s: float) -> bool:
        """Return True if one more is allowed at this wall time."""
        # Those of the future count, too: a clock that was set back must not lift the limit.
        return sum(1 for then in self.past if wall_s - then < DAY_S) < self.a_day
