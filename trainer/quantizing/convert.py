"""Float Keras model -> full-int8 TFLite, calibrated with training photos as the device preprocesses them.

In two stages: the converter's float model with the ranges that were seen (`observe_ranges`), and its int8 twin
(`finish`, a tenth of a second). Between the two the ranges can be looked at and changed.
"""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from edge.errors import StorageError
from trainer.dataset.rows import RowSource
from trainer.native_output import quiet
from trainer.networks.pixels import normalizer

REPRESENTATIVE_PHOTOS = 200


def observe_ranges(model: Any, spec: Preprocessing, pixels: RowSource, representative: NDArray[np.int64]) -> bytes:
    """The float .tflite of `model` (normalised pixels -> logits) with the range of every activation on
    pixels[representative], uint8 (photos, height, width, 3). Batch fixed at 1: a free one brings SHAPE and
    STRIDED_SLICE into the graph. Raises StorageError where the temporary folder is full."""
    import keras
    import tensorflow as tf

    fixed = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="pixels")
    whole = keras.Model(fixed, model(fixed, training=False), name="fieldfare")
    converter = tf.lite.TFLiteConverter.from_keras_model(whole)
    normalized = normalizer(spec)

    def inputs() -> Iterator[list[NDArray[np.float32]]]:
        for number, index in enumerate(representative):
            photo = pixels[index].astype(np.float32)
            if number == 0:
                # The input's range is that of pixels, not of these photos: a model ranged on night scenes
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
    """The int8 twin of what `observe_ranges` returned: int8 in and out, weights of convolutions with a scale for
    each channel, dense weights with one, as the Edge TPU compiler wants."""
    import tensorflow as tf

    # What the converter itself calls last; it has no public name.
    from tensorflow.lite.python.convert import mlir_quantize

    with quiet():
        quantized: bytes = mlir_quantize(
            ranged,
            input_data_type=tf.int8,
            output_data_type=tf.int8,
            disable_per_channel_for_dense_layers=True,
        )
    return quantized


def tighten(ranged: bytes, ranges: dict[str, tuple[float, float]]) -> bytes:
    """`ranged` with the ranges of the tensors named replaced by (low, high)."""
    import flatbuffers
    from tensorflow.lite.python.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(ranged, 0)
    for tensor in model.subgraphs[0].tensors:
        told, seen = ranges.get(tensor.name.decode()), tensor.quantization
        if told is not None and seen is not None and seen.min is not None and len(seen.min) == 1:
            seen.min, seen.max = [told[0]], [told[1]]
    builder = flatbuffers.Builder(len(ranged))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def best_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """The range that loses least, by mean square, when `values` are rounded to its 256 steps and cut off
    outside: both ends are drawn in by the same or different shares, down to a quarter."""
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
    """At most `count` of the indices, evenly from the first to the last: where they are in the order of their
    classes, of every class if there are as many."""
    return indices[np.linspace(0, len(indices) - 1, min(count, len(indices))).astype(np.int64)]


def choose_representative(
    labels: NDArray[np.int64], greys: NDArray[np.uint8], train: NDArray[np.int64], seed: int
) -> NDArray[np.int64]:
    """Up to 200 training photos that cover what there is: as many of each class as there are, and within a
    class one after the other the photo least like those chosen, by its small grey copy (uint8, (photos,
    256)): dark and bright, empty and full. Drawn with `seed`, sorted."""
    rng = np.random.default_rng((seed, 200))
    classes = rng.permutation(np.unique(labels[train]))  # there may be over 200
    each, more = divmod(REPRESENTATIVE_PHOTOS, len(classes))
    rooms = [each + (place < more) for place in range(len(classes))]
    chosen: list[int] = []
    left: list[int] = []
    for label, room in zip(classes, rooms, strict=True):
        of_class = rng.permutation(train[labels[train] == label])
        taken = _spread_out(greys[of_class[:2000]].astype(np.float32), min(room, len(of_class)))
        chosen += [int(of_class[place]) for place in taken]
        left += sorted(set(of_class.tolist()) - set(chosen))
    missing = min(REPRESENTATIVE_PHOTOS - len(chosen), len(left))  # where small classes left room
    chosen += rng.choice(left, missing, replace=False).tolist() if missing > 0 else []
    return np.array(sorted(chosen), dtype=np.int64)


def _spread_out(points: NDArray[np.float32], count: int) -> list[int]:
    """Farthest-point choice of `count` rows, from the first row on."""
    chosen: list[int] = []
    distance = np.full(len(points), np.inf, np.float32)
    for _ in range(min(count, len(points))):
        nearest = int(distance.argmax())
        chosen.append(nearest)
        distance = np.minimum(distance, np.square(points - points[nearest]).mean(axis=1))
        distance[chosen] = -1
    return chosen


def _check_space(weights_bytes: int) -> None:
    """TensorFlow saves the model to the temporary folder on the way; where that is full, it swallows the reason
    and ends in a TypeError. Twice the weights and 4 MB for the graph is ample."""
    needed = 2 * weights_bytes + 4_000_000
    try:
        with tempfile.TemporaryFile() as file:
            os.posix_fallocate(file.fileno(), 0, needed)
    except OSError as error:
        raise StorageError(
            f"{tempfile.gettempdir()}: {needed / 1e6:.0f} MB for the conversion do not fit "
            f"({error.strerror or error}): free some space or set TMPDIR to a larger disk"
        ) from error
