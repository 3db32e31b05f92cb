"""Switch a pin on for a while after each event: a lamp, a relay, a horn."""

import logging
import threading
import time
import warnings
from typing import Protocol

from edge.config.sending import Gpio, Led
from edge.errors import MissingPackageError, UnavailableError
from edge.outputs.feed import Gap
from edge.store.records import StoredEvent

_log = logging.getLogger(__name__)
# Beside the time that an event may take to the disk: for the detector, the recorder and this process.
_LATE_S = 15.0


class Pin(Protocol):
    """What is used of gpiozero.DigitalOutputDevice."""

    def on(self) -> None: ...
    def off(self) -> None: ...
    def close(self) -> None: ...


def open_pin(gpio: Gpio | Led, section: str = "gpio") -> Pin:
    """Open the pin, off. section: which settings name it. Raises MissingPackageError or UnavailableError."""
    try:
        from gpiozero import DigitalOutputDevice
        from gpiozero.exc import BadPinFactory, GPIOZeroError
    except ImportError as error:
        raise MissingPackageError(
            f"[{section}] needs gpiozero: sudo apt install python3-gpiozero python3-lgpio: {error}"
        ) from error
    try:
        # It warns of each library for pins that it tried in vain; the error is enough.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pin: Pin = DigitalOutputDevice(gpio.pin, active_high=gpio.active_high)
    except BadPinFactory as error:
        raise MissingPackageError(
            f"[{section}] pin = {gpio.pin!r}: no pins: install the library for them (sudo apt install python3-lgpio), "
            f"lend the outputs /dev/gpiochip0 (systemd/outputs-gpio.conf), or remove [{section}]: {error}"
        ) from error
    # On a board that has no such pin, or whose pins are taken, gpiozero raises whatever those libraries raise.
    except (GPIOZeroError, OSError, RuntimeError, ImportError, ValueError) as error:
        raise UnavailableError(
            f"[{section}] pin = {gpio.pin!r}: {error or type(error).__name__}: must be a free pin of this board, by "
            'Broadcom\'s number or as "BOARD11"'
        ) from error
    return pin


class GpioTaker:
    """A pin that is on for some seconds after each event; an event meanwhile makes that longer.

    An event that is old, since this process or the recorder stood still, no longer switches anything.
    """

    def __init__(self, gpio: Gpio, pin: Pin, *, boot: str, durable_within_s: float) -> None:
        """boot: this boot's id. durable_within_s: how late an event may come."""
        self._gpio, self._pin, self._boot = gpio, pin, boot
        self._fresh_s = durable_within_s + _LATE_S
        self._off_s: float | None = None

    def take(self, what: StoredEvent | Gap, stop: threading.Event) -> None:
        """See Taker.take."""
        if isinstance(what, Gap) or (self._gpio.labels and what.label not in self._gpio.labels):
            return
        now_s = time.monotonic()
        if what.event.boot != self._boot or now_s - what.event.end_mono_s > self._fresh_s:
            _log.debug("gpio: event %s is too old", what.event.name)
            return
        self._pin.on()
        self._off_s = now_s + self._gpio.seconds

    def next_s(self) -> float | None:
        """See Taker.next_s."""
        return None if self._off_s is None else max(0.0, self._off_s - time.monotonic())

    def tick(self) -> None:
        """See Taker.tick."""
        if self._off_s is not None and time.monotonic() >= self._off_s:
            self._off_s = None
            self._pin.off()

    def close(self) -> None:
        """See Taker.close."""
        self._pin.off()
        self._pin.close()
