"""The float model, run on many photos."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.progress import Advance

BATCH = 32


def _silent(_: int) -> None:
    """Progress for nobody."""


class Predictor:
    """A model's forward pass in inference mode, compiled once for pixels of any count."""

    def __init__(self, model: Any, spec: Preprocessing) -> None:
        import tensorflow as tf

        mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
        shape = [None, *model.input_shape[1:]]

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)])  # type: ignore[untyped-decorator]
        def forward(batch: Any) -> Any:
            return model((tf.cast(batch, tf.float32) - mean) / std, training=False)

        self._forward = forward

    def predict(
        self,
        pixels: NDArray[np.uint8],
        indices: NDArray[np.int64],
        *,
        mirrored: bool = False,
        advance: Advance = _silent,
    ) -> NDArray[np.float32]:
        """The model's output for pixels[indices], uint8 (photos, height, width, 3), left and right swapped
        where mirrored: float32 (len(indices), outputs). Memory for one batch at a time."""
        outputs = []
        for start in range(0, len(indices), BATCH):
            batch = pixels[indices[start : start + BATCH]]
            outputs.append(self._forward(batch[:, :, ::-1] if mirrored else batch).numpy())
            advance(len(batch))
        return np.concatenate(outputs)

    def evaluate(
        self, pixels: NDArray[np.uint8], labels: NDArray[np.int64], indices: NDArray[np.int64]
    ) -> tuple[float, float]:
        """(top-1 accuracy 0..1, log-loss) on pixels[indices]."""
        logits = self.predict(pixels, indices)
        truth = labels[indices]
        return float((logits.argmax(axis=1) == truth).mean()), log_loss(logits, truth)


def log_loss(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood of `labels` under softmax(logits)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - chosen).mean())
