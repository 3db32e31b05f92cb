"""Run the float model on many photos, and read its inner outputs."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.dataset.rows import RowSource
from trainer.networks.pixels import normalizer
from trainer.progress import Advance

BATCH = 32


def _silent(_: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True)
class View:
    """A way to see pictures.

    turns: quarter turns, which only square pictures may make by an odd number.
    mirrored: left and right are swapped after that. With two turns that swaps top and bottom.
    """

    turns: int = 0
    mirrored: bool = False

    def of(self, batch: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return pictures (photos, height, width, 3) seen so; a view."""
        turned = np.rot90(batch, self.turns, axes=(1, 2))
        return turned[:, :, ::-1] if self.mirrored else turned


class Predictor:
    """A model's forward pass in inference mode, compiled once for pixels of any count."""

    def __init__(self, model: Any, spec: Preprocessing) -> None:
        import tensorflow as tf

        normalized = normalizer(spec)
        shape = [None, *model.input_shape[1:]]

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)])  # type: ignore[untyped-decorator]
        def forward(batch: Any) -> Any:
            return model(normalized(tf.cast(batch, tf.float32)), training=False)

        self._forward = forward
        self.channels = int(model.output_shape[-1])

    def seconds_per_photo(self, pixels: RowSource, indices: NDArray[np.int64]) -> float:
        """Measure what a forward pass costs here, on a batch."""
        some = indices[:BATCH]
        # The first one compiles the graph and does not count.
        self.predict(pixels, some)
        started = time.monotonic()
        self.predict(pixels, some)
        return (time.monotonic() - started) / len(some)

    def predict(
        self,
        pixels: RowSource,
        indices: NDArray[np.int64],
        *,
        view: View = View(),
        advance: Advance = _silent,
    ) -> NDArray[np.float32]:
        """Return the model's output, float32 (len(indices), outputs), for pixels[indices], uint8 (photos, height,
        width, 3), seen as `view` has it. Needs memory for one batch at a time."""
        outputs = []
        for start in range(0, len(indices), BATCH):
            batch = pixels[indices[start : start + BATCH]]
            outputs.append(self._forward(view.of(batch)).numpy())
            advance(len(batch))
        return np.concatenate(outputs)

    @staticmethod
    def judge(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> tuple[float, float]:
        """Return (top-1 accuracy 0..1, log-loss) of logits (photos, classes)."""
        return float((logits.argmax(axis=1) == truth).mean()), log_loss(logits, truth)


class InnerOutputs:
    """Inner tensors of a Keras model, for one photo at a time; compiled once."""

    def __init__(self, model: Any, tensors: list[Any], spec: Preprocessing) -> None:
        import keras
        import tensorflow as tf

        inner = keras.Model(model.input, tensors)
        normalized = normalizer(spec)

        @tf.function(input_signature=[tf.TensorSpec(model.input_shape[1:], tf.uint8)])  # type: ignore[untyped-decorator]
        def run(photo: Any) -> Any:
            values = inner(normalized(tf.cast(photo, tf.float32))[None], training=False)
            return values if isinstance(values, list) else [values]

        self._run = run

    def __call__(self, photo: NDArray[np.uint8]) -> list[Any]:
        """Return the tensors' values, as TensorFlow has them, for a photo, uint8 (height, width, 3)."""
        values: list[Any] = self._run(photo)
        return values


def log_loss(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood of `labels` under softmax(logits)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())
