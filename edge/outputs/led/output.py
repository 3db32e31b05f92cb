"""Keep a light in step with the service's state."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge.errors import FieldfareError
from edge.outputs.base import Fault
from edge.outputs.gpio import Pin
from edge.outputs.led.patterns import Mode, light_at, mode_of
from edge.outputs.service_status import read_service
from edge.processes.outputs_messages import OutputState

# The service writes its status every 2 s, and at each change.
_LOOK_S = 1.0
# A light that is not there, or not open to this user yet.
_AGAIN_S = 30.0


class LedOutput:
    """See Output. It sends no events, and none wait for it.

    It runs with the outputs and not in the service: so it also shows that the service is down, and a driver that hangs
    holds up nothing else.
    """

    def __init__(self, take: Callable[[], Pin], status_file: Path | None, boot: str) -> None:
        """take: takes the light; raises FieldfareError. status_file: the service's; None: it reports nothing."""
        self._take, self._status_file, self._boot = take, status_file, boot
        self._fault = Fault("led")

    @property
    def state(self) -> OutputState:
        """See Output.state."""
        return OutputState(name="led", fault=self._fault.why)

    def wake(self) -> None:
        """See Output.wake: there is nothing to wake for, and it looks at `stop` within a second."""

    def run(self, stop: threading.Event) -> None:
        """See Output.run."""
        while not stop.is_set():
            try:
                light = self._take()
            except FieldfareError as error:
                self._fault.set(str(error))
                stop.wait(_AGAIN_S)
                continue
            try:
                self._fault.clear()
                self._show(light, stop)
            except OSError as error:
                self._fault.set(f"[led] {error.filename or ''}: {error.strerror or error}")
                stop.wait(_AGAIN_S)
            finally:
                with suppress(OSError):  # unplugged: nothing to give back
                    light.close()

    def _show(self, light: Pin, stop: threading.Event) -> None:
        """Show the state until `stop`. Raises OSError if the light fails."""
        mode: Mode | None = None
        lit, began_s, look_s = False, 0.0, float("-inf")
        while not stop.is_set():
            now_s = time.monotonic()
            if now_s >= look_s:
                look_s = now_s + _LOOK_S
                before, mode = mode, mode_of(read_service(self._status_file), self._boot, now_s)
                began_s = began_s if mode == before else now_s
            assert mode is not None
            on, change_s = light_at(mode, now_s - began_s)
            if on != lit:
                lit = on
                (light.on if on else light.off)()
            stop.wait(max(0.0, min(change_s, look_s - now_s)))
        light.off()
