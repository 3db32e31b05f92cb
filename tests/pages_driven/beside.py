"""In the place of a service beside the pages: its status, and the pictures that they request, made by its own means."""

import logging
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge.events.records import ClockQuality
from edge.processes.logs import PROBLEMS, ProblemLog
from edge.records import Frame
from edge.results import Candidate, Latency, Other, Result
from edge.supervision.status import EventStatus, LoadStatus, Seen, StatusFile, begin
from edge.worker.showing.shower import Shower

LABEL, SCORE = "fox", 0.917
_BOX, _OTHER = (0.1, 0.2, 0.25, 0.4), (0.6, 0.5, 0.2, 0.3)
_REGION = (0.0, 0.0, 1.0, 0.9)
_EVERY_S, _STATUS_S = 0.1, 1.0
_HEIGHT, _WIDTH = 720, 1280


class Service:
    """A service that a test drives. run: its folder, made here. Used as a context: it serves in the block.

    frozen: the camera gives no frames any more. Whoever looks then sees the last picture until it is stale.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        run.mkdir(parents=True)
        self.frozen = False
        self._status, self._file = begin(), StatusFile(run / "status.json")
        self._shower, self._ended = Shower(run, _REGION), threading.Event()
        self._thread = threading.Thread(target=self._serve, name="service beside")
        self._number, self._written_s, self._lock = 0, -float("inf"), threading.Lock()
        clock: ClockQuality = "ntp"
        self.be(
            state="running",
            why="as in the settings",
            engine="edgetpu",
            source="picamera2",
            bundle="0123456789ab",
            bundle_name="animals",
            fps=9.8,
            looked_at_fps=9.9,
            last=Seen(LABEL, SCORE, time.time(), 20.4),
            clock=clock,
            load=LoadStatus(temperature_c=48.2, cpu_percent=37.0),
            events=EventStatus(heard=3, stored=60, written_bytes=1_200_000, pictures_mb=3.2),
        )

    def be(self, **fields: Any) -> None:
        """Show another status."""
        with self._lock:
            for name, value in fields.items():
                setattr(self._status, name, value)
            self._file.write(self._status)
            self._written_s = time.monotonic()

    def warn(self, words: str) -> None:
        """Have a problem."""
        record = logging.LogRecord("edge", logging.WARNING, __file__, 0, words, None, None)
        ProblemLog(self.run / PROBLEMS).handle(record)

    def __enter__(self) -> "Service":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def vanish(self) -> None:
        """End as one that was killed: the last status says that it runs, by a process that is not there."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self.be(pid=_nobody())

    def _serve(self) -> None:
        while not self._ended.wait(_EVERY_S):
            now = time.monotonic()
            self._shower.pulse(now, serving=not self.frozen)
            if self._shower.tap.on:
                self._look(now)
            if now - self._written_s > _STATUS_S:
                self.be()
        self._shower.pulse(time.monotonic(), serving=False)

    def _look(self, now: float) -> None:
        """Have the camera give a frame, and the engine decide on it."""
        self._number += 1
        frame = Frame(_scene(self._number), self._number, now, time.time())
        self._shower.tap.frame, self._shower.tap.decided = frame, (frame, _result(frame))


def _result(frame: Frame) -> Result:
    return Result(
        frame=frame.sequence,
        label=LABEL,
        score=SCORE,
        top=(Candidate(LABEL, SCORE), Candidate("badger", 0.05)),
        captured_wall_s=frame.captured_wall_s,
        captured_mono_s=frame.captured_mono_s,
        latency_ms=Latency(2.0, 4.0, 9.0, 1.0, 20.4),
        engine="edgetpu",
        bundle="0123456789ab",
        dropped=0,
        box=_BOX,
        others=(Other("badger", 0.81, _OTHER),),
    )


def _scene(number: int) -> Any:
    """Return a frame, left half red and right half blue with bars, so that its parts differ."""
    image_bgr = np.zeros((_HEIGHT, _WIDTH, 3), np.uint8)
    image_bgr[:, : _WIDTH // 2, 2] = 200
    image_bgr[:, _WIDTH // 2 :, 0] = 200
    image_bgr[:, _WIDTH // 2 :: 16, 1] = 255
    image_bgr[:8, : 8 * (number % 100 + 1)] = 255
    return image_bgr


def _nobody() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    return ended.pid
