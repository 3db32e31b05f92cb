"""One life of a worker as the supervisor sees it: started, listened to, judged, ended."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from edge.errors import EngineError, UnavailableError
from edge.processes.child import Child
from edge.processes.messages import (
    CLASSIFYING,
    Begin,
    Ended,
    Failed,
    FromWorker,
    Part,
    Pulse,
    SetPace,
    Step,
    Stop,
    pair,
)
from edge.processes.process import describe_exit
from edge.supervision.recovery import FaultKind

_log = logging.getLogger(__name__)

# A worker pulses twice a second; this long without a word means that it is stopped, or that nothing runs at all.
SILENCE_S = 4.0
_DIE_S = 2.0
_BATCH = 64
_LAST_READS = 4  # of 64 KB, as much as a pipe holds


@dataclass(frozen=True, slots=True)
class Fault:
    """How a worker ended: part is what it was at, status what the program would end with."""

    kind: FaultKind
    part: Part
    why: str
    status: int


class WorkerWatch:
    """Starts a worker. Used by one thread."""

    def __init__(self, begin: Begin, parent: int) -> None:
        """Raises OSError where no process can be started."""
        self.device = begin.device
        self._engine_limit_s = begin.settings.engine.timeout_s
        self.channel, theirs = pair()
        try:
            with theirs:
                self.child = Child("edge.worker.main", [str(theirs.fileno()), str(parent)], pass_fds=[theirs.fileno()])
        except OSError:
            self.channel.close()
            raise
        self.pulse = Pulse(0, 0, 0, 0.0)
        self.step = Step("starting", "worker", 60.0)
        self._step_s = self._heard_s = time.monotonic()
        self._excused_s = self._excused_until_s = 0.0  # of the inference under way
        self._ended: Fault | Ended | None = None
        self.channel.send(begin)

    def messages(self) -> Iterator[FromWorker]:
        """What it said, but what concerns only its own state. Never waits."""
        for _ in range(_BATCH):
            try:
                message = self.channel.receive()
            except EOFError:
                self._ended = self._ended or self._post_mortem()
                return
            except msgspec.DecodeError as error:
                self._ended = Fault("error", "worker", f"the worker said what is no message: {error}", 1)
                return
            if message is None:
                return
            self._heard_s = time.monotonic()
            if isinstance(message, Step):
                self.step, self._step_s = message, self._heard_s
                self.pulse = msgspec.structs.replace(self.pulse, inferring_s=0.0)
            elif isinstance(message, Pulse):
                self.pulse = message
            elif isinstance(message, Failed):
                if message.trace:
                    _log.error("the worker failed:\n%s", message.trace)
                self._ended = Fault("error", message.part, message.why, message.status)
            elif isinstance(message, Ended):
                self._ended = message
            else:
                yield message  # type: ignore[misc]
        self._heard_s = time.monotonic()  # more waits: if anyone was slow, it was us

    def verdict(self) -> Fault | Ended | None:
        """How it ended or what it hangs in; None while all is well. A worker that hangs is still alive."""
        if self._ended is not None:
            return self._ended
        now = time.monotonic()
        if now - self._step_s > self.step.limit_s:
            return self._hang(f"{self.step.name} took more than {self.step.limit_s:g} s", self.step.part)
        excused_s = self._excused_s if now < self._excused_until_s else 0.0
        if self.pulse.inferring_s > self._engine_limit_s + excused_s:
            return self._hang(f"an inference took more than {self._engine_limit_s:g} s", "engine")
        if self.step.limit_s == float("inf") and now - self._heard_s > SILENCE_S:
            return self._hang(f"the worker said nothing for {SILENCE_S:g} s", "worker")
        return None

    def excuse(self, away_s: float) -> None:
        """We, and perhaps it too, were held up for so long: that does not count against it."""
        now = time.monotonic()
        self._heard_s, self._step_s = min(now, self._heard_s + away_s), min(now, self._step_s + away_s)
        self._excused_s = away_s + (self._excused_s if now < self._excused_until_s else 0.0)
        self._excused_until_s = now + self._engine_limit_s

    def pace(self, fps: float | None) -> None:
        """Tell it how many frames a second to classify."""
        self._tell(SetPace(fps))

    def stop(self) -> None:
        """Ask it to end."""
        self._tell(Stop())

    def end(self, patience_s: float = 0.0) -> bool:
        """Give it `patience_s` to end by itself, then kill it; False where even that does not help."""
        self.child.wait(patience_s)
        self.child.kill()  # with the helpers that it may have left, which would hold the camera
        gone = self.child.wait(_DIE_S)
        for _ in range(_LAST_READS):
            if not self.child.relay():
                break
        self.channel.close()
        self.child.close()
        return gone

    def _tell(self, message: SetPace | Stop) -> None:
        try:
            self.channel.send(message)
        except OSError as error:
            _log.debug("the worker does not listen: %s", error)

    def _hang(self, why: str, part: Part) -> Fault:
        return Fault("hang", part, why, UnavailableError.exit_status)

    def _post_mortem(self) -> Fault:
        """It hung up without a last word."""
        self.child.wait(_DIE_S)
        status = self.child.exit_status()
        how = "hung up" if status is None else describe_exit(status)
        # While it classifies, camera, OpenCV and engine all run: nobody knows which of them it was.
        part: Part = "worker" if self.step.name == CLASSIFYING else self.step.part
        return Fault("crash", part, f"the worker {how} while {self.step.name}", EngineError.exit_status)
