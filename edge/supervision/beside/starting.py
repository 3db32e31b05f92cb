"""Start the processes beside the worker. Imports neither what attends to them nor their messages."""

from collections.abc import Sequence
from typing import Protocol

from edge.processes.child import Child, LineAllowance

# Of all processes of their kind: one that fails again and again must not bring its libraries' lines again and again.
_RECORDER_LINES = LineAllowance()
_OUTPUTS_LINES = LineAllowance()
_POWER_LINES = LineAllowance()


class StartHelper(Protocol):
    """Starts the process."""

    def __call__(self, words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
        """Start it with these arguments: the number of its socket, which `pass_fds` holds, and the id of this
        process. Raises OSError if no process can be started."""


def start_recorder(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
    """Start edge.recorder.main."""
    return Child("edge.recorder.main", words, pass_fds=pass_fds, allowance=_RECORDER_LINES, name="recorder")


def start_outputs(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
    """Start edge.outputs.main."""
    return Child("edge.outputs.main", words, pass_fds=pass_fds, allowance=_OUTPUTS_LINES, name="outputs")


def start_power_watch(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
    """Start edge.power.main."""
    return Child("edge.power.main", words, pass_fds=pass_fds, allowance=_POWER_LINES, name="power watch")
