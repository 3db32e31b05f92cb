"""The supervisor: start the worker, judge it, and do what edge.supervision.recovery decides when it fails.

It touches neither camera nor accelerator, holds no frame, and imports neither NumPy nor OpenCV nor a runtime:
whatever these do to their process, this one stays.
"""

import logging
import os
import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.config import Settings
from edge.errors import ConfigError, DataError, MissingInputError, MissingPackageError, UnavailableError
from edge.processes.messages import Begin, Decided, Ended, Started, Trouble
from edge.processes.side_jobs import SideJobs
from edge.processes.usb import RESET_JOB, camera_node, start_reset
from edge.sinks.base import Sink
from edge.source_kind import source_kind
from edge.supervision.announcer import Announcer
from edge.supervision.counting import Counting
from edge.supervision.edgetpu_watch import AcceleratorWatch
from edge.supervision.reboot import RebootHook
from edge.supervision.recovery import Reboots, Restarts, UsbResets
from edge.supervision.regulator import Regulator
from edge.supervision.result_watch import Silence
from edge.supervision.status import Seen, StatusFile, begin
from edge.supervision.systemd import SystemdNotifier
from edge.supervision.throughput import Tally
from edge.supervision.worker_watch import Fault, WorkerWatch

_log = logging.getLogger(__name__)

_TICK_S = 0.25
# Later than this, and we were held up ourselves: stopped, frozen with the machine, waiting for a reader.
_HELD_UP_S = 1.0
_STOP_S = 3.0
# Each holds its memory for good; what hung two of them in the kernel would hang a third.
_MAX_UNKILLABLE = 2
# Statuses of faults that no repetition mends.
HOPELESS = frozenset(kind.exit_status for kind in (DataError, MissingInputError, MissingPackageError, ConfigError))
# Without --service, a program that never gave a result gives up after so many starts.
_TRIES_BY_HAND = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Folders of this instance, None where there is none: `run` in memory, `state` on disk."""

    run: Path | None
    state: Path | None


class Supervisor:
    """Runs one camera until it is stopped, the source ends, or nothing can help.

    service: keep trying where a first start fails for want of a camera; without it that ends the program.
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
    ) -> None:
        self.status = begin()
        self.tally = Tally()
        self.complaint: str | None = None
        self._settings, self._sinks, self._service = settings, sinks, service
        self._max_frames = max_frames
        status_file = StatusFile(place.run / "status.json" if place.run else None)
        self._told = Announcer(self.status, self.tally, status_file, notifier)
        self._reboots = Reboots(settings.recovery)
        self._hook = (
            RebootHook(place.state, place.run, settings.recovery.reboots_a_day) if place.run and place.state else None
        )
        if settings.recovery.reboot_after_min is not None and self._hook is None:
            _log.warning("recovery.reboot_after_min: no reboot can be asked for: this is not run by systemd")
        self._restarts = Restarts()
        self._camera_resets = UsbResets(settings.recovery.usb_reset)
        self._regulator = Regulator(settings.load, settings.camera.fps)
        self._worker: WorkerWatch | None = None
        self._started: Started | None = None
        self._settled = False  # it gave a result, or said that it waits for its camera
        self._takes_over = False  # the Edge TPU is back: the next worker shall have it
        self._unkillable: list[WorkerWatch] = []
        self._jobs = SideJobs()
        self._accelerator = AcceleratorWatch(settings, self._jobs, self.status.counts)
        self._next_start_s = time.monotonic()
        self._cannot_start = 0  # times in a row
        self._silence = Silence(settings)
        self._counting = Counting(self.status)
        self._last_trouble: str | None = None
        self._camera_failed = False
        self._exit: int | None = None
        self._stopping = False
        self._selector = selectors.DefaultSelector()
        self._wake, self._wake_in = socket.socketpair()
        self._wake.settimeout(0)
        self._selector.register(self._wake, selectors.EVENT_READ, self._woken)

    def stop(self) -> None:
        """End soon, with status 0."""
        self._stopping = True
        with suppress(OSError):  # it has ended already
            self._wake_in.send(b"x")

    def run(self) -> int:
        """Until the end; the exit status. `complaint` then says why it is not 0. Raises StorageError and
        BrokenPipeError of a sink that cannot go on."""
        try:
            next_tick_s, awake_s = 0.0, time.monotonic()
            while self._exit is None:
                ready = self._selector.select(max(0.0, next_tick_s - time.monotonic()))
                away_s, awake_s = time.monotonic() - awake_s - _TICK_S, time.monotonic()
                if away_s > _HELD_UP_S:
                    self._held_up(away_s)
                for key, _ in ready:
                    key.data()
                if self._stopping and self._worker is None:
                    self._exit = 0
                if (now := time.monotonic()) >= next_tick_s or self._worker is None:
                    next_tick_s = now + _TICK_S
                    self._tick(now)
        finally:
            self._close()
        return self._exit

    def _held_up(self, away_s: float) -> None:
        """For so long nothing was heard or judged here: that is not the worker's fault."""
        _log.log(logging.INFO if away_s > 10 else logging.DEBUG, "held up for %.1f s", away_s)
        self._silence.excuse(away_s)
        if self._worker is not None:
            self._worker.excuse(away_s)
            self._hear()

    def _tick(self, now: float) -> None:
        if self._worker is None and self._exit is None and not self._stopping and now >= self._next_start_s:
            self._start_worker()
        if self._worker is not None:
            if self._stopping:
                self._say_stop()
            else:
                verdict = self._worker.verdict() or self._silence.fault(now, self._regulator.limit_fps)
                if verdict is not None:
                    self._ended(verdict)
        self._mind_jobs()
        self._escalate(now)
        self._regulate()
        self._told.alive()
        self._told.refresh(now)

    # --- the worker ---

    def _start_worker(self) -> None:
        if len(self._unkillable) >= _MAX_UNKILLABLE:
            self._told.set("recovering", f"{len(self._unkillable)} workers hang in a driver: only a reboot helps")
            return
        order = Begin(
            self._settings,
            self._accelerator.device,
            self._accelerator.missing,
            self._regulator.limit_fps,
            distrust=self._camera_failed,
        )
        try:
            self._worker = WorkerWatch(order, os.getpid())
        except OSError as error:
            delay_s = self._restarts.failed()
            self._next_start_s = time.monotonic() + max(1.0, delay_s)
            self._cannot_start += 1
            if not self._service and self._cannot_start >= _TRIES_BY_HAND:
                self._fail(f"no worker could be started: {error}", UnavailableError.exit_status)
                return
            self._told.set("recovering", f"no worker could be started: {error}")
            self._told.ready()
            return
        self._cannot_start = 0
        self._started = None
        self._settled = self._takes_over = False
        self._silence.worker_begins()
        self.status.counts.worker_starts += 1
        self.status.worker_pid = self._worker.child.pid
        self._selector.register(self._worker.channel, selectors.EVENT_READ, self._hear)
        self._selector.register(self._worker.child.stderr, selectors.EVENT_READ, self._relay)

    def _hear(self) -> None:
        worker = self._worker
        if worker is None:
            return
        for message in worker.messages():
            if isinstance(message, Decided):
                self._publish(message)
            elif isinstance(message, Started):
                self._note_start(message)
            elif isinstance(message, Trouble):
                self._trouble(message)
        self._counting.frames(worker.pulse)
        if (verdict := worker.verdict()) is not None:
            self._ended(verdict)

    def _relay(self) -> None:
        if self._worker is not None and not self._worker.child.relay():
            self._selector.unregister(self._worker.child.stderr)

    def _note_start(self, started: Started) -> None:
        known = self.status.bundle == started.bundle
        self._started = started
        self._silence.worker_serves()
        status = self.status
        status.bundle, status.bundle_name, status.engine, status.source = (
            started.bundle,
            started.name,
            started.engine,
            started.source,
        )
        _log.log(
            logging.DEBUG if known and started.accelerator == "none" else logging.INFO,
            "bundle %s (%s, %d classes), %s, %s",
            started.bundle,
            started.name,
            started.classes,
            started.engine,
            started.source,
        )
        if started.accelerator == "refused":
            self._accelerator.refused(started.fallback or "refused")

    def _publish(self, message: Decided) -> None:
        if self._has_enough():
            return
        result, now = message.result, time.monotonic()
        live = self._started is not None and self._started.live
        if live and self._silence.too_old(now - result.captured_mono_s):
            self.status.counts.stale += 1
            return
        self.tally.add(result)
        self._restarts.result(now)
        self._settled = True
        if self._started is not None and self._started.accelerator == "in use":
            self._accelerator.result(now)
        self.status.counts.results += 1
        self.status.last = Seen(result.label, result.score, result.captured_wall_s)
        for sink in self._sinks:
            sink.write(result)
        self._silence.broken()
        self._last_trouble, self._camera_failed = None, False
        self._judge_state()
        self._told.ready()
        if self._has_enough():
            _log.info("as many frames as asked for")
            self.stop()

    def _has_enough(self) -> bool:
        return self._max_frames is not None and self.tally.results >= self._max_frames

    def _judge_state(self) -> None:
        """Results come: as asked for, or not quite?"""
        fallback = self._accelerator.missing or (self._started.fallback if self._started else None)
        missing = [text for text in (fallback, self._regulator.reason) if text]
        self._told.set("degraded" if missing else "running", "; ".join(missing) or "as the settings ask")

    def _trouble(self, trouble: Trouble) -> None:
        self._counting.camera_fault()
        if self._is_hopeless(trouble.status) or self._unproven:
            self._fail(trouble.why, trouble.status)
            return
        _log.log(logging.DEBUG if trouble.why == self._last_trouble else logging.WARNING, "%s", trouble.why)
        self._last_trouble = trouble.why
        self._settled = True
        self._silence.explained()
        self._told.set("recovering", trouble.why)
        self._told.ready()

    @property
    def _unproven(self) -> bool:
        """Started by hand, and no result yet: a camera that fails now is most likely mistyped."""
        return not self._service and not self.tally.results

    def _is_hopeless(self, status: int) -> bool:
        """A service waits for a file that is missing: the card or the stick that holds it may come back. And what has
        worked in this life may be in the middle of being replaced: half a bundle is a damaged one."""
        waits = self._service and (status == MissingInputError.exit_status or self.tally.results > 0)
        return status in HOPELESS and not waits

    def _ended(self, end: Fault | Ended) -> None:
        worker = self._worker
        assert worker is not None
        self._let_go(worker, patience_s=1.0 if isinstance(end, Ended) or end.kind == "error" else 0.0)
        if isinstance(end, Ended) or self._stopping:
            if isinstance(end, Ended):
                _log.info("%s", end.why)
            self._exit = 0
            return
        self._counting.fault(end)
        once_more = end.kind != "error" and self.status.counts.worker_starts < _TRIES_BY_HAND
        gives_up = self._unproven and not once_more
        if self._is_hopeless(end.status) or not self._settings.camera.endless or gives_up:
            self._fail(end.why, end.status)
            return
        self._accelerator.blame(worker, self._started, end)
        self._camera_failed = self._camera_failed or end.part == "camera" or end.kind == "crash"
        self._next_start_s = time.monotonic() + self._restarts.failed()
        tail = f" (last words: {worker.child.tail[-1]})" if end.kind == "crash" and worker.child.tail else ""
        known = end.why == self._last_trouble
        self._last_trouble = end.why
        _log.log(logging.DEBUG if known else logging.WARNING, "%s%s; starting another worker", end.why, tail)
        self._told.set("recovering", end.why)
        self._told.ready()

    def _let_go(self, worker: WorkerWatch, *, patience_s: float) -> None:
        self._counting.worker_ends(worker.pulse)
        for end in (worker.channel, worker.child.stderr):
            if end in self._selector.get_map():
                self._selector.unregister(end)
        if not worker.end(patience_s):
            _log.error("worker %d cannot be killed: it hangs in a driver", worker.child.pid)
            self._unkillable.append(worker)
        self._worker = None
        self.status.worker_pid = None

    def _say_stop(self) -> None:
        """Let the worker end by itself, but not for ever."""
        worker = self._worker
        assert worker is not None
        worker.stop()
        ends_s = time.monotonic() + _STOP_S
        while self._worker is not None and time.monotonic() < ends_s:
            for key, _ in self._selector.select(0.1):
                key.data()
        if self._worker is not None:
            self._let_go(self._worker, patience_s=0.0)
        self._exit = 0

    # --- beside the worker ---

    def _mind_jobs(self) -> None:
        """Probes and resets under way; and what even SIGKILL left behind."""
        self._unkillable = [worker for worker in self._unkillable if worker.child.exit_status() is None]
        for job, status in self._jobs.finished():
            if self._accelerator.is_back(job, status):
                # A finite replay would begin at its first frame: it goes on as it is.
                self._takes_over = self._settings.camera.endless
            elif job == RESET_JOB and status == 0:
                self.status.counts.usb_resets += 1
        # A worker that has just been started is let come to its first result: else an Edge TPU that keeps failing would
        # leave none.
        if self._takes_over and self._settled and self._worker is not None and not self._stopping:
            self._worker.stop()
            self._let_go(self._worker, patience_s=1.0)
            self._next_start_s = time.monotonic()
        self._accelerator.look()

    def _escalate(self, now: float) -> None:
        """No result for long: what is above a new worker."""
        if self.status.state != "recovering":
            return
        silent_s, source = self._silence.seconds(now), self._settings.camera.source
        if source_kind(source) == "v4l2" and self._camera_resets.due(silent_s, now):
            node = camera_node(source)
            if node is not None:
                start_reset(self._jobs, "the camera", node)
        if self._reboots.due(silent_s, now) and self._hook is not None and self._hook.ask(self.status.why):
            self.status.counts.reboots_asked += 1

    def _regulate(self) -> None:
        pids = [os.getpid(), *([self._worker.child.pid] if self._worker else [])]
        if self._regulator.look(pids, self.tally.results):
            if self._worker is not None:
                self._worker.pace(self._regulator.limit_fps)
            if self.status.state in ("running", "degraded"):
                self._judge_state()
        self.status.load = self._regulator.load

    # --- the end ---

    def _fail(self, why: str, status: int) -> None:
        self.complaint, self._exit = why, status
        self._told.set("failed", why)

    def _woken(self) -> None:
        self._wake.recv(64)

    def _close(self) -> None:
        """Leave nothing behind: no worker, no helper, no socket."""
        self._told.stopping()
        if self._worker is not None:
            self._let_go(self._worker, patience_s=0.0)
        self._jobs.close()
        if self._exit == 0:
            self._told.set("stopped", "ended")
        self._told.write()
        self._selector.close()
        self._wake.close()
        self._wake_in.close()
