"""Run the outputs beside the service, if nothing else does: `fieldfare run` by hand."""

from collections.abc import Sequence

from edge.config.settings import Settings
from edge.processes.child import Child, LineAllowance
from edge.processes.listener import Listener
from edge.processes.outputs_messages import OutputsBegin, OutputsFailed, OutputsPulse, outputs_pair
from edge.supervision.beside.attended import Attended, Kind, StartHelper
from edge.supervision.status import Status

# They talk to the network in threads or with time limits. Two minutes of silence are a hang.
_KIND = Kind("outputs", outputs_pair, OutputsFailed, starting_s=120.0, silence_s=120.0)
# To take leave of a broker on a slow network.
_GOING_S = 3.0
_LINES = LineAllowance()


def start_outputs(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
    """Start edge.outputs.main."""
    return Child("edge.outputs.main", words, pass_fds=pass_fds, allowance=_LINES, name="outputs")


def wants_outputs(settings: Settings) -> bool:
    """Return whether events go anywhere else than to the store."""
    sections = (settings.mqtt, settings.metrics, settings.event_lines, settings.hook, settings.gpio)
    return settings.events.store is not None and any(section is not None for section in sections)


class Outputs:
    """The process of all outputs. Its faults are in the status, and are none of the service. Used by one thread."""

    def __init__(self, settings: Settings, device: str, status: Status, listener: Listener, start: StartHelper) -> None:
        """device: its name. start: starts the process."""
        self._process = Attended(_KIND, start, OutputsBegin(settings, device), listener, self._receive)
        self._status = status

    def tick(self, now: float) -> None:
        """Do the regular work; call it about once a second or more often."""
        self._process.tick(now)
        self._status.outputs_fault = self._process.fault

    def excuse(self, away_s: float) -> None:
        """Extend the deadline by `away_s`, during which this process was not running."""
        self._process.excuse(away_s)

    def hang_up(self) -> None:
        """Let the process end: it says good-bye to the broker, and switches the pin off."""
        self._process.hang_up()

    def close(self) -> None:
        """End the process. What is not sent yet is in the store, and is sent by the next one."""
        self._process.close(_GOING_S)

    def _receive(self) -> None:
        for message in self._process.messages():
            if isinstance(message, OutputsPulse):
                self._status.outputs = message.outputs
