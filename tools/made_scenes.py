"""Make scenes for bench_locating.py: cut-outs of photos that move over a photo, with what a camera adds to them.

A cut-out's mask is found by GrabCut, so its photo must show one thing before a plain background.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.locating.places import Place
from edge.photo_files import find_images
from edge.records import Pixels

WIDTH, HEIGHT, FPS = 640, 480, 10.0
# A mask that takes less or more of its photo than this, or touches its edge by more, is none of a whole thing.
LEAST_SHARE, MOST_SHARE, MOST_EDGE = 0.08, 0.7, 0.03


@dataclass(frozen=True)
class CutOut:
    """A thing without its background. image_bgr: uint8 (h, w, 3); mask: uint8 (h, w), 0..255; label: its class."""

    image_bgr: Pixels
    mask: Pixels
    label: str

    def sized(self, side: int, *, flip: bool) -> "CutOut":
        """Return it with its longer side of so many pixels."""
        height, width = self.mask.shape
        scale = side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image, mask = (cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (self.image_bgr, self.mask))
        return CutOut(image[:, ::-1], mask[:, ::-1], self.label) if flip else CutOut(image, mask, self.label)


def cut_outs(folder: Path, number: int, rng: random.Random) -> list[CutOut]:
    """Return so many things from a folder with a folder for each class."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    photos = {path.name: find_images(path) for path in classes}
    for paths in photos.values():
        rng.shuffle(paths)
    found: list[CutOut] = []
    while len(found) < number and any(photos.values()):
        for label, paths in photos.items():
            while paths and len(found) < number:
                made = cut_out(cv2.imread(str(paths.pop())), label)
                if made is not None:
                    found.append(made)
                    break
    return found


def cut_out(photo_bgr: Pixels, label: str) -> CutOut | None:
    """Return what stands before the background of a photo, None if it is not whole in it."""
    height, width = photo_bgr.shape[:2]
    marks = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    edge = max(2, round(0.02 * min(height, width)))
    marks[:edge], marks[-edge:], marks[:, :edge], marks[:, -edge:] = (cv2.GC_BGD,) * 4
    models = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    try:
        cv2.grabCut(photo_bgr, marks, None, *models, 4, cv2.GC_INIT_WITH_MASK)
    except cv2.error:
        return None
    mask = np.where((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    mask = cv2.morphologyEx(
        np.where(parts == best, 255, 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)
    )
    rim = np.concatenate([mask[edge], mask[-edge - 1], mask[:, edge], mask[:, -edge - 1]])
    if not LEAST_SHARE <= (mask > 0).mean() <= MOST_SHARE or (rim > 0).mean() > MOST_EDGE:
        return None
    left, top, wide, high = cv2.boundingRect(mask)
    part = slice(top, top + high), slice(left, left + wide)
    return CutOut(photo_bgr[part].copy(), cv2.GaussianBlur(mask[part], (3, 3), 0), label)


@dataclass(frozen=True)
class Scene:
    """What happens. noise: deviation of the sensor's noise, grey values. steps: how often the light steps, a second.
    sway: pixels that a part of the background swings by. gust_s: when that begins. pump: by how much the exposure
    swings, as a share. switch_s: when the light becomes infrared, None for never."""

    noise: float
    steps: float
    sway: float
    gust_s: float
    pump: float = 0.0
    switch_s: float | None = None


class Camera:
    """A camera before one background. Each frame follows the one before by 1 / FPS seconds."""

    def __init__(self, background_bgr: Pixels, scene: Scene, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._scene, self._base = scene, covering(background_bgr)
        self._grain = self._rng.normal(0, scene.noise, (6, HEIGHT + 64, WIDTH + 64, 3)).astype(np.float32)
        self._gain, self._second = 1.0, 0.0
        self._map = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
        self._soft = self._region()
        self._speed = float(self._rng.uniform(0.4, 1.2))

    def frame(self, thing: CutOut | None = None, at: tuple[int, int] = (0, 0)) -> Pixels:
        """Return the next frame, with a thing whose left and top are `at`."""
        scene = self._scene
        picture = self._swung() if scene.sway and self._second >= scene.gust_s else self._base
        picture = picture.astype(np.float32)
        if thing is not None:
            paste(picture, thing, at)
        if scene.switch_s is not None and self._second >= scene.switch_s:
            picture = np.repeat(picture[:, :, 2:3] * 0.7 + picture[:, :, 1:2] * 0.1 + 30, 3, axis=2)
        if self._rng.random() < scene.steps / FPS:
            self._gain = float(np.clip(self._gain * self._rng.choice([0.75, 0.85, 1.18, 1.33]), 0.5, 1.6))
        y, x = self._rng.integers(0, 64, 2)
        grain = self._grain[self._rng.integers(0, 6), y : y + HEIGHT, x : x + WIDTH]
        self._second += 1 / FPS
        gain = self._gain * (1 + scene.pump * np.sin(2 * np.pi * 0.3 * self._second))
        return np.clip(picture * gain + grain, 0, 255).astype(np.uint8)

    def _region(self) -> NDArray[np.float32]:
        """Return how much each pixel swings, 0..1: a third of the picture, with soft edges."""
        soft = np.zeros((HEIGHT, WIDTH), np.float32)
        x, y = int(self._rng.integers(0, WIDTH // 2)), int(self._rng.integers(0, HEIGHT // 3))
        soft[y : y + HEIGHT * 2 // 3, x : x + WIDTH // 2] = 1
        return cv2.GaussianBlur(soft, (0, 0), 12)

    def _swung(self) -> Pixels:
        x, y = self._map
        phase = 2 * np.pi * self._speed * self._second
        # Leaves do not swing together: the phase differs from place to place.
        swing = self._scene.sway * self._soft * np.sin(phase + x / 60 + y / 90).astype(np.float32)
        return cv2.remap(self._base, x + swing, y + 0.3 * swing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def paste(picture: NDArray[np.float32], thing: CutOut, at: tuple[int, int]) -> None:
    """Put a thing into a picture, as far as it lies in it."""
    place = seen(thing, at)
    if place is None:
        return
    part = slice(place.top, place.bottom), slice(place.left, place.right)
    own = slice(place.top - at[1], place.bottom - at[1]), slice(place.left - at[0], place.right - at[0])
    share = thing.mask[own].astype(np.float32)[:, :, None] / 255
    picture[part] = picture[part] * (1 - share) + thing.image_bgr[own] * share


def seen(thing: CutOut, at: tuple[int, int]) -> Place | None:
    """Return what of a thing lies in the picture, None if nothing does."""
    height, width = thing.mask.shape
    left, top, right, bottom = max(0, at[0]), max(0, at[1]), min(WIDTH, at[0] + width), min(HEIGHT, at[1] + height)
    return Place(left, top, right, bottom) if right > left and bottom > top else None


def path(thing: CutOut, frames: int, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Yield where a thing is in each frame: it comes from an edge, turns at random, and stands still for a while."""
    height, width = thing.mask.shape
    from_left = rng.random() < 0.5
    x, y = (-0.5 * width if from_left else WIDTH - 0.5 * width), rng.uniform(0, HEIGHT - height)
    step = rng.uniform(0.15, 0.5) * max(width, 40)
    across, down = (step if from_left else -step), rng.uniform(-0.3, 0.3) * step
    stands = range(frames // 2, frames // 2 + frames // 5)
    for number in range(frames):
        if number not in stands:
            x, y = x + across, y + down
            if not 0 <= y <= HEIGHT - height:
                down = -down
            if not -0.2 * width <= x <= WIDTH - 0.8 * width and number > 3:
                across = -across
            y = min(max(y, 0), HEIGHT - height)
            if rng.random() < 0.1:
                down = rng.uniform(-0.4, 0.4) * step
        yield round(x), round(y)


def covering(picture_bgr: Pixels) -> Pixels:
    """Return the middle of a picture, enlarged to a frame."""
    height, width = picture_bgr.shape[:2]
    scale = max(WIDTH / width, HEIGHT / height)
    size = max(WIDTH, round(width * scale)), max(HEIGHT, round(height * scale))
    large = cv2.resize(picture_bgr, size, interpolation=cv2.INTER_CUBIC)
    top, left = (size[1] - HEIGHT) // 2, (size[0] - WIDTH) // 2
    return large[top : top + HEIGHT, left : left + WIDTH].copy()
