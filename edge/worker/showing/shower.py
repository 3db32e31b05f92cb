"""Show the newest picture to people who look, by a thread that runs only while they do."""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from msgspec import structs

from edge.live.picture import Live, show
from edge.live.places import FOCUS, PICTURE, requests_of
from edge.live.request import Requests, Wanted
from edge.records import Frame
from edge.results import Box
from edge.worker.showing.making import WHOLE, Maker
from edge.worker.showing.tap import Tap

_log = logging.getLogger(__name__)

# As often as a page looks; and for a hand on the lens, as often as a page can.
_PICTURE_S, _FOCUS_S = 1.0, 0.1
# How often the thread looks whether one of them is due.
_ROUND_S = 0.1
# As the thread of edge.worker.keeping.background: classifying comes first.
_NICE = 10


class Shower:
    """Shows the newest picture while it is wanted. `pulse` is for one thread; the threads with frames leave them in
    `tap`.

    run_dir: the service's runtime folder, in which the pictures are; the requests lie beside it (edge.live.places).
    region: as camera.region.
    """

    def __init__(self, run_dir: Path, region: Box | None) -> None:
        self.tap = Tap()
        self._requests = Requests(requests_of(run_dir))
        self._maker = Maker(region)
        self._picture, self._focus = _Window(run_dir / PICTURE, _PICTURE_S), _Window(run_dir / FOCUS, _FOCUS_S)
        self._wanted: Wanted | None = None
        self._thread: threading.Thread | None = None
        self._warned = False

    def pulse(self, now_mono_s: float, *, serving: bool) -> None:
        """Look whether anybody wants to see something: one `stat` of a file.

        serving: the camera is open. If it is not, its last frame is none of this moment.
        """
        wanted = self._requests.wanted(now_mono_s)
        self._wanted = wanted if serving else None
        self.tap.on = self._wanted is not None
        if not self.tap.on:
            # Each time: a thread that read `on` just before may have left a frame since.
            self.tap.clear()
        elif self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="show", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError as error:  # a sandbox may forbid it
            _log.debug("pictures are encoded at normal priority: %s", error)
        # Nothing queues up: what comes while a picture is encoded is skipped, as only the newest frame is kept.
        while (wanted := self._wanted) is not None:
            try:
                self._show(wanted)
            except (OSError, cv2.error, MemoryError) as error:
                # A full /run, or no memory: somebody sees no picture, and the camera goes on.
                level = logging.DEBUG if self._warned else logging.WARNING
                self._warned = True
                _log.log(level, "the newest picture cannot be shown: %s", " ".join(str(error).split()) or "no memory")
            time.sleep(_ROUND_S)

    def _show(self, wanted: Wanted) -> None:
        """Show what is due."""
        now = time.monotonic()
        if wanted.picture and self._picture.is_due(now) and (newest := self.tap.newest()) is not None:
            frame, result = newest
            self._picture.show(frame, WHOLE, lambda: self._maker.whole(frame, result), now)
        # Not the one decided on, which is older: who turns a lens must see at once what that did.
        focused = self.tap.frame
        if wanted.focus is not None and self._focus.is_due(now) and focused is not None:
            box = wanted.focus.box
            self._focus.show(focused, box, lambda: self._maker.part(focused, box), now)


class _Window:
    """A file in which the newest picture is shown, at most every `every_s` seconds."""

    def __init__(self, path: Path, every_s: float) -> None:
        self._path, self._every_s = path, every_s
        self._shown_s = -float("inf")
        self._of: tuple[float, Box] | None = None
        self._live: Live | None = None

    def is_due(self, now: float) -> bool:
        """Return whether the next one may be made."""
        # Half a round early, or each one would be a round late.
        return now - self._shown_s > self._every_s - _ROUND_S / 2

    def show(self, frame: Frame, part: Box, make: Callable[[], Live | None], now: float) -> None:
        """Show a frame. make: returns the picture. Raises OSError and what `make` raises."""
        self._shown_s = now
        of = frame.captured_mono_s, part
        if of == self._of and self._live is not None:
            # A camera of one frame in ten seconds: it is still the newest.
            self._live = structs.replace(self._live, made_mono_s=now)
        else:
            self._live, self._of = make(), of
        if self._live is not None:
            show(self._path, self._live)
