"""The power fails under load, again and again; each time the device must come back by itself with every event."""

import random
import time

import host
from virtual.machine import Machine
from virtual.service import Service
from virtual.steps import Say

# From the power's return until events are acknowledged again, the boot included. All of it is emulated.
UP_S = 300.0
# A third of the cuts come in the very moment in which an acknowledgement was seen outside, the others at any moment.
_LOOK_S = 0.002
_LONGEST_S = 4.0
_LONGEST_WAIT_S = 1800.0


class Power:
    """The step, and what it needs to know."""

    def __init__(self, machine: Machine, service: Service, times: int, seed: int = 1) -> None:
        """times: how often the power fails."""
        self._machine, self._service, self._times = machine, service, times
        self._rng = random.Random(seed)

    def fail(self, say: Say) -> None:
        """Reset the machine under load or cut its power, in turn, and judge after each."""
        lost = 0
        for number in range(1, self._times + 1):
            before = self._service.acknowledged()
            self._wait_for_the_moment()
            cut = number % 2 == 0 or not self._machine.has_reset
            if cut:
                self._machine.cut()
            acknowledged = self._service.acknowledged() - before
            up_s = self._machine.power_on() if cut else self._machine.reset()
            back_s = self._service.wait_for_events(UP_S)
            verdict = self._service.verdict()
            lost += len(verdict["missing"])
            say(
                f"{'power cut' if cut else 'reset'} {number} of {self._times}, {acknowledged} events after the last: "
                f"boot {up_s:.0f} s, events again {back_s:.0f} s later; {verdict['acknowledged']} acknowledged, "
                f"{len(verdict['missing'])} lost, {verdict['stored']} in the store"
            )
        say(f"{self._times} times without power, {lost} acknowledged events lost")

    def _wait_for_the_moment(self) -> None:
        # Load: several events a second, so commits and pictures are being written all the time.
        self._service.wait_for_events(UP_S, more=5)
        time.sleep(self._rng.uniform(0.0, _LONGEST_S))
        if self._rng.random() < 1 / 3:
            size = self._service.notes.stat().st_size
            ends_s = time.monotonic() + _LONGEST_WAIT_S
            while self._service.notes.stat().st_size == size:
                if time.monotonic() > ends_s:
                    raise host.Failed("no acknowledgement came")
                time.sleep(_LOOK_S)
