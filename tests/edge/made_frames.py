"""A made camera: a textured scene with a sensor's noise, in which a square may be."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from edge.locating.motion import MotionFinder
from edge.locating.places import Found, Place
from edge.records import Pixels

WIDTH, HEIGHT, FPS = 320, 240, 10.0


class MadeCamera:
    """Frames of one scene. gain: of the light, which a test may change. sway: pixels by which the left half swings."""

    def __init__(self, seed: int = 0, *, noise: float = 3.0) -> None:
        self._rng = np.random.default_rng(seed)
        coarse = self._rng.uniform(50, 160, (12, 16)).astype(np.float32)
        self.scene = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        self.noise, self.gain, self.sway = noise, 1.0, 0.0
        self._number = 0

    def frame(self, *squares: Place, grey: float = 235.0) -> Pixels:
        """Return the next frame, uint8 (HEIGHT, WIDTH, 3), with a square at each of these places."""
        picture = self._swung() if self.sway else self.scene.copy()
        for one in squares:
            picture[one.top : one.bottom, one.left : one.right] = grey
        noise = self._rng.normal(0, self.noise, picture.shape)
        self._number += 1
        grey_8 = np.clip(picture * self.gain + noise, 0, 255).astype(np.uint8)
        return np.repeat(grey_8[:, :, None], 3, axis=2)

    def _swung(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
        phase = 2 * np.pi * 0.7 * self._number / FPS + y / 25
        shift = np.where(x < WIDTH / 2, self.sway * np.sin(phase), 0).astype(np.float32)
        return cv2.remap(self.scene, x + shift, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


class Watched:
    """A finder with the time of its frames."""

    def __init__(self, *, least: float = 0.025, still_s: float = 60.0) -> None:
        self.finder = MotionFinder(least=least, still_s=still_s)
        self._second = 100.0

    def sees(self, frame: Pixels) -> Sequence[Found]:
        """Return what is found in a frame a tenth of a second after the last one."""
        self._second += 1 / FPS
        return self.finder.find(frame, self._second)

    def sees_nothing(self, camera: MadeCamera, frames: int) -> int:
        """Show empty frames; return in how many of them something was found."""
        return sum(bool(self.sees(camera.frame())) for _ in range(frames))


def walk(frames: int, *, side: int = 40, step: int = 6, top: int = 100) -> Iterator[Place]:
    """Yield the places of a square that comes from the left."""
    for number in range(frames):
        left = number * step
        yield Place(left, top, min(WIDTH, left + side), top + side)
