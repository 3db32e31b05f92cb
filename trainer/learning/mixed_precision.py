"""Compute in float16 while training, wherever that is safe."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def mixed_precision(model: Any, *, enabled: bool) -> Iterator[None]:
    """Compute all layers but the last in float16, for this block; variables stay float32."""
    # Not the last: the loss needs logits of full precision.
    layers = model.layers[:-1] if enabled else []
    before = [layer.dtype_policy for layer in layers]
    for layer in layers:
        layer.dtype_policy = "mixed_float16"
    try:
        yield
    finally:
        for layer, policy in zip(layers, before, strict=True):
            layer.dtype_policy = policy
