"""Draw the frames of a camera without hardware: a disc on a colour field, with scripted faults."""

import math
import os
import signal
import time
from typing import NoReturn

import cv2
import numpy as np

from edge.capture.pace import Pacer
from edge.capture.script import ScriptClock, Step
from edge.clock import stamp
from edge.errors import CameraError
from edge.records import Frame, Pixels

_POLL_S = 0.02
_BITS = 16


class SyntheticSource:
    """Endless frames of one size, with the faults of `script` (edge.capture.script). fps None: as fast as they are
    taken.

    Frame n is the same at every start. As with a sensor's noise, it differs everywhere from frame n + 1: in its
    brightness, in a strip of noise, in the place of the disc, and in a black and white bar in the middle that counts.
    """

    has_noise = True

    def __init__(self, *, width: int, height: int, fps: float | None, script: str | None = None) -> None:
        """Read the script. Raises ConfigError or MissingInputError if it is wrong, CameraError at a `vanish`."""
        self.lossless = fps is None
        self.stalls = not self.lossless
        rate = "flat out" if fps is None else f"{fps:g} frames/s"
        self.description = f"synthetic camera {width}x{height}, {rate}{', on a script' if script is not None else ''}"
        self._width, self._height = width, height
        self._pacer = Pacer(fps)
        self._sequence = 0
        self._drawn = -1
        self._last = np.zeros((height, width, 3), np.uint8)
        self._clock = ScriptClock(script) if script is not None else None
        self._require_there()
        corners = np.array([[[40, 90, 60], [90, 140, 70]], [[70, 60, 110], [150, 120, 90]]], np.uint8)
        field = np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        self._fields = (field, np.asarray(cv2.add(field, np.full_like(field, 4)), np.uint8))
        strip = (2 * max(1, height // 32), width, 3)
        self._noise = np.random.default_rng(7).integers(0, 256, strip).astype(np.uint8)

    def read(self) -> Frame:
        """See FrameSource.read. There is no last frame."""
        self._pacer.wait()
        step = self._suffer()
        if step.word == "dark":
            image_bgr = np.zeros((self._height, self._width, 3), np.uint8)
        elif step.word == "freeze":
            image_bgr = self._last.copy() if self._drawn >= 0 else self.picture(0)
        else:
            image_bgr = self.picture(self._sequence)
        if step.word != "freeze" or self._drawn < 0:
            self._last, self._drawn = image_bgr, self._sequence
        frame = Frame(image_bgr, self._sequence, *stamp())
        self._sequence += 1
        return frame

    def close(self) -> None:
        """See FrameSource.close."""
        self._pacer.stop()

    def picture(self, number: int) -> Pixels:
        """Draw frame `number` in new memory: uint8 (height, width, 3), B, G, R."""
        width, height = self._width, self._height
        image: Pixels = self._fields[number % 2].copy()
        phase = number / 40
        centre = (round(width * (0.5 + 0.35 * math.cos(phase))), round(height * (0.5 + 0.35 * math.sin(1.7 * phase))))
        cv2.circle(image, centre, min(width, height) // 6, (30, 200, 240), -1)
        rows = len(self._noise) // 2
        first = number * 5 % rows if rows > 1 else 0
        image[:rows] = self._noise[first : first + rows]
        self._count(image, number)
        return image

    def _count(self, image: Pixels, number: int) -> None:
        """Draw the number's low bits as blocks across the middle, the lowest on the right."""
        block = max(1, self._width // (2 * _BITS))
        left, top = (self._width - block * _BITS) // 2, self._height // 2
        for bit in range(_BITS):
            at = left + (_BITS - 1 - bit) * block
            image[top : top + block, at : at + block] = 255 if number >> bit & 1 else 0

    def _require_there(self) -> None:
        if self._clock and self._clock.now().word == "vanish":
            raise CameraError("synthetic camera: vanished, by its script: it comes back when that step ends")

    def _suffer(self) -> Step:
        """Apply the script and return the step in force. May wait, raise CameraError, kill the process or hang."""
        step = self._clock.now() if self._clock else Step("run")
        while step.word == "stall" and self._clock:
            self._pacer.pause(min(step.seconds, _POLL_S))
            step = self._clock.now()
        if step.word == "vanish":
            self._require_there()
        if step.word == "abort":
            os.abort()
        if step.word == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if step.word == "hang":
            _hang()
        return step


def _hang() -> NoReturn:
    """Block for ever, like a driver that is stuck in the kernel."""
    while True:
        time.sleep(3600)
