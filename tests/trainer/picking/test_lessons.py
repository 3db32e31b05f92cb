"""A bundle remembers what it learned from, and so photos can be found that it has seen."""

from dataclasses import replace

import numpy as np
import pytest

from edge.bundle.store import Bundle
from edge.errors import BundleError
from edge.teaching.last_layer import read_last_layer
from edge.teaching.remembering import Remembered, remember
from trainer.picking.lessons import count_learned, learned_by


def with_examples(
    bundle: Bundle, learned: list[bool]
) -> tuple[Bundle, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    layer = read_last_layer(bundle.model)
    count, channels = len(learned), layer.weights.shape[1]
    features = np.random.default_rng(3).random((count, channels)) * 3
    examples = Remembered(features, np.arange(count), np.array(learned))
    model = remember(bundle.model, layer.of_input, examples)
    return replace(bundle, contents={**bundle.contents, bundle.manifest.model: model}), features


def test_those_that_it_learned_from_are_found_and_no_others(sealed: Bundle) -> None:
    bundle, features = with_examples(sealed, [True, False, True, False])
    learned = learned_by(bundle)
    assert len(learned) == 2
    assert count_learned(features.astype(np.float32), learned) == 2
    assert count_learned(features[1::2].astype(np.float32), learned) == 0


def test_a_bundle_that_remembers_nothing_has_learned_from_nothing_known(sealed: Bundle) -> None:
    learned = learned_by(sealed)
    assert len(learned) == 0
    assert count_learned(np.ones((3, 256), np.float32), learned) == 0


def test_damaged_examples_are_one_line(sealed: Bundle) -> None:
    bundle, _ = with_examples(sealed, [True])
    model = bytearray(bundle.model)
    model[len(sealed.model) + 60] ^= 255
    damaged = replace(bundle, contents={**bundle.contents, bundle.manifest.model: bytes(model)})
    with pytest.raises(BundleError, match="the examples behind it are damaged"):
        learned_by(damaged)
