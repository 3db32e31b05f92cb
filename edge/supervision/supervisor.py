"""Run the supervisor: start the worker, judge it, and do what edge.supervision.recovery decides when it fails.

It touches neither camera nor accelerator, holds no frame, and imports neither NumPy nor OpenCV nor a runtime:
whatever these do to their process, this one stays.
"""

import logging
import os
import time
from collections.abc import Sequence

from edge.config.settings import Settings
from edge.processes.messages import Begin, Ended
from edge.processes.usb import RESET_JOB
from edge.processes.worker_process import StartWorker, start_worker
from edge.sinks.base import Sink
from edge.supervision.changing.changes import Changes, changes_of
from edge.supervision.changing.reload import Reload, Sound, applied, refusal
from edge.supervision.intake import Intake
from edge.supervision.load.sleep import Sleep
from edge.supervision.parts import Helpers, Renewal, build_parts
from edge.supervision.recovery import Fault
from edge.supervision.status import Reloaded
from edge.supervision.systemd import Place, SystemdNotifier
from edge.supervision.throughput import Tally
from edge.supervision.worker_watch import Life, Workers

_log = logging.getLogger(__name__)

# How often the worker is judged. Its shortest limit is half a second (engine.timeout_s).
_TICK_S = 0.25
# While the camera sleeps there is no worker to judge, and the processor must rest.
_ASLEEP_TICK_S = 1.0
# Later than this, and this process was held up itself: stopped, frozen with the machine, waiting for a reader.
_HELD_UP_S = 1.0
# A worker that reported an error or its end is about to go, and gives its device back properly.
_GOING_S = 1.0


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
        sleep: Sleep | None = None,
        start: StartWorker = start_worker,
        helpers: Helpers | None = None,
        renewal: Renewal | None = None,
    ) -> None:
        """Start nothing yet.

        service: keep trying if a first start fails because there is no camera; without it that ends the program.
        max_frames: end after so many results.
        sleep: when the camera sleeps, None for never. A replay never does: it would begin at its first picture.
        start: starts the process of a worker. helpers: start those beside it; None: the recorder's only.
        renewal: for settings that are read again; None: they cannot be.
        """
        self._parts = parts = build_parts(
            settings,
            sinks,
            notifier,
            place,
            service=service,
            max_frames=max_frames,
            sleep=sleep,
            helpers=helpers or Helpers(),
        )
        self.status = parts.status
        self._state = parts.state
        self._intake = Intake(parts)
        self._renewal = renewal
        self._reload = Reload(renewal.request if renewal is not None else None, parts.jobs)
        self._workers = Workers(start, parts.listener, self._receive)
        self._stopping = False
        self._slept_s = 0.0  # when the camera was put to sleep

    @property
    def tally(self) -> Tally:
        """What was published since the program started."""
        return self._parts.publisher.tally

    @property
    def complaint(self) -> str | None:
        """Why the exit status is not 0, a line for each fault; None if it is."""
        return self._state.complaint

    def stop(self) -> None:
        """End soon, with status 0."""
        self._stopping = True
        self._parts.listener.wake()

    def reload(self) -> None:
        """Read the settings again soon, and apply them if they are sound; may be called from a signal handler."""
        self._reload.order()
        self._parts.listener.wake()

    def run(self) -> int:
        """Run until the end; return the exit status. Raises StorageError and BrokenPipeError of a sink that cannot go
        on."""
        try:
            next_tick_s, tick_s, awake_s = 0.0, _TICK_S, time.monotonic()
            while self._state.exit_status is None:
                ready = self._parts.listener.wait(max(0.0, next_tick_s - time.monotonic()))
                away_s, awake_s = time.monotonic() - awake_s - tick_s, time.monotonic()
                # Before anything is judged: a deadline that passed in the pause is nobody's fault.
                if away_s > _HELD_UP_S:
                    self._held_up(away_s)
                for callback in ready:
                    callback()
                if self._stopping and self._life is None:
                    self._state.ends()
                if (now := time.monotonic()) >= next_tick_s or self._life is None:
                    self._tick(now)
                    tick_s = _ASLEEP_TICK_S if self._state.state == "asleep" else _TICK_S
                    next_tick_s = now + tick_s
        finally:
            self._close()
        return self._state.exit_status

    @property
    def _life(self) -> Life | None:
        return self._workers.life

    def _tick(self, now: float) -> None:
        """Do the regular work, in the order of the ladder in docs/recovery.md."""
        parts = self._parts
        self._mind_sleep(now)
        if self._reload.begins():
            parts.announcer.reloading()
        if self._may_start and parts.restarts.is_due(now):
            self._start_worker()
        if self._life is not None and self._stopping:
            self._stop_worker(self._life)
        elif self._life is not None:
            verdict = self._life.watch.verdict() or parts.life_watch.fault(now, parts.regulator.limit_fps)
            if verdict is not None:
                self._ended(self._life, verdict)
        self._mind_jobs()
        if self._state.state == "recovering":
            parts.escalation.look(parts.life_watch.seconds(now), now, self._state.why)
        parts.tick(now)
        self._regulate()
        if self._life is not None:
            self._intake.refresh(self._life)
        none_wanted = self._life is None and (self._workers.are_stuck or not self._may_start)
        parts.feed(self._life, now, rests=none_wanted)
        parts.announcer.refresh(now)

    def _held_up(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which nothing was received or judged."""
        _log.log(logging.INFO if away_s > 10 else logging.DEBUG, "held up for %.1f s", away_s)
        self._parts.excuse(away_s)
        if self._life is not None:
            self._life.watch.excuse(away_s)
            self._receive()

    # --- the worker begins and serves ---

    @property
    def _may_start(self) -> bool:
        ends = self._stopping or self._state.exit_status is not None
        return self._life is None and not ends and self._state.state != "asleep"

    def _start_worker(self) -> None:
        parts = self._parts
        if self._workers.are_stuck:
            hang = len(self._workers.unkillable)
            self._state.recovers(f"{hang} workers hang in a driver: only a reboot helps")
            parts.announce()
            return
        device, fallback, fps = parts.edgetpu.device, parts.edgetpu.missing, parts.regulator.limit_fps
        run_dir = None if parts.place.run is None else os.fsencode(parts.place.run)
        distrust = self._intake.distrust
        order = Begin(parts.settings, device, fallback, fps, distrust=distrust, run_dir=run_dir)
        try:
            life = self._workers.begin(self._state.starts + 1, order)
        except OSError as error:
            # No memory, or too many processes: that takes a second to change, even for the first try again.
            parts.restarts.failed(time.monotonic(), at_least_s=1.0)
            self._state.worker_refused(f"no worker could be started: {error}")
            parts.announce()
            return
        self._state.worker_starts()
        parts.life_watch.worker_begins()
        parts.counting.frames(life.number, life.watch.pulse.frames)
        self.status.counts.worker_starts = life.number
        self.status.worker_pid = life.watch.child.pid

    def _receive(self) -> None:
        life = self._life
        if life is None:
            return
        for message, files in life.watch.messages():
            self._intake.take(life, message, files)
        if not self._stopping and self._parts.publisher.has_enough():
            self.stop()
        if (verdict := life.watch.verdict()) is not None:
            self._ended(life, verdict)

    # --- the worker ends ---

    def _ended(self, life: Life, end: Fault | Ended) -> None:
        # A worker that hangs or crashed is killed without a wait: it holds the camera that the next one needs.
        is_going = isinstance(end, Ended) or end.kind == "error"
        self._let_go(life, patience_s=_GOING_S if is_going else 0.0)
        if isinstance(end, Ended) and not life.dismissed:
            _log.info("%s", end.why)
        if self._stopping or (isinstance(end, Ended) and not life.dismissed):
            self._state.ends()
        elif not life.dismissed and not isinstance(end, Ended):
            self._failed(life, end)

    def _failed(self, life: Life, fault: Fault) -> None:
        parts = self._parts
        parts.counting.fault(fault, recovering=self._state.state == "recovering")
        self._state.worker_fails(fault)
        if self._state.exit_status is None:
            parts.edgetpu.blame(life, fault)
            if fault.may_be_engine:
                self._intake.engine_fault = fault.why
            self._intake.distrust |= fault.part == "camera" or fault.kind == "crash"
            parts.restarts.failed(time.monotonic())
            tail = life.watch.child.tail
            words = f" (last words: {tail[-1]})" if fault.kind == "crash" and tail else ""
            parts.announcer.fault(fault.why, f"{words}; starting another worker")
        parts.announce()

    def _stop_worker(self, life: Life) -> None:
        """Let the worker end by itself, but not for ever, and the service with it."""
        self._workers.stop(life)
        if self._life is not None:
            self._let_go(life, patience_s=0.0)
        self._state.ends()

    def _dismiss(self, life: Life) -> None:
        """Let the worker end by itself, but not for ever. The service goes on."""
        life.dismissed = True
        self._workers.stop(life)
        if self._life is not None:
            self._let_go(life, patience_s=0.0)

    def _let_go(self, life: Life, *, patience_s: float) -> None:
        self._workers.end(life, patience_s=patience_s)
        self._parts.company.worker_ended()
        self.status.worker_pid = None

    # --- beside the worker ---

    def _mind_sleep(self, now: float) -> None:
        """Put the camera to sleep, by the schedule or for a rest, or wake it up."""
        if self._stopping:
            return
        why = self._parts.why_asleep(now, working=self._life is not None)
        if why is not None:
            self._put_to_sleep(why, now)
        elif self._state.state == "asleep":
            # Nothing was looked at meanwhile, which must not count as a camera that is missing.
            self._parts.life_watch.excuse(now - self._slept_s)
            self._parts.restarts.at_once(now)
            self._state.wakes()
            self._parts.announce()

    def _put_to_sleep(self, why: str, now: float) -> None:
        if self._life is not None:
            self._dismiss(self._life)
        if self._state.state != "asleep":
            self._slept_s = now
        reason = self._parts.company.reason
        self._state.sleeps(f"{why}; {reason}" if reason else why)
        self._parts.announce()

    def _mind_jobs(self) -> None:
        """Take the results of trials and resets, and start what is due."""
        self._workers.reap()
        for job, status in self._parts.jobs.finished():
            parts, life = self._parts, self._life
            if (outcome := self._reload.outcome(job, status)) is not None:
                self._conclude_reload(outcome)
            # A finite replay would begin at its first picture: it goes on as it is.
            elif parts.edgetpu.is_back(job, status) and life is not None and parts.settings.camera.endless:
                life.makes_way = True
            elif job == RESET_JOB and status == 0:
                self.status.counts.usb_resets += 1
            parts.rest.ended(job, status)
        parts, life = self._parts, self._life
        # A worker that has just been started may come to its first frame: otherwise an Edge TPU that keeps failing
        # would leave no results at all.
        if life is not None and life.makes_way and life.settled and not self._stopping:
            self._dismiss(life)
            parts.restarts.at_once(time.monotonic())
        if self._state.state != "asleep":
            parts.edgetpu.look()

    def _conclude_reload(self, outcome: Sound | Reloaded) -> None:
        """Apply settings that are sound, and report what came of the reload."""
        if isinstance(outcome, Sound):
            parts, new = self._parts, outcome.settings
            changes = changes_of(parts.settings, new, bundle=outcome.bundle != self.status.bundle)
            outcome = refusal(parts.settings, new) or applied(changes.words)
            if outcome.applied and changes.any and self._renewal is not None:
                self._apply(new, changes, self._renewal)
        self._parts.announcer.reloaded(outcome)

    def _apply(self, settings: Settings, changes: Changes, renewal: Renewal) -> None:
        """Put other settings to work. A worker that they concern ends its events first, and another one is started."""
        if changes.worker:
            if self._life is not None:
                self._dismiss(self._life)
            self._parts.restarts.at_once(time.monotonic())
            self._intake.engine_fault = None
        self._parts = parts = self._parts.renewed(settings, changes, renewal)
        self._intake.use(parts)
        if self._life is not None:
            self._life.watch.pace(parts.regulator.limit_fps)

    def _regulate(self) -> None:
        parts, life = self._parts, self._life
        pids = [os.getpid(), *([life.watch.child.pid] if life else [])]
        # What the gate turned away was captured and resized: it is work that the rate decides on.
        if parts.regulator.look(pids, self.tally.results + self.status.counts.turned_away) and life is not None:
            life.watch.pace(parts.regulator.limit_fps)
        self.status.load = parts.regulator.load

    def _close(self) -> None:
        """Leave nothing behind: no worker, no helper, no socket."""
        parts = self._parts
        # First, so that systemd allows the time that ending takes.
        parts.announcer.stopping()
        if self._life is not None:
            self._let_go(self._life, patience_s=0.0)
        if (unkept := parts.company.close()) is not None and not self._state.loses(unkept):
            _log.error("%s", unkept)  # else it is the complaint
        if parts.power is not None:
            parts.power.close()
        parts.jobs.close()
        self._reload.close()
        parts.announcer.set(self._state.state, self._state.why)
        parts.announcer.write()
        parts.listener.close()
