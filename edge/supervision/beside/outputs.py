"""Run the outputs beside the service, if nothing else does: `fieldfare run` by hand."""

import logging

from edge.config.settings import Settings
from edge.processes.listener import Listener
from edge.processes.outputs_messages import OutputsBegin, OutputsFailed, OutputsPulse, outputs_pair
from edge.supervision.beside.attended import Attended
from edge.supervision.beside.kinds import Kind
from edge.supervision.beside.starting import StartHelper
from edge.supervision.status import Status

_log = logging.getLogger(__name__)

# They talk to the network in threads or with time limits. Two minutes of silence are a hang.
_KIND = Kind("outputs", outputs_pair, OutputsFailed, starting_s=120.0, silence_s=120.0)
# To send what the recorder wrote last (5 s at most), and to take leave of a broker on a slow network (4 s at most).
_GOING_S = 10.0
# A person who waits for longer than this is owed a word.
_QUIET_S = 1.5


class Outputs:
    """The process of all outputs. Its faults are in the status, and are none of the service. Used by one thread."""

    def __init__(self, settings: Settings, device: str, status: Status, listener: Listener, start: StartHelper) -> None:
        """device: its name. start: starts the process."""
        self._process = Attended(_KIND, start, OutputsBegin(settings, device), listener, self._receive)
        self._status = status

    def apply(self, settings: Settings, device: str) -> None:
        """Take other settings: the process ends, and another one goes on where it was."""
        self._process.renew(OutputsBegin(settings, device))
        self._process.leave()

    def tick(self, now: float) -> None:
        """Do the regular work; call it about once a second or more often."""
        self._process.tick(now)
        self._status.outputs_fault = self._process.fault

    def excuse(self, away_s: float) -> None:
        """Extend the deadline by `away_s`, during which this process was not running."""
        self._process.excuse(away_s)

    def close(self) -> None:
        """Let the process send what is in the store, and end: it says good-bye to the broker, and switches the pin
        off. What is not sent within some seconds is sent by the next one."""
        if not self._process.hang_up(_QUIET_S):
            _log.info("the outputs have up to %g s to send what waits", _GOING_S)
            if not self._process.hang_up(_GOING_S):  # else they have reported what is left themselves
                _log.warning("the outputs hang and are killed: what they have not sent follows at the next start")
        self._process.close(0.0)

    def _receive(self) -> None:
        for message in self._process.messages():
            if isinstance(message, OutputsPulse):
                self._status.outputs = message.outputs
