"""Watch the power supply through a process of its own: a pin's library, or a file's driver, may hang or crash."""

from edge.config.running import Power
from edge.power.messages import PowerBegin, PowerFailed, PowerPulse, power_pair
from edge.processes.listener import Listener
from edge.supervision.beside.attended import Attended
from edge.supervision.beside.kinds import Kind
from edge.supervision.beside.starting import StartHelper

# It pulses every 2 s; gpiozero takes some seconds to load on a small Pi.
_KIND = Kind("power watch", power_pair, PowerFailed, starting_s=60.0, silence_s=20.0)
_GOING_S = 1.0


class PowerWatch:
    """Whether the supply announces its end. Used by one thread.

    failing: it does; the last that was heard.
    """

    def __init__(self, power: Power, listener: Listener, start: StartHelper) -> None:
        self._process = Attended(_KIND, start, PowerBegin(power), listener, self._receive)
        self.failing = False

    @property
    def reason(self) -> str | None:
        """Why the supply is not watched; None if it is."""
        fault = self._process.fault
        return None if fault is None else f"the power supply is not watched: {fault}"

    def tick(self, now: float) -> None:
        """Do the regular work; call it about once a second or more often."""
        self._process.tick(now)

    def excuse(self, away_s: float) -> None:
        """Extend the deadline by `away_s`, during which this process was not running."""
        self._process.excuse(away_s)

    def close(self) -> None:
        """End it."""
        self._process.close(_GOING_S)

    def _receive(self) -> None:
        for message in self._process.messages():
            if isinstance(message, PowerPulse):
                self.failing = message.failing
