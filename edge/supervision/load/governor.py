"""Decide how many decisions a second the board may make: pure, readings and the clock are passed in.

The rate goes down before the board throttles itself. Temperature acts in proportion over the last 6 C below its
ceiling; a CPU budget acts through the measured cost of a decision; the firmware's flags act at once.
"""

import math
from dataclasses import dataclass
from typing import Literal

from edge.board import PowerFlag, Readings
from edge.config.running import Load

Limiter = Literal["temperature", "power", "cpu"]

BAND_C = 6.0  # below the ceiling: slowing down begins there
FLOOR_FPS = 0.2
FLOOR_SHARE = 0.1
# Not the soft limit: a Pi 3B+ is meant to live there, from 60 C on, at 1.2 instead of 1.4 GHz.
ALARMS: tuple[PowerFlag, ...] = ("under-voltage", "throttled", "frequency capped")

# Down is fast, because heat and weak power do harm. Up is slow, with a dead band between the two, so that the rate
# settles and does not hunt.
_DOWN_PER_S = 0.7  # half of the way in a second
_UP_PER_S = 0.1  # a tenth of the way in a second, ...
_UP_SHARE_PER_S = 0.02  # ... and never faster than the whole way in 50 s
_SENSOR_S = 2.0  # readings are smoothed over this: a Pi's sensor counts in steps of half a degree
_DOWN_DEAD_BAND = 0.1  # of the target: 0.6 C
_UP_DEAD_BAND = 0.15
# So close to the cap the rate is set to it: the rest of an exponential way would take for ever.
_ARRIVED = 0.02
# A board that is just too hot at its target would go up and down by a few percent for ever (found by Hypothesis: 15
# turns in a quarter of an hour). Each time that the last step up lasted under 10 min, the next one waits twice as long.
_RELAPSE_S, _FIRST_WAIT_S, _LONGEST_WAIT_S = 600.0, 30.0, 900.0
# After a pause of the whole process, the rate must not jump the whole way at once.
_LONGEST_STEP_S = 5.0
# At least five frames, so that one more or less is no error of more than a fifth, unless they come very slowly.
_WINDOW_S, _WINDOW_FRAMES, _LONGEST_WINDOW_S = 5.0, 5, 30.0
# Aim 5 % under the budget and rest anywhere from there to 15 % under it, or each window would change the rate.
_CPU_TOLERANCE = 0.05
# A lower rate must show its effect before it is halved again.
_HALVE_EVERY_S = 5.0
# An alarm that returns after each rise shows a supply that is too weak for more: each time it is tried later.
_CALM_S, _LONGEST_CALM_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the board.

    now_s: monotonic.
    readings: what the board reports.
    cpu_s: CPU seconds that the service's processes have used so far.
    frames: frames looked at so far.

    The last two may start anew with a new worker, and are None if unknown.
    """

    now_s: float
    readings: Readings
    cpu_s: float | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much is allowed.

    fps: decisions a second at most, None for no limit.
    limited_by: what keeps it under the target, None if nothing does.
    reason: that in a few words.
    """

    fps: float | None
    limited_by: Limiter | None
    reason: str | None


class Governor:
    """Decides the rate. Call `update` about once a second, from one thread.

    The share of the target that is allowed moves towards the least that temperature, CPU and power permit,
    and never under 0.2 decisions a second or a tenth of the target, whichever is more (or the target itself,
    if that is less still).
    """

    def __init__(self, load: Load, *, target_fps: float | None, cpus: int) -> None:
        """target_fps: what the camera gives, None if that must be measured: then nothing is limited until frames were
        counted, and the fastest rate seen is the target. load.max_fps is never exceeded."""
        self._ceiling_c = load.max_temperature_c
        known = [fps for fps in (target_fps, load.max_fps) if fps is not None]
        self._given = min(known) if known else None
        self._fastest = 0.0
        self._share = 1.0
        self._smooth_c: float | None = None
        self._cool = True
        self._last_step = _LastStepUp()
        self._last_s: float | None = None
        self._cpu = _CpuBudget(load.cpu_percent, cpus)
        self._power = _PowerAlarm()

    def update(self, sample: Sample) -> Allowance:
        """Return the rate from now on."""
        first = self._last_s is None
        elapsed_s = 0.0 if self._last_s is None else min(max(sample.now_s - self._last_s, 0.0), _LONGEST_STEP_S)
        self._last_s = sample.now_s
        target = self._target(self._cpu.measure(sample))
        floor = min(1.0, max(FLOOR_SHARE, FLOOR_FPS / target)) if target else 1.0
        self._share = max(floor, self._power.check(sample, self._share, floor))
        caps: dict[Limiter, float] = {
            "temperature": self._temperature_cap(sample.readings.temperature_c, elapsed_s),
            "power": self._power.cap,
            "cpu": self._cpu.cap,
        }
        least = min(caps, key=lambda name: caps[name])
        cap = max(floor, caps[least])
        if first:
            self._share = cap
        noisy = least == "temperature" and caps["temperature"] > 0
        self._move(cap, elapsed_s, dead_band=_DOWN_DEAD_BAND if noisy else 0.0)
        self._share = min(1.0, max(floor, self._share))
        if self._share >= 1:
            self._last_step.done(sample.now_s)
        if caps[least] >= 1:
            return self._allowance(target, None if self._cool else "temperature", sample.readings)
        return self._allowance(target, least, sample.readings)

    def _target(self, rate: float | None) -> float | None:
        """Return the rate in the settings, else the fastest seen. The CPU budget judges a newly measured rate."""
        if rate is not None:
            self._fastest = max(self._fastest, rate)
        target = self._given or self._fastest or None
        if rate and target:
            self._cpu.judge(rate / target)
        return target

    def _temperature_cap(self, degrees_c: float | None, elapsed_s: float) -> float:
        """Return the share that the temperature permits: 1 below the band, 0 at the ceiling."""
        if degrees_c is None:
            self._smooth_c, self._cool = None, True
            return 1.0
        if self._smooth_c is None:
            self._smooth_c = degrees_c
        self._smooth_c += (degrees_c - self._smooth_c) * -math.expm1(-elapsed_s / _SENSOR_S)
        headroom = (self._ceiling_c - self._smooth_c) / BAND_C
        self._cool = headroom >= 1 + _DOWN_DEAD_BAND
        return min(1.0, max(0.0, headroom))

    def _move(self, cap: float, elapsed_s: float, *, dead_band: float) -> None:
        """Move the share towards `cap`, unless that lies within the dead band around it."""
        gap = cap - self._share
        now_s = self._last_s or 0.0
        if gap < -dead_band:
            self._last_step.undone(now_s)
            self._share += gap * -math.expm1(-_DOWN_PER_S * elapsed_s)
        elif gap > _UP_DEAD_BAND or (gap > 0 and cap >= 1 and self._cool and self._last_step.is_due(now_s)):
            self._share += min(gap * -math.expm1(-_UP_PER_S * elapsed_s), _UP_SHARE_PER_S * elapsed_s)
            if cap >= 1 and cap - self._share < _ARRIVED:
                self._share = cap

    def _allowance(self, target: float | None, limiter: Limiter | None, readings: Readings) -> Allowance:
        limited_by: Limiter | None = None
        reason = None
        fps = self._given
        if target is not None and self._share < 1:
            fps = float(f"{target * self._share:.3g}")
            limited_by, reason = self._reason(limiter, readings)
        return Allowance(fps, limited_by, reason)

    def _reason(self, limiter: Limiter | None, readings: Readings) -> tuple[Limiter | None, str]:
        if limiter == "temperature":
            return limiter, f"{readings.temperature_c:.1f} C of {self._ceiling_c:g} C"
        if limiter == "cpu":
            return limiter, self._cpu.reason
        if limiter == "power":
            return limiter, self._power.reason
        return None, "speeding up again"


class _LastStepUp:
    """When the rate may go the last step up, to the target itself."""

    def __init__(self) -> None:
        self._wait_s = 0.0
        self._down_s = -math.inf
        self._up_s: float | None = None

    def done(self, now_s: float) -> None:
        """Note that the rate is the target."""
        if self._up_s is None:
            self._up_s = now_s

    def undone(self, now_s: float) -> None:
        """Note that the rate goes down."""
        if self._up_s is not None:
            relapsed = now_s - self._up_s < _RELAPSE_S
            self._wait_s = min(max(_FIRST_WAIT_S, 2 * self._wait_s), _LONGEST_WAIT_S) if relapsed else 0.0
        self._up_s, self._down_s = None, now_s

    def is_due(self, now_s: float) -> bool:
        """Return True if the wait since the rate went down last is over."""
        return now_s - self._down_s >= self._wait_s


class _CpuBudget:
    """What share of the target the CPU budget permits, from what a decision costs."""

    def __init__(self, percent: float | None, cpus: int) -> None:
        self.cap = 1.0
        self.reason = ""
        self.used_percent: float | None = None
        self._budget, self._cpus = percent, cpus
        self._start: Sample | None = None

    def measure(self, sample: Sample) -> float | None:
        """Return the decisions a second in a window of 5 s, longer if few come; None until a window is full."""
        start, self.used_percent = self._start, None
        if sample.frames is None:
            self._start = None
            return None
        if start is None or start.frames is None or _began_anew(start, sample):
            self._start = sample
            return None
        seconds, frames = sample.now_s - start.now_s, sample.frames - start.frames
        if seconds < _WINDOW_S or (frames < _WINDOW_FRAMES and seconds < _LONGEST_WINDOW_S):
            return None
        self._start = sample
        if sample.cpu_s is not None and start.cpu_s is not None:
            self.used_percent = 100 * (sample.cpu_s - start.cpu_s) / (seconds * self._cpus)
        return frames / seconds

    def judge(self, share: float) -> None:
        """Set the cap after a window that ran at `share` of the target."""
        # Cost grows with the rate at most in proportion, so this converges from either side.
        if self._budget is None or self.used_percent is None:
            return
        ratio = self._budget / max(self.used_percent, 1e-3)
        self.reason = f"CPU {self.used_percent:.0f} % of {self._budget:g} %"
        if not 1 <= ratio <= 1 + 3 * _CPU_TOLERANCE and (ratio < 1 or self.cap < 1):
            self.cap = min(1.0, share * ratio * (1 - _CPU_TOLERANCE))


def _began_anew(start: Sample, sample: Sample) -> bool:
    """Return True if a new worker took over, whose counts begin at 0."""
    return (sample.frames or 0) < (start.frames or 0) or (sample.cpu_s or 0.0) < (start.cpu_s or 0.0)


class _PowerAlarm:
    """Halves the rate while the firmware complains, and waits longer after each relapse before it rises."""

    def __init__(self) -> None:
        self.cap = 1.0
        self.reason = ""
        self._calm_s = _CALM_S
        self._halved_s = -math.inf
        self._last_alarm_s: float | None = None

    def check(self, sample: Sample, share: float, floor: float) -> float:
        """Return the share to go on from: half of it, at once, if an alarm is new or has lasted 5 s."""
        power = sample.readings.power
        alarms = [flag for flag in ALARMS if power is not None and flag in power.now]
        if alarms:
            return self._alarm(alarms[0], sample.now_s, share, floor)
        if self._last_alarm_s is not None:
            calm_s = sample.now_s - self._last_alarm_s
            if self.cap < 1 and calm_s >= self._calm_s:
                self.cap = 1.0
            elif self.cap < 1:
                self.reason = f"{self.reason.removesuffix(' a while ago')} a while ago"
            if calm_s > 2 * _LONGEST_CALM_S:
                self._last_alarm_s, self._calm_s = None, _CALM_S
        return share

    def _alarm(self, flag: PowerFlag, now_s: float, share: float, floor: float) -> float:
        if self.cap >= 1 and self._last_alarm_s is not None:
            self._calm_s = min(2 * self._calm_s, _LONGEST_CALM_S)
        self._last_alarm_s, self.reason = now_s, flag
        if now_s - self._halved_s >= _HALVE_EVERY_S:
            self._halved_s = now_s
            self.cap = max(floor, min(self.cap, share) / 2)
        return min(share, self.cap)
