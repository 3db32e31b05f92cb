"""Decide for the supervisor whether the Edge TPU is to blame, lost, or back."""

import logging
import os
import time

from edge.config.settings import Settings
from edge.inference.edgetpu_devices import may_be_installed
from edge.processes.edgetpu_trial import LOADING_S, MODULE, WORKS, hand_over
from edge.processes.messages import OPENING_EDGETPU
from edge.processes.process import describe_exit
from edge.processes.side_jobs import SideJobs
from edge.processes.usb import coral_node, edge_tpus, start_reset
from edge.supervision.recovery import EdgeTpuPolicy, Fault, UsbResets
from edge.supervision.status import Counts
from edge.supervision.worker_watch import Life

_log = logging.getLogger(__name__)

_TRIAL_JOB = "trying the Edge TPU"
# Listing the devices reads a folder in /sys for each: not on every tick of a quarter of a second.
_LOOK_S = 1.0


class EdgeTpuWatch:
    """Decides what the next worker computes on, and tries a lost Edge TPU beside the worker that serves from the CPU
    meanwhile. Used by the supervisor's thread."""

    def __init__(self, settings: Settings, jobs: SideJobs, counts: Counts) -> None:
        self._settings, self._jobs, self._counts = settings, jobs, counts
        self._policy = EdgeTpuPolicy(wanted=settings.engine.device != "cpu")
        self._resets = UsbResets(settings.recovery.usb_reset)
        self._why = ""
        self._since_s = 0.0
        self._next_look_s = 0.0
        # How many there were at most: if one of several has gone, their numbers mean nothing any more.
        self._most = len(edge_tpus()) if self._policy.wanted else 0

    @property
    def missing(self) -> str | None:
        """Why the CPU serves in place of the Edge TPU; None if it does not."""
        return f"Edge TPU lost: {self._why}" if self._policy.lost else None

    @property
    def device(self) -> str:
        """What the next worker must compute on, in the words of engine.device."""
        return "cpu" if self._policy.lost else self._settings.engine.device

    def result(self, now: float) -> None:
        """Note a result that came from the Edge TPU."""
        self._policy.result(now)

    def serves(self, now: float) -> None:
        """Note that a worker which uses the Edge TPU looks at frames."""
        self._policy.serves(now)

    def refused(self, why: str) -> None:
        """Note that the worker could not open it and serves from the CPU."""
        before = self._policy.losses
        self._policy.refused(time.monotonic())
        self._note_loss(before, why)

    def blame(self, life: Life, fault: Fault) -> None:
        """Blame the Edge TPU for `fault` if the worker was using or opening it, unless the fault was an error or a hang
        of the camera or of the gate."""
        opening = life.started is None and life.watch.step.name == OPENING_EDGETPU
        # A crash counts whatever the worker was doing: a driver that writes into foreign memory crashes others.
        if not (life.uses_edgetpu or opening) or (fault.kind != "crash" and fault.part in ("camera", "gate")):
            return
        if fault.kind == "error" and fault.part != "engine":
            return
        before = self._policy.losses
        self._policy.fault(fault.kind, time.monotonic())
        self._note_loss(before, fault.why)

    def look(self) -> None:
        """Start what is due: a trial, a reset."""
        now = time.monotonic()
        if not self._policy.lost or now < self._next_look_s:
            return
        self._next_look_s = now + _LOOK_S
        there = len(edge_tpus())
        self._most = max(self._most, there)
        if self._policy.is_trial_due(now) and not self._jobs.runs(_TRIAL_JOB):
            # Without device and library a trial can find nothing, and takes a second of a Pi's core each time.
            pointless = not there and not may_be_installed(self._settings.engine.edgetpu_library)
            if pointless or not self._start_trial():
                self._policy.trial_failed(now)
        node = coral_node(self._settings.engine.device, self._most)
        if node is not None and self._resets.due(now - self._since_s, now):
            start_reset(self._jobs, "the Edge TPU", node)

    def is_back(self, job: str, status: int | None) -> bool:
        """Note the end of a side job; True if it was a trial that found the Edge TPU working again."""
        if job != _TRIAL_JOB:
            return False
        now = time.monotonic()
        if status != WORKS:
            how = "hung" if status is None else describe_exit(status)
            _log.debug("the Edge TPU is not back: the trial %s", how)
            self._policy.trial_failed(now)
            return False
        self._policy.trial_succeeded()
        self._counts.edgetpu_returns += 1
        _log.warning("the Edge TPU is back after %.0f s", now - self._since_s)
        return True

    def _note_loss(self, before: int, why: str) -> None:
        if self._policy.losses > before:
            self._why, self._since_s = why, time.monotonic()
            self._counts.edgetpu_losses += 1
            # The first time, the change of state is in the log; after a return the log would end with "is back".
            level = logging.WARNING if self._counts.edgetpu_returns else logging.DEBUG
            _log.log(level, "serving from the CPU until the Edge TPU is back: %s", why)

    def _start_trial(self) -> bool:
        try:
            memory = hand_over(self._settings)
        except OSError as error:
            _log.debug("the Edge TPU cannot be tried: %s", error)
            return False
        try:
            proof_s = self._policy.proof_s
            limit_s = self._settings.engine.start_timeout_s + LOADING_S + proof_s
            words = [str(memory), str(os.getpid()), f"{proof_s:g}"]
            return self._jobs.start(_TRIAL_JOB, MODULE, words, limit_s, pass_fds=[memory])
        finally:
            os.close(memory)
