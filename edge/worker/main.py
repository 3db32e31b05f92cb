"""The worker: the one process that holds camera and accelerator. `python -m edge.worker.main FD PARENT`, started by
the supervisor, which judges it by its results and kills it where it must.

It tries a camera that fails again by itself, as that is cheap; whatever else goes wrong ends it with a word
to the supervisor, which starts another.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from edge.errors import CameraError, EndOfStream, EngineError, FieldfareError, SpentProcessError
from edge.processes.child import die_with
from edge.processes.messages import (
    CLASSIFYING,
    OPENING_EDGETPU,
    Begin,
    Channel,
    Decided,
    Ended,
    Failed,
    Part,
    Pulse,
    SetPace,
    Started,
    Step,
    Stop,
    Trouble,
)

if TYPE_CHECKING:
    from edge.capture.base import FrameSource
    from edge.worker.freshness import FreshnessGuard
    from edge.worker.pipeline import Pipeline
    from edge.worker.threads import Pace, Stages

_log = logging.getLogger(__name__)

PULSE_S = 0.5
_POLL_S = 0.1
# A camera that fails cleanly is opened again after these seconds; after _GIVE_UP_S of that a fresh process is due.
_AGAIN_S = (0.2, 0.5, 1.0)
_GIVE_UP_S = 30.0
# Libraries from a slow card; libcamera takes seconds to start on a small Pi.
_LOADING_LIMIT_S = 60.0
_CAMERA_LIMIT_S = 15.0


class _Stopped(Exception):  # noqa: N818 - news, not a fault
    """The supervisor said stop."""


def main() -> NoReturn:
    """Entry point."""
    die_with(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the supervisor says stop, or kills
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    channel = Channel(socket.socket(fileno=int(sys.argv[1])), at_worker=True)
    last: Ended | Failed
    try:
        last = Worker(channel).run()
    except FieldfareError as error:
        last = Failed(_part(error), _plain(error), error.exit_status)
    except Exception as error:  # noqa: BLE001 - the supervisor shall know whatever it was
        last = Failed("worker", f"{type(error).__name__}: {_plain(error)}", 1, _plain(traceback.format_exc()))
    with suppress(OSError):  # the supervisor is gone: nobody is left to tell
        channel.send(last)
    _leave()


def _leave() -> NoReturn:
    """Not sys.exit: native destructors, and threads that hang in a driver, would keep the process."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)


def _part(error: FieldfareError) -> Part:
    return "camera" if isinstance(error, CameraError) else "engine" if isinstance(error, EngineError) else "worker"


def _plain(error: object) -> str:
    """As text that can be sent: a file name in it may be no UTF-8."""
    return str(error).encode(errors="replace").decode()


class Worker:
    """One life of the worker."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._fps: float | None = None
        self._trouble_since_s: float | None = None
        self._tries = 0
        self._freshness: FreshnessGuard | None = None
        self._captured = self._dropped = 0
        self._pulsed_s = 0.0

    def run(self) -> Ended | Failed:
        """From the first message to the last. Raises whatever ends it."""
        begin = self._wait_for_begin()
        self._fps = begin.fps
        self._step("loading", "worker", _LOADING_LIMIT_S)
        from edge.bundle.store import open_bundle
        from edge.worker.assemble import build_pipeline, load_libraries

        settings = begin.settings
        bundle = open_bundle(settings.bundle)
        engine = settings.engine.at(begin.device)
        load_libraries(engine)
        if engine.device == "cpu" or bundle.edgetpu_model is None:
            self._step("opening the engine", "engine", _LOADING_LIMIT_S)
        else:
            self._step(OPENING_EDGETPU, "engine", engine.start_timeout_s)
        pipeline = build_pipeline(bundle, engine, settings.decision, settings.camera.region)
        pipeline.fallback = begin.fallback or pipeline.fallback
        from edge.worker.freshness import FreshnessGuard

        self._freshness = FreshnessGuard(settings.camera.frozen_s, distrust=begin.distrust)
        # What is loaded stays: nothing for the garbage collector to look through between two frames.
        gc.collect()
        gc.freeze()
        try:
            while True:
                self._serve(begin, pipeline)
        except EndOfStream as end:
            return Ended(str(end))
        except _Stopped:
            return Ended("told to stop")

    def _serve(self, begin: Begin, pipeline: "Pipeline") -> None:
        """Open the camera and classify until it fails; then wait a little, if it is one that may come back."""
        # What failed last lies in a circle (error, traceback, frames of the threads) with whole frames in it, and a
        # steady loop leaves the collector little reason to come by.
        gc.collect()
        try:
            limit_s = max(_CAMERA_LIMIT_S, 2 * begin.settings.camera.patience_s)
            self._step("opening the camera", "camera", limit_s)
            source = _open_source(begin, pipeline)
            self._channel.send(_started(begin, pipeline, source))
            self._classify(source, pipeline, begin)
        except CameraError as error:
            now = time.monotonic()
            if self._trouble_since_s is None:
                self._trouble_since_s, self._tries = now, 0
            spent = isinstance(error, SpentProcessError) or not begin.settings.camera.endless
            if spent or now - self._trouble_since_s > _GIVE_UP_S:
                raise
            again_s = _AGAIN_S[min(self._tries, len(_AGAIN_S) - 1)]
            self._tries += 1
            self._channel.send(Trouble(_plain(error), error.exit_status, again_s))
            self._idle(again_s)

    def _classify(self, source: "FrameSource", pipeline: "Pipeline", begin: Begin) -> None:
        """Send results and pulses. Raises what ends it: EndOfStream, _Stopped, CameraError, EngineError."""
        from edge.worker.threads import Pace, Stages

        camera, pace = begin.settings.camera, Pace(self._fps)
        stages = Stages(source, pipeline, pace, self._freshness)
        try:
            self._step(CLASSIFYING, "camera", float("inf"))
            while True:
                result = stages.next(_POLL_S)
                self._listen(pace)
                self._pulse(stages)
                if result is not None:
                    self._channel.send(Decided(result))
                    self._trouble_since_s = None
                elif stages.inferring_since_s is None:
                    stages.check(camera.patience_s)
        finally:
            self._step("closing the camera", "camera", _CAMERA_LIMIT_S)
            self._captured, self._dropped = self._captured + stages.captured, self._dropped + stages.dropped
            if not stages.close():
                self._leave_hung(sys.exc_info()[1])

    def _leave_hung(self, error: BaseException | None) -> NoReturn:
        """A thread hangs in native code: this process cannot open the device again."""
        if isinstance(error, (_Stopped, EndOfStream)):
            self._channel.send(Ended(str(error) or "told to stop"))
        else:
            why = _plain(error) if isinstance(error, FieldfareError) else ascii(error)
            part = _part(error) if isinstance(error, FieldfareError) else "worker"
            self._channel.send(Failed(part, f"{why} (and a thread hangs in its driver)", CameraError.exit_status))
        _leave()

    def _wait_for_begin(self) -> Begin:
        select.select([self._channel], [], [], _LOADING_LIMIT_S)
        message = self._channel.receive()
        if not isinstance(message, Begin):
            raise EngineError("the worker is started by `fieldfare run`, not by hand")
        return message

    def _listen(self, pace: "Pace | None") -> None:
        """Obey what the supervisor said since the last time."""
        while (message := self._channel.receive()) is not None:
            if isinstance(message, Stop):
                raise _Stopped
            if isinstance(message, SetPace):
                self._fps = message.fps
                if pace is not None:
                    pace.set(message.fps)

    def _pulse(self, stages: "Stages | None") -> None:
        now = time.monotonic()
        if now - self._pulsed_s < PULSE_S:
            return
        self._pulsed_s = now
        captured, dropped, since = self._captured, self._dropped, None
        if stages is not None:
            captured, dropped, since = captured + stages.captured, dropped + stages.dropped, stages.inferring_since_s
        repeated = self._freshness.repeated if self._freshness else 0
        self._channel.send(Pulse(captured, dropped, repeated, 0.0 if since is None else now - since))

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

    return open_source(begin.settings.camera, model_size=pipeline.least_size)


def _started(begin: Begin, pipeline: "Pipeline", source: "FrameSource") -> Started:
    bundle, engine = pipeline.bundle, pipeline.classifier.engine
    if pipeline.on_edgetpu:
        accelerator = "in use"
    elif begin.device != "cpu" and bundle.edgetpu_model is not None:
        accelerator = "refused"
    else:
        accelerator = "none"
    return Started(
        bundle.bundle_id,
        bundle.manifest.name,
        len(bundle.labels),
        engine,
        source.description,
        not source.lossless,
        accelerator,  # type: ignore[arg-type]
        pipeline.fallback,
    )


if __name__ == "__main__":
    main()
