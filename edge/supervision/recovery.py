"""What to do after a fault, and when: pure rules, driven by the supervisor's clock.

The rungs: try the camera again (the worker does that by itself), start the worker anew, serve without the Edge
TPU, reset the device on USB, ask for a reboot. Times are monotonic seconds.
"""

from dataclasses import dataclass, field
from typing import Literal

from edge.config import Recovery

FaultKind = Literal["error", "crash", "hang"]

# Waiting before the next worker; the first comes at once. For the first minutes short enough to have results within 5 s
# of the end of what was wrong. In the end a dead camera costs one start a minute, as a worker itself tries a camera for
# 30 s.
RESTART_S = (0.0, 0.5, 1.0, *[2.0] * 100, 4.0, 8.0, 15.0, 30.0)
# Results for so long, and what was before is forgotten: a worker that fails now and then is replaced at once.
HEALTHY_S = 2.0
# When to look for a lost Edge TPU again; the last value stays. Its return is noticed within 45 s, even where a probe
# hangs for 15 s first; within 55 s where it has to prove itself.
PROBE_S = (2.0, 5.0, 10.0, 20.0, 30.0)
# A crash so long after the last one is once more of the moment.
FORGIVEN_AFTER_S = 60.0
# An Edge TPU that fails this soon after its first result since its return was not well: wait longer, and have the
# probe compute for as long as it lasted, so that one which fails again does so beside the CPU that serves.
RELAPSE_S = 60.0
MOST_PROOF_S = 10.0
USB_RESET_AFTER_S = 45.0
USB_RESET_EVERY_S = 300.0
REBOOT_EVERY_S = 600.0
DAY_S = 24 * 3600.0


@dataclass(slots=True)
class Restarts:
    """How long to wait before the next worker starts."""

    _failures: int = 0
    _results_since_s: float | None = None

    def failed(self) -> float:
        """The worker ended badly: seconds until the next."""
        self._results_since_s = None
        self._failures += 1
        return RESTART_S[min(self._failures, len(RESTART_S)) - 1]

    def result(self, now_s: float) -> None:
        """A result came."""
        if self._results_since_s is None:
            self._results_since_s = now_s
        elif now_s - self._results_since_s > HEALTHY_S:
            self._failures = 0


@dataclass(slots=True)
class EdgeTpuPolicy:
    """Whether the next worker may use the Edge TPU, and when to look for a lost one.

    A hang costs so long that the CPU takes over at once; a crash or an error gets one more try, as most are
    of the moment. wanted: the settings allow one at all. proof_s: for how long a probe shall compute.
    """

    wanted: bool
    lost: bool = False
    losses: int = 0
    proof_s: float = 0.0
    _last_fault_s: float = float("-inf")
    _returned: bool = False
    _first_result_s: float | None = None
    _last_result_s: float = 0.0
    _tries: int = 0
    _next_probe_s: float = float("inf")

    def result(self, now_s: float) -> None:
        """A result came from it."""
        if self._first_result_s is None:
            self._first_result_s = now_s
        self._last_result_s = now_s

    def fault(self, kind: FaultKind, now_s: float) -> None:
        """The worker failed while it used the Edge TPU, or was opening it."""
        again = kind != "hang" and now_s - self._last_fault_s > FORGIVEN_AFTER_S
        self._last_fault_s = now_s
        if not again:
            self._lose(now_s)

    def refused(self, now_s: float) -> None:
        """The worker serves from the CPU, as the Edge TPU could not be opened."""
        self._lose(now_s)

    def probe_due(self, now_s: float) -> bool:
        """Is it time to look for the lost Edge TPU?"""
        return self.wanted and self.lost and now_s >= self._next_probe_s

    def probe_failed(self, now_s: float) -> None:
        """It is not back."""
        self._tries += 1
        self._next_probe_s = now_s + PROBE_S[min(self._tries, len(PROBE_S) - 1)]

    def probe_succeeded(self) -> None:
        """It is back: the next worker may use it."""
        self.lost = False
        self._returned, self._first_result_s = True, None
        self._last_fault_s = float("-inf")

    def _lose(self, now_s: float) -> None:
        if self.lost or not self.wanted:
            return
        self.lost = True
        self.losses += 1
        first_s = now_s if self._first_result_s is None else self._first_result_s
        relapsed = self._returned and now_s - first_s < RELAPSE_S
        self._tries = self._tries + 1 if relapsed else 0
        lasted_s = max(0.0, self._last_result_s - first_s)
        self.proof_s = min(MOST_PROOF_S, lasted_s + 1.0) if relapsed else 0.0
        self._next_probe_s = now_s + PROBE_S[min(self._tries, len(PROBE_S) - 1)]


@dataclass(slots=True)
class UsbResets:
    """When to reset a device on USB that new workers did not mend."""

    allowed: bool
    _reset_s: float = float("-inf")

    def due(self, missing_s: float, now_s: float) -> bool:
        """Now, as it has been missing for `missing_s`? At most once in five minutes."""
        due = self.allowed and missing_s > USB_RESET_AFTER_S and now_s - self._reset_s > USB_RESET_EVERY_S
        if due:
            self._reset_s = now_s
        return due


@dataclass(slots=True)
class Reboots:
    """When to ask for a reboot."""

    recovery: Recovery
    _next_s: float = float("-inf")

    def due(self, silent_s: float, now_s: float) -> bool:
        """Now, as no result came for `silent_s`? At most once in ten minutes, should the first not be heard."""
        after_min = self.recovery.reboot_after_min
        due = after_min is not None and silent_s > after_min * 60 and now_s >= self._next_s
        if due:
            self._next_s = now_s + REBOOT_EVERY_S
        return due


@dataclass(slots=True)
class RebootBudget:
    """How many reboots may still be asked for. past: when earlier ones were, wall clock, seconds since 1970."""

    a_day: int
    past: list[float] = field(default_factory=list)

    def allows(self, wall_s: float) -> bool:
        """A clock that runs backwards makes no reboots free: those of its future count, too."""
        return sum(1 for then in self.past if wall_s - then < DAY_S) < self.a_day
