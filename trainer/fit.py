"""Gradient training: AdamW on a cosine, averaged weights, validation after every epoch, the best kept.

The same loop fine-tunes a folded backbone and trains a network with BatchNorm from scratch.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.augment import Augmentation, augment
from trainer.predict import Predictor
from trainer.progress import Progress

BATCH = 32
# The share of each step's weights that the running average keeps, once warm.
AVERAGE = 0.99
LABEL_SMOOTHING = 0.1
WEIGHT_DECAY = 1e-4
WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast: peak is AdamW's highest learning rate."""

    epochs: int
    peak: float
    augmentation: Augmentation
    seed: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The best state seen: validation accuracy and log-loss, and the epoch (0: the start was best)."""

    val_accuracy: float
    val_loss: float
    epoch: int


def fit(
    model: Any,
    spec: Preprocessing,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    recipe: Recipe,
    progress: Progress,
    *,
    keep_start: bool,
) -> Outcome:
    """Train `model` (pixels normalised -> logits) in place and leave it at its best validated weights.

    pixels: uint8 (photos, height, width, 3); train and val index it. keep_start: the weights it came with
    compete too, so that a fine-tuning that does not help is thrown away.
    """
    import keras
    import tensorflow as tf

    steps = max(1, len(train) // BATCH)
    optimizer = _optimizer(recipe, recipe.epochs * steps)
    average = _Average(model)
    predictor = Predictor(model, spec)
    classes = model.output_shape[-1]
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)

    @tf.function  # type: ignore[untyped-decorator]
    def step(batch: Any, targets: Any, keep: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = model((tf.cast(batch, tf.float32) - mean) / std, training=True)
            losses = keras.losses.categorical_crossentropy(
                tf.one_hot(targets, classes), logits, from_logits=True, label_smoothing=LABEL_SMOOTHING
            )
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        average.update(keep)
        return loss

    best = Outcome(0.0, float("inf"), 0)
    if keep_start:
        best = Outcome(*predictor.evaluate(pixels, labels, val), 0)
    kept = model.get_weights()
    with progress.stage("training", recipe.epochs * steps) as advance:
        for epoch, batches in enumerate(_epochs(pixels, train, steps, recipe), 1):
            for number, (batch, indices) in enumerate(batches):
                done = (epoch - 1) * steps + number
                keep = min(AVERAGE, (1 + done) / (10 + done))
                step(batch, labels[indices], tf.constant(keep, tf.float32))
                advance(1)
            with average.in_place():
                accuracy, loss = predictor.evaluate(pixels, labels, val)
                if np.isfinite(loss) and (accuracy, -loss) > (best.val_accuracy, -best.val_loss):
                    best, kept = Outcome(accuracy, loss, epoch), model.get_weights()
            progress.say(f"epoch {epoch}: validation {accuracy:.1%}, log-loss {loss:.3f}")
    model.set_weights(kept)
    return best


def _optimizer(recipe: Recipe, total_steps: int) -> Any:
    """AdamW whose rate rises to the peak over the first tenth of the steps and falls on a cosine to nothing."""
    import keras

    warm_up = max(1, round(WARM_UP * total_steps))
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.peak / 10, max(1, total_steps - warm_up), warmup_target=recipe.peak, warmup_steps=warm_up
    )
    return keras.optimizers.AdamW(rate, weight_decay=WEIGHT_DECAY)


class _Average:
    """A running average of all weights, the BatchNorm averages among them."""

    def __init__(self, model: Any) -> None:
        import tensorflow as tf

        self._weights = model.weights
        self._means = [tf.Variable(weight) for weight in self._weights]

    def update(self, keep: Any) -> None:
        for mean, weight in zip(self._means, self._weights, strict=True):
            mean.assign(mean * keep + weight * (1 - keep))

    def in_place(self) -> "_Swap":
        return _Swap(self._weights, self._means)


class _Swap:
    """Puts the averages into the model for a while."""

    def __init__(self, weights: list[Any], means: list[Any]) -> None:
        self._weights, self._means = weights, means

    def __enter__(self) -> None:
        self._saved = [weight.numpy() for weight in self._weights]
        for weight, mean in zip(self._weights, self._means, strict=True):
            weight.assign(mean)

    def __exit__(self, *_: object) -> None:
        for weight, saved in zip(self._weights, self._saved, strict=True):
            weight.assign(saved)


def _epochs(
    pixels: NDArray[np.uint8], train: NDArray[np.int64], steps: int, recipe: Recipe
) -> Iterator[Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]]:
    """For each epoch its augmented batches, made one batch ahead in a thread of its own. Every draw depends
    on the seed, the epoch and the step alone."""

    def make(epoch: int, number: int, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        rng = np.random.default_rng((recipe.seed, epoch, number))
        return np.stack([augment(pixels[index], recipe.augmentation, rng) for index in indices])

    def batches(epoch: int, pool: ThreadPoolExecutor) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        order = np.random.default_rng((recipe.seed, epoch)).permutation(train)
        chunks = [order[i * BATCH : (i + 1) * BATCH] for i in range(steps)]
        pending = pool.submit(make, epoch, 0, chunks[0])
        for number, chunk in enumerate(chunks):
            batch = pending.result()
            if number + 1 < steps:
                pending = pool.submit(make, epoch, number + 1, chunks[number + 1])
            yield batch, chunk

    with ThreadPoolExecutor(1) as pool:
        for epoch in range(recipe.epochs):
            yield batches(epoch, pool)
