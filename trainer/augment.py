"""Pictures as a field camera might have taken them: shifted, turned, nearer, in other light."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge.records import Pixels


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures are changed; all draws are uniform.

    mirror: flip half of them left to right. zoom: smallest and largest magnification. turn_deg: degrees
    either way. shift: share of the side either way. light: share of brightness either way; half of it for
    each colour on its own. The values that stand here gained most on TrashNet's validation photos.
    """

    mirror: bool
    zoom: tuple[float, float] = (0.85, 1.3)
    turn_deg: float = 15.0
    shift: float = 0.08
    light: float = 0.2
    offset: float = 10.0


def augment(pixels: Pixels, how: Augmentation, rng: np.random.Generator) -> Pixels:
    """pixels: uint8 (height, width, 3); returns a changed copy of the same shape."""
    height, width = pixels.shape[:2]
    zoom = rng.uniform(*how.zoom)
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    angle = np.deg2rad(rng.uniform(-how.turn_deg, how.turn_deg))
    flip = -1.0 if how.mirror and rng.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = zoom * np.array([[flip * cosine * stretch, -sine], [flip * sine, cosine / stretch]])
    centre = np.array([width, height]) / 2
    move = rng.uniform(-how.shift, how.shift, 2) * [width, height]
    matrix = np.column_stack([turn, centre + move - turn @ centre])
    moved = cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    gain = rng.uniform(1 - how.light, 1 + how.light) * rng.uniform(1 - how.light / 2, 1 + how.light / 2, 3)
    levels = np.arange(256)[:, None] * gain + rng.uniform(-how.offset, how.offset)
    table = np.clip(np.round(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(moved, table[None]), np.uint8)
