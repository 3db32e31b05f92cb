"""Convert a float Keras model to full-int8 TFLite, with ranges from training photos as the device preprocesses them.

In two stages: the converter's float model with the ranges that were seen (`observe_ranges`), and its int8 twin
(`finish`, a tenth of a second). Between the two the ranges can be looked at and changed.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from edge.errors import StorageError
from edge.portable.system import reserve
from trainer.dataset.rows import RowSource
from trainer.native_output import quiet
from trainer.networks.pixels import normalizer

REPRESENTATIVE_PHOTOS = 200


def observe_ranges(model: Any, spec: Preprocessing, pixels: RowSource, representative: NDArray[np.int64]) -> bytes:
    """Return the float .tflite of `model` (normalised pixels -> logits) with the range of every activation on
    pixels[representative], uint8 (photos, height, width, 3). Raises StorageError if the temporary folder is full."""
    import keras
    import tensorflow as tf

    # Batch fixed at 1: a free one brings SHAPE and STRIDED_SLICE into the graph.
    fixed = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="pixels")
    whole = keras.Model(fixed, model(fixed, training=False), name="fieldfare")
    converter = tf.lite.TFLiteConverter.from_keras_model(whole)
    normalized = normalizer(spec)

    def inputs() -> Iterator[list[NDArray[np.float32]]]:
        for number, index in enumerate(representative):
            photo = pixels[index].astype(np.float32)
            if number == 0:
                # The input's range is that of pixels, not of these photos: a model with ranges from night scenes
                # would clip every day. It also makes quantizing a pixel a flip of one bit.
                photo[0, 0], photo[-1, -1] = 0, 255
            yield [normalized(photo)[None]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = inputs
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_calibrate_only = True
    _check_space(4 * model.count_params())
    with quiet():
        ranged: bytes = converter.convert()
    return ranged


def finish(ranged: bytes) -> bytes:
    """Return the int8 twin of what `observe_ranges` returned, int8 in and out."""
    import tensorflow as tf

    # What the converter itself calls last; it has no public name.
    from tensorflow.lite.python.convert import mlir_quantize

    with quiet():
        quantized: bytes = mlir_quantize(
            ranged,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            # The Edge TPU compiler wants one scale for dense weights; convolutions keep one for each channel.
            disable_per_channel_for_dense_layers=True,
        )
    return quantized


def tighten(ranged: bytes, ranges: dict[str, tuple[float, float]]) -> bytes:
    """Return `ranged` with the ranges of the tensors named replaced by (low, high)."""
    import flatbuffers
    from tensorflow.lite.python.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(ranged, 0)
    for tensor in model.subgraphs[0].tensors:
        wanted, seen = ranges.get(tensor.name.decode()), tensor.quantization
        if wanted is not None and seen is not None and seen.min is not None and len(seen.min) == 1:
            seen.min, seen.max = [wanted[0]], [wanted[1]]
    builder = flatbuffers.Builder(len(ranged))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def best_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return the range that loses least, by mean square, when `values` are rounded to its 256 steps and cut off
    outside: both ends are drawn in by the same or different shares, down to a quarter."""
    # 0 is always inside: int8 holds it exactly, and padding and ReLU write it.
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    shares = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.33, 0.25)
    best = (float("inf"), low, high)
    for upper in shares:
        for lower in shares if low < 0 else (1.0,):
            bottom, top = low * lower, high * upper
            step = max(top - bottom, 1e-9) / 255
            rounded = np.clip(np.round(values / step), np.round(bottom / step), np.round(top / step)) * step
            loss = float(np.square(rounded - values).mean())
            best = min(best, (loss, bottom, top))
    return best[1], best[2]


def spread(indices: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return at most `count` of the indices, evenly from the first to the last. Indices in the order of their classes
    give some of every class, if there are as many classes."""
    return indices[np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(np.int64)]


def choose_representative(
    labels: NDArray[np.int64], greys: NDArray[np.uint8], train: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Return up to 200 training photos that cover what there is, sorted: as many of each class as of any other, and
    within a class one after the other the photo least like those chosen, by its small grey copy (uint8, (photos,
    256)): dark and bright, empty and full. Drawn with `seed`."""
    rng = np.random.default_rng((seed, 200))
    # Shuffled: of over 200 classes, those that come first get a photo.
    classes = rng.permutation(np.unique(labels[train]))
    each, more = divmod(REPRESENTATIVE_PHOTOS, len(classes))
    rooms = [each + (place < more) for place in range(len(classes))]
    chosen: list[int] = []
    left: list[int] = []
    for label, room in zip(classes, rooms, strict=True):
        of_class = rng.permutation(train[labels[train] == label])
        # Each choice measures all that are left, so that of a large class 2,000 photos, drawn at random, must do.
        taken = _spread_out(greys[of_class[:2000]].astype(np.float32), min(room, len(of_class)))
        chosen += [int(of_class[place]) for place in taken]
        left += sorted(set(of_class.tolist()) - set(chosen))
    # Small classes leave room, which photos of larger ones fill.
    missing = min(REPRESENTATIVE_PHOTOS - len(chosen), len(left))
    chosen += rng.choice(left, missing, replace=False).tolist() if missing > 0 else []
    return np.array(sorted(chosen), dtype=np.int64)


def _spread_out(points: NDArray[np.float32], count: int) -> list[int]:
    """Choose `count` rows by farthest point, from the first row on."""
    chosen: list[int] = []
    distance = np.full(len(points), np.inf, np.float32)
    for _ in range(min(count, len(points))):
        nearest = int(distance.argmax())
        chosen.append(nearest)
        distance = np.minimum(distance, np.square(points - points[nearest]).mean(axis=1))
        distance[chosen] = -1
    return chosen


def _check_space(weights_bytes: int) -> None:
    """Raise StorageError if the temporary folder has no room for the conversion."""
    # TensorFlow saves the model there on the way; if that fails, it swallows the reason and ends in a TypeError. Twice
    # the weights and 4 MB for the graph is ample.
    needed = 2 * weights_bytes + 4_000_000
    try:
        with tempfile.TemporaryFile() as file:
            reserve(file.fileno(), needed, Path(tempfile.gettempdir()))
    except OSError as error:
        raise StorageError(
            f"{tempfile.gettempdir()}: {needed / 1e6:.0f} MB for the conversion do not fit "
            f"({error.strerror or error}): free some space or set TMPDIR to a larger disk"
        ) from error
