"""From levels of 0..255 to what a network computes with: the manifest's records, and the arithmetic."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization, Resize
from trainer.networks.families import Network


def preprocessing_for(network: Network, resize: Resize, preparation: tuple[str, ...] = ()) -> Preprocessing:
    """Return how a frame becomes the float input of `network`. preparation: steps in their order."""
    mean, std = network.family.pixel_mean, network.family.pixel_std
    return Preprocessing(channel_order="rgb", resize=resize, mean=(mean,) * 3, std=(std,) * 3, preparation=preparation)


def input_of(network: Network) -> InputTensor:
    """Return the int8 input that the converter makes for `network`: a pixel less 128."""
    mean, std = network.family.pixel_mean, network.family.pixel_std
    # Levels 0 and 255 are the ends of the range (trainer.quantizing.convert sees to it), so one int8 step is one
    # level. Level 0 lies half a step beside -128; the converter rounds that down.
    quantization = Quantization(scale=1 / std, zero_point=math.floor(mean) - 128)
    return InputTensor(width=network.size, height=network.size, dtype="int8", quantization=quantization)


def normalizer(spec: Preprocessing) -> Callable[[Any], Any]:
    """Return a function from float32 levels, NumPy or TensorFlow, (..., 3), to the network's input."""
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    return lambda levels: (levels - mean) / std
