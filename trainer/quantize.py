"""Float Keras model -> full-int8 TFLite, calibrated with training photos as the device preprocesses them."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from edge.errors import StorageError
from trainer.quiet import quiet

CALIBRATION_PHOTOS = 200


def quantize(model: Any, spec: Preprocessing, pixels: NDArray[np.uint8], calibration: NDArray[np.int64]) -> bytes:
    """The .tflite of `model` (normalised pixels -> logits): batch fixed at 1 (a free batch brings SHAPE and
    STRIDED_SLICE into the graph), int8 in and out, one scale for dense weights as the Edge TPU compiler
    wants. pixels[calibration], uint8 (photos, height, width, 3), set the activations' ranges. Raises
    StorageError where the temporary folder is full."""
    import keras
    import tensorflow as tf

    fixed = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="pixels")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(fixed, model(fixed, training=False)))
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for number, index in enumerate(calibration):
            photo = pixels[index].astype(np.float32)
            if number == 0:
                # The input's range is that of pixels, not of these photos: a model calibrated on night scenes
                # would clip every day. It also makes quantizing a pixel a flip of one bit.
                photo[0, 0], photo[-1, -1] = 0, 255
            yield [((photo - mean) / std)[None]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    _check_space(4 * model.count_params())
    with quiet():
        converted: bytes = converter.convert()
    return converted


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


def choose_calibration(labels: NDArray[np.int64], train: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Up to 200 training photos, as many of each class as there are, drawn with `seed`, sorted."""
    rng = np.random.default_rng((seed, 200))
    per_class = [rng.permutation(train[labels[train] == label]) for label in np.unique(labels[train])]
    per_class = [per_class[place] for place in rng.permutation(len(per_class))]  # there may be over 200 classes
    chosen: list[int] = []
    for rank in range(max(map(len, per_class))):
        for photos in per_class:
            if rank < len(photos) and len(chosen) < CALIBRATION_PHOTOS:
                chosen.append(int(photos[rank]))
    return np.array(sorted(chosen), dtype=np.int64)
