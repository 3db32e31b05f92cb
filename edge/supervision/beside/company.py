"""Join what runs beside the worker: the recorder and the outputs, either of which may be missing."""

from typing import TYPE_CHECKING

from edge.config.settings import Settings
from edge.processes.listener import Listener
from edge.processes.messages import Sampled, Scored, Sighted
from edge.supervision.beside.starting import StartHelper
from edge.supervision.status import Status
from edge.supervision.watchdog.duties import Duty
from edge.supervision.worker_watch import Life

if TYPE_CHECKING:
    from edge.supervision.beside.outputs import Outputs
    from edge.supervision.recording.recording import Recording


class Company:
    """Recorder and outputs, as the settings want them. Nothing here waits before `close`. Used by one thread."""

    def __init__(
        self,
        settings: Settings,
        device: str,
        status: Status,
        listener: Listener,
        *,
        start_recorder: StartHelper,
        start_outputs: StartHelper | None,
    ) -> None:
        """device: its name. start_outputs: None if another service runs them."""
        self._status, self._listener = status, listener
        self._start_recorder, self._start_outputs = start_recorder, start_outputs
        self._recording: Recording | None = None
        self._outputs: Outputs | None = None
        self._begin(settings, device)

    def _begin(self, settings: Settings, device: str) -> None:
        """Make what the settings want and is not there yet."""
        if self._recording is None:
            self._recording = _recording(settings, device, self._status, self._listener, self._start_recorder)
        # What is sent is in the store.
        if self._recording is not None and self._outputs is None and self._start_outputs is not None:
            self._outputs = _outputs(settings, device, self._status, self._listener, self._start_outputs)

    @property
    def reason(self) -> str | None:
        """What is not as in the settings; None if nothing. Outputs that fail are no fault of the service."""
        return self._recording.reason if self._recording is not None else None

    @property
    def duties(self) -> list[Duty]:
        """What must move; nothing if no events are kept. Outputs have no part in it: they are none of the service."""
        return self._recording.duties if self._recording is not None else []

    @property
    def at_rest(self) -> bool:
        """Whether `rest` was called and all is on the disk."""
        return self._recording is None or self._recording.at_rest

    def rest(self, *, rests: bool) -> None:
        """Have all events kept and the store closed, and keep it so; or go on."""
        if self._recording is not None:
            self._recording.rest(rests=rests)

    def apply(self, settings: Settings, device: str, *, recorder: bool, outputs: bool) -> None:
        """Take other settings, whose change concerns these processes. Nothing is lost: what waits goes to the next
        recorder, and the next outputs go on where the last ones were."""
        if recorder and self._recording is not None:
            self._recording.apply(settings, device)
        if outputs and self._outputs is not None:
            self._outputs.apply(settings, device)
        self._begin(settings, device)

    def heard(self, life: Life, message: Sighted | Sampled | Scored, files: list[int]) -> None:
        """Take a message of the worker; files that are needed are taken out of the list."""
        if self._recording is not None and life.started is not None:
            self._recording.heard(message, files, life.started)

    def worker_ended(self) -> None:
        """End the events that the worker has left open."""
        if self._recording is not None:
            self._recording.worker_ended()

    def tick(self, now: float) -> None:
        """Do the regular work."""
        for one in (self._recording, self._outputs):
            if one is not None:
                one.tick(now)

    def excuse(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which this process was not running."""
        for one in (self._recording, self._outputs):
            if one is not None:
                one.excuse(away_s)

    def close(self) -> str | None:
        """End them: the recorder gets some seconds to write, and then the outputs some to send what it wrote. Return
        what was not kept, and why; None if all was."""
        unkept = self._recording.finish() if self._recording is not None else None
        if self._outputs is not None:
            self._outputs.close()
        return unkept


# Both are imported late: without a store the first frame does not wait for what keeps events.


def _recording(
    settings: Settings, device: str, status: Status, listener: Listener, start: StartHelper
) -> "Recording | None":
    """Return what keeps events, None if the settings name no store."""
    if settings.events.store is None:
        return None
    from edge.supervision.recording.recording import Recording

    return Recording(settings, device, status, listener, start)


def _outputs(
    settings: Settings, device: str, status: Status, listener: Listener, start: StartHelper
) -> "Outputs | None":
    """Return the outputs, None if events go nowhere else than to the store."""
    sections = (settings.mqtt, settings.metrics, settings.event_lines, settings.hook, settings.gpio, settings.led)
    if all(section is None for section in sections):
        return None
    from edge.supervision.beside.outputs import Outputs

    return Outputs(settings, device, status, listener, start)
