"""Start a worker, listen to it, judge it, and end it."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge.decoding import DecodingError
from edge.errors import EngineError, UnavailableError
from edge.processes.listener import Listener
from edge.processes.messages import (
    CLASSIFYING,
    Begin,
    Ended,
    Failed,
    FromWorker,
    Part,
    Pulse,
    SetPace,
    Started,
    Step,
    Stop,
)
from edge.processes.process import describe_exit
from edge.processes.worker_process import StartWorker, start_worker
from edge.results import FrameCounts
from edge.supervision.recovery import Fault

_log = logging.getLogger(__name__)

# A worker pulses twice a second. Eight pulses missing: it is stopped, or none of its threads runs.
SILENCE_S = 4.0
# How long a killed process may take to disappear. SIGKILL waits for a driver that is in the kernel.
_DIE_S = 2.0
# Messages taken in one go. A worker flat out sends hundreds a second, and the watchdog must be fed meanwhile.
_BATCH = 64
# Reads of 64 KB, as much as a pipe holds: the last words of a driver.
_LAST_READS = 4
# For the interpreter to start and to send its first step, from a slow card.
_STARTING_S = 60.0
# Each holds its memory for good, and what hung two of them in the kernel would hang a third.
_MAX_UNKILLABLE = 2
# How long it may take to end after Stop: closing the camera takes 2 s if a thread hangs in its driver.
_STOP_S = 3.0


class WorkerWatch:
    """The process of one worker, and the line to it. Used by one thread."""

    def __init__(self, begin: Begin, parent: int, start: StartWorker = start_worker) -> None:
        """Start the worker. Raises OSError if no process can be started."""
        self._engine_limit_s = begin.settings.engine.timeout_s
        self.channel, self.child = start(parent)
        self.pulse = Pulse(FrameCounts())
        self.step = Step("starting", "worker", _STARTING_S)
        self.steps = 0  # so many were received
        self._step_s = self._heard_s = time.monotonic()
        # The pulse gives the length of an inference in the worker's time, which includes a pause of this process, if
        # both were frozen. So that much more is allowed, for the inference under way only.
        self._excused_s = self._excused_until_s = 0.0
        self._ended: Fault | Ended | None = None
        self.channel.send(begin)

    def messages(self) -> Iterator[tuple[FromWorker, list[int]]]:
        """Yield what was received, except what concerns only `step` and `verdict`, with the open files beside it. Never
        waits.

        Files that are to stay open must be taken out of their list before the next message: what is left is closed.
        """
        for _ in range(_BATCH):
            try:
                received = self.channel.receive_with_files()
            except EOFError:
                # Its last message comes first, if there is one: a worker that reported its end did not crash.
                self._ended = self._ended or self._post_mortem()
                return
            except DecodingError as error:
                self._ended = Fault("error", "worker", f"the worker sent what is no message: {error}", 1)
                return
            if received is None:
                return
            self._heard_s = time.monotonic()
            message, files = received
            try:
                if not self._keep(message):
                    yield message, files
            finally:
                for file in files:
                    os.close(file)
        # More messages wait: if anyone was slow, it was this process.
        self._heard_s = time.monotonic()

    def _keep(self, message: object) -> bool:
        """Note what concerns only this record; False if the caller needs the message, too."""
        if isinstance(message, Step):
            self.step, self._step_s = message, self._heard_s
            self.steps += 1
            # The next pulse may be half a second away, and the inference of the last one is over.
            self.pulse = Pulse(self.pulse.frames)
        elif isinstance(message, Pulse):
            self.pulse = message
            return False
        elif isinstance(message, Failed):
            if message.trace:
                _log.error("the worker failed:")
                for line in message.trace.splitlines():  # one record a line of the log
                    _log.error("%s", line)
            self._ended = Fault("error", message.part, message.why, message.status, lines=message.lines)
        elif isinstance(message, Ended):
            self._ended = message
        else:
            return False
        return True

    def verdict(self) -> Fault | Ended | None:
        """Return how it ended or what it hangs in; None if it is well. A worker that hangs is still alive."""
        if self._ended is not None:
            return self._ended
        now = time.monotonic()
        if now - self._step_s > self.step.limit_s:
            return self._hang(f"{self.step.name} took more than {self.step.limit_s:g} s", self.step.part)
        excused_s = self._excused_s if now < self._excused_until_s else 0.0
        if self.pulse.inferring_s > self._engine_limit_s + excused_s:
            return self._hang(f"an inference took more than {self._engine_limit_s:g} s", "engine")
        # A gate computes on one frame, as an inference does, so it gets no more time. It is a part of its own: neither
        # the camera nor the Edge TPU is to blame.
        if self.pulse.judging_s > self._engine_limit_s + excused_s:
            return self._hang(f"the gate took more than {self._engine_limit_s:g} s for a frame", "gate")
        # Only in the step that has no end: in all others a library may hold the interpreter lock for long.
        if self.step.limit_s == float("inf") and now - self._heard_s > SILENCE_S:
            return self._hang(f"the worker sent nothing for {SILENCE_S:g} s", "worker")
        return None

    def excuse(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which this process was not running."""
        now = time.monotonic()
        self._heard_s, self._step_s = min(now, self._heard_s + away_s), min(now, self._step_s + away_s)
        self._excused_s = away_s + (self._excused_s if now < self._excused_until_s else 0.0)
        self._excused_until_s = now + self._engine_limit_s

    def pace(self, fps: float | None) -> None:
        """Order it to classify at most `fps` frames a second, None for all."""
        self._order(SetPace(fps))

    def stop(self) -> None:
        """Order it to end."""
        self._order(Stop())

    def end(self, patience_s: float = 0.0) -> bool:
        """Give it `patience_s` to end by itself, then kill it; False if even that does not end it."""
        self.child.wait(patience_s)
        # Even if it has ended: helpers that it left behind, such as libcamera's, would hold the camera.
        self.child.kill()
        gone = self.child.wait(_DIE_S)
        for _ in range(_LAST_READS):
            if not self.child.relay():
                break
        self.channel.close()
        self.child.close()
        return gone

    def _order(self, message: SetPace | Stop) -> None:
        # A worker that does not read will be found by its silence, and then killed: an order that is lost is no fault.
        try:
            self.channel.send(message)
        except OSError as error:
            _log.debug("the worker does not receive: %s", error)

    def _hang(self, why: str, part: Part) -> Fault:
        return Fault("hang", part, why, UnavailableError.exit_status)

    def _post_mortem(self) -> Fault:
        """Return the fault of a worker that closed the line without a last message."""
        self.child.wait(_DIE_S)
        status = self.child.exit_status()
        how = "hung up" if status is None else describe_exit(status)
        # While it classifies, camera, OpenCV and engine all run: which of them it was cannot be found out.
        part: Part = "worker" if self.step.name == CLASSIFYING else self.step.part
        return Fault("crash", part, f"the worker {how} while {self.step.name}", EngineError.exit_status)


@dataclass(slots=True)
class Life:
    """One worker's life.

    number: 1 for the first worker of the service.
    watch: the process and the line to it.
    started: its last Started message; None until engine and camera are open.
    settled: it looked at a frame, or reported that it waits for its camera.
    makes_way: the Edge TPU is back, so that this worker must be replaced once it is settled.
    dismissed: its end was ordered, to make way or by the schedule, and is no news.
    """

    number: int
    watch: WorkerWatch
    started: Started | None = None
    settled: bool = False
    makes_way: bool = False
    dismissed: bool = False
    _turned_away: int = 0

    @property
    def uses_edgetpu(self) -> bool:
        """Does it compute on an Edge TPU?"""
        return self.started is not None and self.started.accelerator == "in use"

    @property
    def is_live(self) -> bool:
        """Do its frames have an age?"""
        return self.started is not None and self.started.live

    @property
    def fallback(self) -> str | None:
        """Why its engine is not the one in the settings; None if it is."""
        return self.started.fallback if self.started is not None else None

    def shows_looks(self, pulse: Pulse) -> bool:
        """Return True if the gate turned frames away since the pulse before, from the camera that is open now."""
        more = pulse.frames.turned_away > self._turned_away
        self._turned_away = pulse.frames.turned_away
        # In any other step the pulse reports the frames of a camera that has been closed.
        return more and self.watch.step.name == CLASSIFYING


class Workers:
    """Starts workers, one at a time, and ends them. Used by one thread.

    life: of the worker that runs now; None if none does.
    unkillable: those that even SIGKILL did not end.
    """

    def __init__(self, start: StartWorker, listener: Listener, receive: Callable[[], object]) -> None:
        """start: starts the process of a worker. receive: called when its line can be read."""
        self._start, self._listener, self._receive = start, listener, receive
        self.life: Life | None = None
        self.unkillable: list[WorkerWatch] = []

    @property
    def are_stuck(self) -> bool:
        """Do so many hang in a driver that only a reboot helps?"""
        return len(self.unkillable) >= _MAX_UNKILLABLE

    def begin(self, number: int, order: Begin) -> Life:
        """Start a worker, and listen to it. Raises OSError if no process can be started."""
        life = Life(number, WorkerWatch(order, os.getpid(), self._start))
        self._listener.add(life.watch.channel, self._receive)
        self._listener.add(life.watch.child.stderr, self._relay)
        self.life = life
        return life

    def stop(self, life: Life) -> None:
        """Let the worker end by itself, but not for ever. What it still sends is received."""
        life.watch.stop()
        ends_s = time.monotonic() + _STOP_S
        while self.life is life and time.monotonic() < ends_s:
            for callback in self._listener.wait(0.1):
                callback()

    def end(self, life: Life, *, patience_s: float) -> None:
        """Give the worker `patience_s` to end by itself, then kill it."""
        # Before `end` closes them: a selector cannot forget what is closed.
        self._listener.remove(life.watch.channel)
        self._listener.remove(life.watch.child.stderr)
        if not life.watch.end(patience_s):
            _log.error("worker %d cannot be killed: it hangs in a driver", life.watch.child.pid)
            self.unkillable.append(life.watch)
        self.life = None

    def reap(self) -> None:
        """Forget those that have ended after all. Call it now and then, or they stay zombies."""
        self.unkillable = [watch for watch in self.unkillable if watch.child.exit_status() is None]

    def _relay(self) -> None:
        if self.life is not None and not self.life.watch.child.relay():
            self._listener.remove(self.life.watch.child.stderr)
