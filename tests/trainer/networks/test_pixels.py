"""What networks compute with: the range that the converter makes its own, and the arithmetic that gets there."""

from itertools import product
from typing import get_args

import numpy as np
import pytest

from edge.bundle.manifest import Resize
from edge.preprocess import Preprocessor
from trainer.networks.families import FAMILIES, Network
from trainer.networks.pixels import input_of, normalizer, preprocessing_for

LEVELS = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)


@pytest.mark.parametrize(("architecture", "resize"), product(FAMILIES, get_args(Resize)))
def test_every_mobilenet_wants_levels_between_minus_1_and_1(architecture: str, resize: Resize) -> None:
    spec = preprocessing_for(Network(architecture, 1.0, 16), resize)
    assert (spec.channel_order, spec.resize) == ("rgb", resize)
    values = normalizer(spec)(LEVELS.astype(np.float32))
    assert values.dtype == np.float32
    assert (values.min(), values.max()) == (-1, 1)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_on_the_device_a_level_becomes_that_level_less_128(architecture: str) -> None:
    network = Network(architecture, 1.0, 16)
    tensor = input_of(network)
    assert (tensor.width, tensor.height, tensor.dtype) == (16, 16, "int8")
    quantized = Preprocessor(preprocessing_for(network, "squash"), tensor).quantize(LEVELS)
    assert np.array_equal(quantized, LEVELS.astype(np.int16) - 128)
