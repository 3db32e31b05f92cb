"""A network for tests whose features are a picture's mean levels, and photos of plain colours with some noise."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization

COLOURS_BGR = {"red": (40, 40, 210), "green": (40, 210, 40), "blue": (210, 40, 40)}


class MeanColours:
    """A FeatureSource without a network."""

    name = "mean colours"
    channels = 3
    spec = Preprocessing(channel_order="rgb", resize="squash", mean=(0.0,) * 3, std=(1.0,) * 3)
    tensor = InputTensor(width=32, height=32, dtype="uint8", quantization=Quantization(scale=1.0, zero_point=0))

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pixels.mean(axis=(1, 2)).astype(np.float32)

    def close(self) -> None:
        """Do nothing."""


def colour_photo(path: Path, colour: str, seed: int) -> Path:
    """Write a photo, 48x48, whose mean is near `colour` and whose pattern no other one has."""
    rng = np.random.default_rng(seed)
    pattern = cv2.resize(rng.integers(-38, 39, (6, 6, 1)).astype(np.float32), (48, 48), interpolation=cv2.INTER_CUBIC)
    tint = rng.integers(-12, 13, 3)
    picture = np.clip(pattern[..., None] + np.array(COLOURS_BGR[colour]) + tint, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def colour_photos(folder: Path, counts: Mapping[str, int], first_seed: int = 0) -> Path:
    """Fill `folder` with photos named by their colour, such as red-3.png."""
    seed = first_seed
    for colour, count in counts.items():
        for number in range(count):
            colour_photo(folder / f"{colour}-{number}.png", colour, seed)
            seed += 1
    return folder


def sorted_photos(folder: Path, each: int, first_seed: int = 1000) -> Path:
    """Fill `folder` with class folders of `each` photos."""
    for place, colour in enumerate(COLOURS_BGR):
        colour_photos(folder / colour, {colour: each}, first_seed + 100 * place)
    return folder
