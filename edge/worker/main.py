"""Run the worker, the one process that holds camera and accelerator: `python -m edge.worker.main FD PARENT`.

The supervisor starts it, judges it by what it looked at and by its results, and kills it if it hangs. The worker opens
a camera that failed again by itself, because that is cheap. Any other error ends it with a last message, and the
supervisor starts another.
"""

import gc
import logging
import os
import select
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from edge.errors import CameraError, ConfigError, EndOfStream, EngineError, FieldfareError, SpentProcessError
from edge.processes.child import die_with, join_parent
from edge.processes.messages import (
    CLASSIFYING,
    OPENING_EDGETPU,
    Begin,
    Decided,
    Ended,
    Failed,
    Part,
    Pulse,
    SetPace,
    Step,
    Stop,
    Trouble,
    WorkerChannel,
)
from edge.results import FrameCounts
from edge.source_kind import source_kind
from edge.worker.started import started

if TYPE_CHECKING:
    from edge.capture.base import FrameSource
    from edge.config.settings import Settings
    from edge.worker.freshness import FreshnessGuard
    from edge.worker.gate import Gate
    from edge.worker.keeping.keeper import Keeper
    from edge.worker.pipeline import Pipeline
    from edge.worker.showing.shower import Shower
    from edge.worker.threads import Pace, Stages

_log = logging.getLogger(__name__)

# An eighth of the silence that the supervisor allows (4 s): a pulse or two may be late on a busy board.
PULSE_S = 0.5
# The longest wait for a result before orders are read and the pulse is sent.
_POLL_S = 0.1
# A camera that fails with an error is opened again after these seconds; the last value stays.
_AGAIN_S = (0.2, 0.5, 1.0)
# After so long without a frame a new process is tried: a library may keep a wrong state for as long as it is loaded.
_GIVE_UP_S = 30.0
# Libraries come from a slow card.
_LOADING_LIMIT_S = 60.0
# libcamera takes seconds to start on a small Pi.
_CAMERA_LIMIT_S = 15.0
# To list 100,000 pictures on a slow card or a network drive. A replay must not be ended for being slow.
_REPLAY_LIMIT_S = 3600.0


class _Stopped(Exception):  # noqa: N818 - news, not a fault
    """Stop was received."""


def main(gate: "Gate | None" = None) -> NoReturn:
    """Entry point. gate: decides which fresh frames are inferred; None for all."""
    die_with(int(sys.argv[2]))
    channel = WorkerChannel(join_parent())
    last: Ended | Failed
    try:
        last = Worker(channel, gate).run()
    except FieldfareError as error:
        lines = (error.heading, *error.faults) if isinstance(error, ConfigError) and error.faults else ()
        last = Failed(_part(error), _plain(error), error.exit_status, lines=tuple(map(_plain, lines)))
    except Exception as error:  # noqa: BLE001 - whatever it was, the supervisor logs it with its trace
        last = Failed("worker", f"{type(error).__name__}: {_plain(error)}", 1, _plain(traceback.format_exc()))
    with suppress(OSError):  # the supervisor is gone, and nobody else listens
        channel.send(last)
    _leave()


def _leave() -> NoReturn:
    """End the process at once."""
    # Not sys.exit: native destructors, and threads that hang in a driver, would keep the process.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)


def _part(error: FieldfareError) -> Part:
    return "camera" if isinstance(error, CameraError) else "engine" if isinstance(error, EngineError) else "worker"


def _plain(error: object) -> str:
    """Return the error as text that can be sent."""
    # A file name in it may not be UTF-8, and MessagePack takes nothing else.
    return str(error).encode(errors="replace").decode()


class Worker:
    """One worker, from its first message to its last.

    gate: decides which fresh frames are inferred; it outlives a camera that is opened again.
    """

    def __init__(self, channel: WorkerChannel, gate: "Gate | None" = None) -> None:
        self._channel, self._gate = channel, gate
        self._fps: float | None = None
        self._trouble_since_s: float | None = None
        self._tries = 0
        self._freshness: FreshnessGuard | None = None
        self._keeper: Keeper | None = None
        self._shower: Shower | None = None
        # Of the cameras that were closed; those of the open one are added in `_pulse`.
        self._closed_frames = FrameCounts()
        self._pulsed_s = 0.0

    def run(self) -> Ended | Failed:
        """Serve until the end, and return the last message. Raises whatever ends it otherwise."""
        begin = self._wait_for_begin()
        self._fps = begin.fps
        self._step("loading", "worker", _LOADING_LIMIT_S)
        from edge.worker.assemble import build_pipeline, load_libraries, open_with_labels

        settings = begin.settings
        bundle = open_with_labels(settings)
        engine = settings.engine.at(begin.device)
        # A step of its own: loading from a slow card must not use up the time for opening the Edge TPU (10 s).
        load_libraries(engine)
        if engine.device == "cpu" or bundle.edgetpu_model is None:
            self._step("opening the engine", "engine", _LOADING_LIMIT_S)
        else:
            self._step(OPENING_EDGETPU, "engine", engine.start_timeout_s)
        pipeline = build_pipeline(bundle, engine, settings.decision, settings.camera.region, fallback=begin.fallback)
        # Most devices locate nothing, and what that needs takes 10 ms to import.
        if settings.locate.method != "off" or bundle.manifest.cut is not None:
            self._prepare_to_locate(pipeline, settings)
        from edge.worker.freshness import FreshnessGuard

        self._freshness = FreshnessGuard(settings.camera.frozen_s, distrust=begin.distrust)
        if settings.events.store is not None or settings.events.scores is not None:
            # A step of its own, too: another engine may be opened, to compare the two.
            self._step("preparing for events", "worker", _LOADING_LIMIT_S)
            from edge.worker.keeping.opening import open_keeper

            self._keeper = open_keeper(settings, pipeline, self._channel.send)
        if begin.run_dir is not None:
            from edge.worker.showing.shower import Shower

            self._shower = Shower(Path(os.fsdecode(begin.run_dir)), settings.camera.region)
        # What is loaded stays loaded: the garbage collector need not look through it between two frames.
        gc.collect()
        gc.freeze()
        try:
            while True:
                self._serve(begin, pipeline)
        except EndOfStream as end:
            return Ended(str(end))
        except _Stopped:
            return Ended("stopped")
        finally:
            self._close_keeper()

    def _prepare_to_locate(self, pipeline: "Pipeline", settings: "Settings") -> None:
        """Give the pipeline what finds things, if the settings name it, and log how the bundle may not fit that."""
        from edge.worker.locating import doubt_of, open_cutter

        manifest = pipeline.bundle.manifest
        if (doubt := doubt_of(manifest, settings.locate)) is not None:
            _log.warning("%s", doubt)
        if settings.locate.method != "off":
            # A step of its own: a compiled detector opens the Edge TPU, too.
            self._step("preparing to locate", "engine", _LOADING_LIMIT_S)
            pipeline.cutter = open_cutter(manifest, settings)

    def _serve(self, begin: Begin, pipeline: "Pipeline") -> None:
        """Open the camera and classify until it fails; then wait a little, if it is one that may come back."""
        # The last error is part of a reference cycle (error, traceback, frames of the threads) that holds whole
        # pictures, up to 40 MB each, and a steady loop gives the collector little reason to run.
        gc.collect()
        try:
            limit_s = max(_CAMERA_LIMIT_S, 2 * begin.settings.camera.patience_s)
            if source_kind(begin.settings.camera.source) == "replay":
                limit_s = _REPLAY_LIMIT_S
            self._step("opening the camera", "camera", limit_s)
            source = _open_source(begin, pipeline)
            self._channel.send(started(begin, pipeline, source))
            self._classify(source, pipeline, begin)
        except CameraError as error:
            now = time.monotonic()
            if self._trouble_since_s is None:
                self._trouble_since_s, self._tries = now, 0
            # A replay that is opened again would begin at its first picture.
            spent = isinstance(error, SpentProcessError) or not begin.settings.camera.endless
            if spent or now - self._trouble_since_s > _GIVE_UP_S:
                raise
            again_s = _AGAIN_S[min(self._tries, len(_AGAIN_S) - 1)]
            self._tries += 1
            self._channel.send(Trouble(_plain(error), error.exit_status))
            self._idle(again_s)

    def _classify(self, source: "FrameSource", pipeline: "Pipeline", begin: Begin) -> None:
        """Send results and pulses. Raises what ends it: EndOfStream, _Stopped, CameraError or EngineError."""
        from edge.worker.threads import Pace, Stages

        camera, pace = begin.settings.camera, Pace(self._fps)
        tap = None if self._shower is None else self._shower.tap
        stages = Stages(source, pipeline, pace, self._freshness, self._gate, self._keeper, tap)
        try:
            self._step(CLASSIFYING, "camera", float("inf"))
            while True:
                result = stages.next(_POLL_S)
                self._listen(pace)
                self._pulse(stages)
                if result is not None:
                    self._channel.send(Decided(result))
                # While an inference runs it may hold the interpreter lock, and with it the capture thread.
                elif stages.inferring_since_s is None:
                    stages.check(camera.patience_s)
        finally:
            self._step("closing the camera", "camera", _CAMERA_LIMIT_S)
            frames = stages.counts
            self._closed_frames = self._closed_frames.plus(frames)
            if frames.looked_at:
                self._trouble_since_s = None  # it was well for a moment: the tries begin anew
            # Now, in this step: what was looked at before the end must not pass for a sign of life after it.
            self._pulsed_s = 0.0
            self._pulse(None)
            if not stages.close():
                self._leave_hung(sys.exc_info()[1])

    def _leave_hung(self, error: BaseException | None) -> NoReturn:
        """Send the last message and end, because a thread hangs in native code."""
        self._close_keeper()
        # That thread holds the device: this process could not open it again.
        if isinstance(error, (_Stopped, EndOfStream)):
            self._channel.send(Ended(str(error) or "stopped"))
        else:
            why = _plain(error) if isinstance(error, FieldfareError) else ascii(error)
            part = _part(error) if isinstance(error, FieldfareError) else "worker"
            self._channel.send(Failed(part, f"{why} (and a thread hangs in its driver)", CameraError.exit_status))
        _leave()

    def _close_keeper(self) -> None:
        """Send what is kept of frames and not sent yet: before the last message, however the worker ends."""
        if self._keeper is not None:
            with suppress(OSError):  # the supervisor is gone, and nobody else listens
                self._keeper.close()

    def _wait_for_begin(self) -> Begin:
        # The supervisor may still be loading what it needs itself.
        with suppress(ImportError):  # reported when it is needed, with what to do
            import edge.worker.assemble  # noqa: F401
        select.select([self._channel], [], [], _LOADING_LIMIT_S)
        message = self._channel.receive()
        if not isinstance(message, Begin):
            raise EngineError("the worker is started by `fieldfare run`, not by hand")
        return message

    def _listen(self, pace: "Pace | None") -> None:
        """Act on the orders received since the last call."""
        while (message := self._channel.receive()) is not None:
            if isinstance(message, Stop):
                raise _Stopped
            if isinstance(message, SetPace):
                self._fps = message.fps
                if pace is not None:
                    pace.set(message.fps)

    def _pulse(self, stages: "Stages | None") -> None:
        """Send a pulse if it is due."""
        now = time.monotonic()
        if now - self._pulsed_s < PULSE_S:
            return
        self._pulsed_s = now
        if self._keeper is not None:
            self._keeper.pulse(now, quiet=stages is None or stages.inferring_since_s is None)
        if self._shower is not None:
            self._shower.pulse(now, serving=stages is not None)
        if stages is None:
            self._channel.send(Pulse(self._closed_frames))
            return
        inferring, judging = stages.inferring_since_s, stages.judging_since_s
        self._channel.send(
            Pulse(
                self._closed_frames.plus(stages.counts),
                0.0 if inferring is None else now - inferring,
                0.0 if judging is None else now - judging,
            )
        )

    def _idle(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            self._listen(None)
            self._pulse(None)
            time.sleep(min(_POLL_S, left))

    def _step(self, name: str, part: Part, limit_s: float) -> None:
        self._channel.send(Step(name, part, limit_s))


def _open_source(begin: Begin, pipeline: "Pipeline") -> "FrameSource":
    from edge.capture.opening import open_source

    source = open_source(begin.settings.camera, model_size=pipeline.least_size)
    if source.lossless and begin.settings.events.store is not None:
        _log.warning(
            "frames are read as fast as possible, so times and lengths of events follow from this computer's speed: "
            "set a rate, such as fps = 10, with realtime = true; or see the events with fieldfare replay"
        )
    return source


if __name__ == "__main__":
    main()
