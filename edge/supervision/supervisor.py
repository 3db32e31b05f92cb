"""Run the supervisor: start the worker, judge it, and do what edge.supervision.recovery decides when it fails.

It touches neither camera nor accelerator, holds no frame, and imports neither NumPy nor OpenCV nor a runtime:
whatever these do to their process, this one stays.
"""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.config.settings import Settings
from edge.processes.listener import Listener
from edge.processes.messages import Begin, Decided, Ended, Pulse, Started, Trouble
from edge.processes.side_jobs import SideJobs
from edge.processes.usb import RESET_JOB
from edge.sinks.base import Sink
from edge.supervision.announcer import Announcer
from edge.supervision.counting import Counting
from edge.supervision.edgetpu_watch import EdgeTpuWatch
from edge.supervision.escalation import Escalation
from edge.supervision.life_watch import LifeWatch
from edge.supervision.load.regulator import Regulator
from edge.supervision.reboot import RebootHook
from edge.supervision.recovery import Fault, Restarts
from edge.supervision.states import ServiceState
from edge.supervision.status import StatusFile, begin
from edge.supervision.systemd import SystemdNotifier
from edge.supervision.throughput import Publisher, Tally
from edge.supervision.worker_watch import Life, StartWorker, Workers, start_worker

_log = logging.getLogger(__name__)

# How often the worker is judged. Its shortest limit is half a second (engine.timeout_s).
_TICK_S = 0.25
# Later than this, and this process was held up itself: stopped, frozen with the machine, waiting for a reader.
_HELD_UP_S = 1.0
# How long a worker may take to end after Stop: closing the camera takes 2 s if a thread hangs in its driver.
_STOP_S = 3.0
# A worker that reported an error or its end is about to go, and gives its device back properly.
_GOING_S = 1.0
# Each holds its memory for good, and what hung two of them in the kernel would hang a third.
_MAX_UNKILLABLE = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Folders of this instance, None if there is none: `run` in memory, `state` on disk."""

    run: Path | None
    state: Path | None


class Supervisor:
    """Runs one camera until it is stopped, the source ends, or nothing can help.

    status: how the service is, with all counts since it started.

    Used by one thread; `stop` may be called from a signal handler.
    """

    def __init__(
        self,
        settings: Settings,
        sinks: Sequence[Sink],
        notifier: SystemdNotifier,
        place: Place,
        *,
        service: bool,
        max_frames: int | None = None,
        start: StartWorker = start_worker,
    ) -> None:
        """service: keep trying if a first start fails because there is no camera; without it that ends the program.
        max_frames: end after so many results. start: starts the process of a worker."""
        self.status = begin()
        self._settings = settings
        self._state = ServiceState(service, settings.camera.endless)
        self._publisher = Publisher(sinks, self.status, max_frames)
        status_file = StatusFile(place.run / "status.json" if place.run else None)
        self._announcer = Announcer(self.status, self.tally, status_file, notifier)
        self._jobs = SideJobs()
        self._edgetpu = EdgeTpuWatch(settings, self._jobs, self.status.counts)
        hook = RebootHook.at(place.state, place.run, settings.recovery.reboots_a_day)
        self._escalation = Escalation(settings, hook, self._jobs, self.status.counts)
        self._regulator = Regulator(settings.load, settings.camera.fps)
        self._workers = Workers(start)
        self._life: Life | None = None
        self._life_watch = LifeWatch(settings)
        self._counting = Counting(self.status.counts)
        self._restarts = Restarts()
        self._engine_fault: str | None = None  # since the last result: what the engine may be to blame for
        self._distrust = False  # the last worker's camera failed: its first frame may be an old one
        self._stopping = False
        self._listener = Listener()

    @property
    def tally(self) -> Tally:
        """What was published since the program started."""
        return self._publisher.tally

    @property
    def complaint(self) -> str | None:
        """Why the exit status is not 0; None if it is."""
        return self._state.complaint

    def stop(self) -> None:
        """End soon, with status 0."""
        self._stopping = True
        self._listener.wake()

    def run(self) -> int:
        """Run until the end; return the exit status. Raises StorageError and BrokenPipeError of a sink that cannot go
        on."""
        try:
            next_tick_s, awake_s = 0.0, time.monotonic()
            while self._state.exit_status is None:
                ready = self._listener.wait(max(0.0, next_tick_s - time.monotonic()))
                away_s, awake_s = time.monotonic() - awake_s - _TICK_S, time.monotonic()
                # Before anything is judged: a deadline that passed in the pause is nobody's fault.
                if away_s > _HELD_UP_S:
                    self._held_up(away_s)
                for callback in ready:
                    callback()
                if self._stopping and self._life is None:
                    self._state.ends()
                if (now := time.monotonic()) >= next_tick_s or self._life is None:
                    next_tick_s = now + _TICK_S
                    self._tick(now)
        finally:
            self._close()
        return self._state.exit_status

    def _tick(self, now: float) -> None:
        """Do the regular work, in the order of the ladder in docs/recovery.md."""
        if self._life is None and self._state.exit_status is None and not self._stopping and self._restarts.is_due(now):
            self._start_worker()
        if self._life is not None and self._stopping:
            self._stop_worker(self._life)
        elif self._life is not None:
            verdict = self._life.watch.verdict() or self._life_watch.fault(now, self._regulator.limit_fps)
            if verdict is not None:
                self._ended(self._life, verdict)
        self._mind_jobs()
        if self._state.state == "recovering":
            self._escalation.look(self._life_watch.seconds(now), now, self._state.why)
        self._regulate()
        self._announcer.alive()
        self._announcer.refresh(now)

    def _held_up(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which nothing was received or judged."""
        _log.log(logging.INFO if away_s > 10 else logging.DEBUG, "held up for %.1f s", away_s)
        self._life_watch.excuse(away_s)
        if self._life is not None:
            self._life.watch.excuse(away_s)
            self._receive()

    # --- the worker begins ---

    def _start_worker(self) -> None:
        hang = len(self._workers.unkillable)
        if hang >= _MAX_UNKILLABLE:
            self._state.recovers(f"{hang} workers hang in a driver: only a reboot helps")
            self._announce()
            return
        device, fallback, fps = self._edgetpu.device, self._edgetpu.missing, self._regulator.limit_fps
        order = Begin(self._settings, device, fallback, fps, distrust=self._distrust)
        try:
            life = self._workers.begin(self._state.starts + 1, order)
        except OSError as error:
            # No memory, or too many processes: that takes a second to change, even for the first try again.
            self._restarts.failed(time.monotonic(), at_least_s=1.0)
            self._state.worker_refused(f"no worker could be started: {error}")
            self._announce()
            return
        self._state.worker_starts()
        self._life = life
        self._life_watch.worker_begins()
        self._counting.frames(life.number, life.watch.pulse.frames)
        self.status.counts.worker_starts = life.number
        self.status.worker_pid = life.watch.child.pid
        self._listener.add(life.watch.channel, self._receive)
        self._listener.add(life.watch.child.stderr, self._relay)

    def _note_start(self, life: Life, started: Started) -> None:
        life.started = started
        self._life_watch.worker_serves()
        self._announcer.started(started)
        if started.accelerator == "refused":
            self._edgetpu.refused(started.fallback or "refused")

    # --- what it sends ---

    def _receive(self) -> None:
        life = self._life
        if life is None:
            return
        for message in life.watch.messages():
            if isinstance(message, Decided):
                self._decided(life, message)
            elif isinstance(message, Pulse):
                self._pulsed(life, message)
            elif isinstance(message, Started):
                self._note_start(life, message)
            elif isinstance(message, Trouble):
                self._camera_failed(life, message)
        if (verdict := life.watch.verdict()) is not None:
            self._ended(life, verdict)

    def _relay(self) -> None:
        if self._life is not None and not self._life.watch.child.relay():
            self._listener.remove(self._life.watch.child.stderr)

    def _decided(self, life: Life, message: Decided) -> None:
        if self._publisher.has_enough():
            return
        self._counting.decided(life.number)
        result, now = message.result, time.monotonic()
        if life.is_live and self._life_watch.too_old(now - result.captured_mono_s):
            self.status.counts.stale += 1
            return
        self._publisher.publish(result)
        if life.uses_edgetpu:
            self._edgetpu.result(now)
        self._life_watch.published()
        self._engine_fault = None
        self._works(life, computed=True)
        if self._publisher.has_enough():
            _log.info("as many frames as requested")
            self.stop()

    def _pulsed(self, life: Life, pulse: Pulse) -> None:
        self._counting.frames(life.number, pulse.frames)
        if life.shows_looks(pulse):
            self._life_watch.looked()
            if life.uses_edgetpu:
                self._edgetpu.serves(time.monotonic())
            self._works(life, computed=False)

    def _works(self, life: Life, *, computed: bool) -> None:
        """Note a sign of life. computed: the engine gave a result."""
        life.settled, self._distrust = True, False
        # Frames that the gate turned away show that camera and worker are well, and nothing of the engine. Otherwise
        # one that fails at each frame it gets would be replaced at once, logged anew and called well for ever.
        if self._engine_fault is None:
            self._restarts.works(time.monotonic())
            self._announcer.is_well()
        self._state.works(self._missing(life), computed=computed)
        self._announce()

    def _missing(self, life: Life) -> list[str]:
        """List the differences from the settings: engine, rate, no result since a fault."""
        doubt = f"no result since: {self._engine_fault}" if self._engine_fault else None
        fallback = self._edgetpu.missing or life.fallback
        reasons = (self.status.output_fault, fallback, self._regulator.reason, doubt)
        return [text for text in reasons if text]

    def _camera_failed(self, life: Life, trouble: Trouble) -> None:
        self._counting.camera_fault(recovering=self._state.state == "recovering")
        self._state.camera_fails(trouble.why, trouble.status)
        if self._state.exit_status is None:
            self._announcer.fault(trouble.why)
            life.settled = True
            self._life_watch.explained()
        self._announce()

    # --- the worker ends ---

    def _ended(self, life: Life, end: Fault | Ended) -> None:
        # A worker that hangs or crashed is killed without a wait: it holds the camera that the next one needs.
        is_going = isinstance(end, Ended) or end.kind == "error"
        self._let_go(life, patience_s=_GOING_S if is_going else 0.0)
        if isinstance(end, Ended) or self._stopping:
            if isinstance(end, Ended):
                _log.info("%s", end.why)
            self._state.ends()
            return
        self._counting.fault(end, recovering=self._state.state == "recovering")
        self._state.worker_fails(end)
        if self._state.exit_status is None:
            self._edgetpu.blame(life, end)
            if end.may_be_engine:
                self._engine_fault = end.why
            self._distrust = self._distrust or end.part == "camera" or end.kind == "crash"
            self._restarts.failed(time.monotonic())
            tail = life.watch.child.tail
            words = f" (last words: {tail[-1]})" if end.kind == "crash" and tail else ""
            self._announcer.fault(end.why, f"{words}; starting another worker")
        self._announce()

    def _stop_worker(self, life: Life) -> None:
        """Let the worker end by itself, but not for ever."""
        life.watch.stop()
        ends_s = time.monotonic() + _STOP_S
        # Results that were under way are still published.
        while self._life is not None and time.monotonic() < ends_s:
            for callback in self._listener.wait(0.1):
                callback()
        if self._life is not None:
            self._let_go(life, patience_s=0.0)
        self._state.ends()

    def _let_go(self, life: Life, *, patience_s: float) -> None:
        # Before `end` closes them: a selector cannot forget what is closed.
        self._listener.remove(life.watch.channel)
        self._listener.remove(life.watch.child.stderr)
        self._workers.end(life, patience_s=patience_s)
        self._life = None
        self.status.worker_pid = None

    # --- beside the worker ---

    def _mind_jobs(self) -> None:
        """Take the results of trials and resets, and start what is due."""
        self._workers.reap()
        life = self._life
        for job, status in self._jobs.finished():
            # A finite replay would begin at its first picture: it goes on as it is.
            if self._edgetpu.is_back(job, status) and life is not None and self._settings.camera.endless:
                life.makes_way = True
            elif job == RESET_JOB and status == 0:
                self.status.counts.usb_resets += 1
        # A worker that has just been started may come to its first frame: otherwise an Edge TPU that keeps failing
        # would leave no results at all.
        if life is not None and life.makes_way and life.settled and not self._stopping:
            life.watch.stop()
            self._let_go(life, patience_s=_GOING_S)
            self._restarts.at_once(time.monotonic())
        self._edgetpu.look()

    def _regulate(self) -> None:
        life = self._life
        pids = [os.getpid(), *([life.watch.child.pid] if life else [])]
        # What the gate turned away was captured and resized: it is work that the rate decides on.
        if self._regulator.look(pids, self.tally.results + self.status.counts.turned_away) and life is not None:
            life.watch.pace(self._regulator.limit_fps)
            if self._state.serves:
                self._state.works(self._missing(life), computed=False)
                self._announce()
        self.status.load = self._regulator.load

    def _announce(self) -> None:
        """Report the state, and to systemd that the service is ready: it serves, or reports what is missing."""
        self._announcer.set(self._state.state, self._state.why)
        if self._state.exit_status is None:
            self._announcer.ready()

    def _close(self) -> None:
        """Leave nothing behind: no worker, no helper, no socket."""
        # First, so that systemd allows the time that ending takes.
        self._announcer.stopping()
        if self._life is not None:
            self._let_go(self._life, patience_s=0.0)
        self._jobs.close()
        self._announcer.set(self._state.state, self._state.why)
        self._announcer.write()
        self._listener.close()
