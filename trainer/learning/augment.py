"""Change pictures as a field camera might have taken them: shifted, turned, nearer, in other light, less sharp."""

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.records import Pixels
from trainer.options import Options


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures are changed; all draws are uniform.

    mirror, mirror_vertical: flip half of them left to right, and half of them top to bottom.
    zoom: smallest and largest magnification.
    turn_deg: degrees either way.
    shift: share of the side either way.
    light: share of brightness either way; half of it for each colour on its own (white balance).
    offset: levels of 255 either way (haze, stray light).
    nights: the share of pictures that are made grey and lit by a lamp, as infrared nights are.
    flaws: the share of pictures for each of blur (out of focus, motion), noise (little light) and compression (JPEG).
    """

    mirror: bool
    # Of the sizes tried, these gained most on TrashNet's validation photos (docs/training.md).
    zoom: tuple[float, float] = (0.85, 1.3)
    turn_deg: float = 15.0
    shift: float = 0.08
    light: float = 0.2
    offset: float = 10.0
    # These cost nothing on those photos.
    flaws: float = 0.1
    mirror_vertical: bool = False
    nights: float = 0.0


def augmentation_for(options: Options) -> Augmentation:
    """Return how far a training with `options` changes its pictures."""
    how = Augmentation(options.mirror, mirror_vertical=options.mirror_vertical, nights=options.nights)
    return replace(how, turn_deg=180.0) if options.any_way_up else how


def augment(pixels: Pixels, how: Augmentation, rng: np.random.Generator) -> Pixels:
    """Return a changed copy of `pixels`, uint8 (height, width, 3), R, G, B."""
    # What is off draws nothing, so that a training without it stays the one that it was.
    changed = _light(_move(pixels, how, rng), how, rng)
    if how.nights and rng.random() < how.nights:
        changed = _at_night(changed, rng)
    return _flaws(changed, how, rng)


def _move(pixels: Pixels, how: Augmentation, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    zoom = rng.uniform(*how.zoom)
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    angle = np.deg2rad(rng.uniform(-how.turn_deg, how.turn_deg))
    flip = -1.0 if how.mirror and rng.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    dive = -1.0 if how.mirror_vertical and rng.random() < 0.5 else 1.0
    turn = zoom * np.array([[flip * cosine * stretch, -dive * sine], [flip * sine, dive * cosine / stretch]])
    centre = np.array([width, height]) / 2
    move = rng.uniform(-how.shift, how.shift, 2) * [width, height]
    matrix = np.column_stack([turn, centre + move - turn @ centre])
    moved = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


def _light(pixels: Pixels, how: Augmentation, rng: np.random.Generator) -> Pixels:
    gain = rng.uniform(1 - how.light, 1 + how.light) * rng.uniform(1 - how.light / 2, 1 + how.light / 2, 3)
    levels = np.arange(256)[:, None] * gain + rng.uniform(-how.offset, how.offset)
    table = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table[None]), np.uint8)


def _at_night(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return a grey picture of a scene in the light of a lamp near the camera, which reaches its corners least."""
    height, width = pixels.shape[:2]
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    lamp_x, lamp_y = rng.uniform(0.3, 0.7, 2) * [width, height]
    down, across = np.ogrid[:height, :width]
    distance = ((across - lamp_x) / width) ** 2 + ((down - lamp_y) / height) ** 2
    light = rng.uniform(0.6, 1.3) / (1 + rng.uniform(0, 4) * distance)
    lit = np.clip(np.round(grey * light), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(lit, cv2.COLOR_GRAY2RGB), np.uint8)


def _flaws(pixels: Pixels, how: Augmentation, rng: np.random.Generator) -> Pixels:
    # In the order in which a camera adds them: lens and motion, sensor, compression.
    blur, noise, compression = rng.random(3) < how.flaws
    if blur:
        pixels = _blurred(pixels, rng)
    if noise:
        pixels = _noisy(pixels, rng)
    if compression:
        quality = int(rng.integers(25, 80))
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return pixels


def _blurred(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return the picture out of focus, or moved while the shutter was open, by up to a fortieth of its side."""
    reach = max(pixels.shape[:2]) / 40
    if rng.random() < 0.5:
        sigma = rng.uniform(0.3, max(0.4, reach / 3))
        return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.uint8)
    length = 2 * int(rng.uniform(1, max(2, reach / 2))) + 1
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi)
    reach_xy = (length // 2) * np.array([np.cos(angle), np.sin(angle)])
    middle = length // 2
    ends = [tuple(round(middle + sign * part) for part in reach_xy) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101), np.uint8)


def _noisy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of up to 12 levels."""
    # Cut from one sheet at a random place: drawing 150,000 numbers a picture would cost more than all the rest.
    sheet = _noise_sheet()
    height, width = pixels.shape[:2]
    start = int(rng.integers(0, sheet.size - pixels.size))
    noise = sheet[start : start + pixels.size].reshape(height, width, 3)
    return np.asarray(cv2.add(pixels, noise * np.float32(rng.uniform(2, 12)), dtype=cv2.CV_8U), np.uint8)


@lru_cache(maxsize=1)
def _noise_sheet() -> NDArray[np.float32]:
    return np.random.default_rng(20).standard_normal(2_000_000, np.float32)
