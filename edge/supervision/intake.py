"""Take what a worker sends: results, signs of life, events, and news of its camera."""

import logging
import time

from edge.processes.messages import Decided, FromWorker, Pulse, Sampled, Scored, Sighted, Started, Trouble
from edge.supervision.parts import Parts
from edge.supervision.worker_watch import Life

_log = logging.getLogger(__name__)


class Intake:
    """Passes each message on to the parts that it concerns, and sets the state after it. Used by one thread.

    engine_fault: what the engine may be to blame for, since the last result; None if nothing.
    distrust: the last worker's camera failed, so its next first frame may be an old one.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.engine_fault: str | None = None
        self.distrust = False

    def use(self, parts: Parts) -> None:
        """Pass messages on to other parts from now on."""
        self._parts = parts

    def take(self, life: Life, message: FromWorker, files: list[int]) -> None:
        """Take one message, and out of the list the files beside it that are still needed."""
        if isinstance(message, Decided):
            self._decided(life, message)
        elif isinstance(message, Pulse):
            self._pulsed(life, message)
        elif isinstance(message, Sighted | Sampled | Scored):
            self._parts.company.heard(life, message, files)
        elif isinstance(message, Started):
            self._started(life, message)
        elif isinstance(message, Trouble):
            self._camera_failed(life, message)

    def refresh(self, life: Life) -> None:
        """Set the state anew if something came to be missing, or is not any more, without a frame."""
        if life.settled and self._parts.state.serves:
            self._parts.state.works(self._missing(life), computed=False)
            self._parts.announce()

    def _started(self, life: Life, started: Started) -> None:
        life.started = started
        self._parts.life_watch.worker_serves()
        self._parts.announcer.started(started)
        if started.accelerator == "refused":
            self._parts.edgetpu.refused(started.fallback or "refused")

    def _decided(self, life: Life, message: Decided) -> None:
        parts, result, now = self._parts, message.result, time.monotonic()
        if parts.publisher.has_enough():
            return
        parts.counting.decided(life.number)
        if life.is_live and parts.life_watch.too_old(now - result.captured_mono_s):
            parts.status.counts.stale += 1
            return
        parts.publisher.publish(result)
        if life.uses_edgetpu:
            parts.edgetpu.result(now)
        parts.life_watch.published()
        self.engine_fault = None
        self._works(life, computed=True)
        if parts.publisher.has_enough():
            _log.info("as many frames as requested")

    def _pulsed(self, life: Life, pulse: Pulse) -> None:
        self._parts.counting.frames(life.number, pulse.frames)
        if life.shows_looks(pulse):
            self._parts.life_watch.looked()
            if life.uses_edgetpu:
                self._parts.edgetpu.serves(time.monotonic())
            self._works(life, computed=False)

    def _works(self, life: Life, *, computed: bool) -> None:
        """Note a sign of life. computed: the engine gave a result."""
        life.settled, self.distrust = True, False
        # Frames that the gate turned away show that camera and worker are well, and nothing of the engine. Otherwise
        # one that fails at each frame it gets would be replaced at once, logged anew and called well for ever.
        if self.engine_fault is None:
            self._parts.restarts.works(time.monotonic())
            self._parts.announcer.is_well()
        self._parts.state.works(self._missing(life), computed=computed)
        self._parts.announce()

    def _missing(self, life: Life) -> list[str]:
        """List the differences from the settings: sinks, events, schedule, engine, rate, no result since a fault."""
        parts = self._parts
        reasons = (
            parts.status.output_fault,
            parts.company.reason,
            parts.sleep.reason if parts.sleep is not None else None,
            parts.power.reason if parts.power is not None else None,
            parts.edgetpu.missing or life.fallback,
            parts.regulator.reason,
            f"no result since: {self.engine_fault}" if self.engine_fault else None,
        )
        return [text for text in reasons if text]

    def _camera_failed(self, life: Life, trouble: Trouble) -> None:
        parts = self._parts
        parts.counting.camera_fault(recovering=parts.state.state == "recovering")
        parts.state.camera_fails(trouble.why, trouble.status)
        if parts.state.exit_status is None:
            parts.announcer.fault(trouble.why)
            life.settled = True
            parts.life_watch.explained()
        parts.announce()
