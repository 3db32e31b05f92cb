"""Report in the log how the outputs are: all of them once they run, later what has changed."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.config.settings import Settings
from edge.printable import counted
from edge.processes.outputs_messages import OutputState

_log = logging.getLogger(__name__)

# For the first connection to a broker, before the first report.
_SETTLE_S = 3.0
# An event is sent within a second or two. What waits for longer is a backlog, and how it shrinks is shown so often.
_BACKLOG_S, _AGAIN_S = 10.0, 60.0


def places_of(settings: Settings) -> dict[str, str]:
    """Return where each output of the settings sends events, in a few words."""
    found: dict[str, str] = {}
    if settings.mqtt is not None:
        found["mqtt"] = settings.mqtt.host
    if settings.metrics is not None:
        found["metrics"] = settings.metrics.file or f"port {settings.metrics.port}"
    if settings.event_lines is not None:
        found["event_lines"] = settings.event_lines.file
    if settings.hook is not None:
        found["hook"] = settings.hook.command[0]
    if settings.gpio is not None:
        found["gpio"] = f"pin {settings.gpio.pin}"
    if settings.led is not None:
        found["led"] = settings.led.name or f"pin {settings.led.pin}"
    return found


@dataclass(slots=True)
class _Backlog:
    """due_s: when it must be reported next. is_shown: it was."""

    due_s: float
    is_shown: bool = False


class OutputsReport:
    """What is reported. Faults and notices are not repeated: the output that has one logs it."""

    def __init__(self, places: Mapping[str, str], now_s: float) -> None:
        """places: as places_of. now_s: monotonic, as all times here."""
        self._places, self._began_s = places, now_s
        self._begun = False
        self._backlogs: dict[str, _Backlog] = {}

    def look(self, states: Sequence[OutputState], now_s: float) -> None:
        """Log what is new. Call it about once a second."""
        if not self._begun:
            if now_s - self._began_s < _SETTLE_S:
                return
            self._begun = True
            for state in states:
                _log.info("%s: %s", self._name(state), _first_words(state))
        for state in states:
            self._follow(state, now_s)

    def _name(self, state: OutputState) -> str:
        return f"{state.name} to {self._places.get(state.name, '?')}"

    def _follow(self, state: OutputState, now_s: float) -> None:
        backlog = self._backlogs.get(state.name)
        if not state.waiting:
            if backlog is not None and backlog.is_shown and state.fault is None:
                _log.info("%s: up to date", self._name(state))
            self._backlogs.pop(state.name, None)
        elif backlog is None:
            self._backlogs[state.name] = _Backlog(now_s + _BACKLOG_S)
        elif state.fault is None and now_s >= backlog.due_s:
            backlog.due_s, backlog.is_shown = now_s + _AGAIN_S, True
            _log.info("%s: %s waiting", self._name(state), counted(state.waiting, "event"))


def _first_words(state: OutputState) -> str:
    if state.fault is not None:
        return "nothing goes out at present"
    words = f"{counted(state.waiting, 'event')} waiting" if state.waiting else "up to date"
    return words if state.notice is None else f"{words}; {state.notice}"
