"""Float Keras model -> full-int8 TFLite, calibrated with training photos as the device preprocesses them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.quiet import quiet

CALIBRATION_PHOTOS = 200


def quantize(model: Any, spec: Preprocessing, pixels: NDArray[np.uint8], calibration: NDArray[np.int64]) -> bytes:
    """The .tflite of `model` (normalised pixels -> logits): batch fixed at 1 (a free batch brings SHAPE and
    STRIDED_SLICE into the graph), int8 in and out, one scale for dense weights as the Edge TPU compiler
    wants. pixels[calibration], uint8 (photos, height, width, 3), set the activations' ranges."""
    import keras
    import tensorflow as tf

    fixed = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="pixels")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(fixed, model(fixed, training=False)))
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)

    def representative() -> Iterator[list[NDArray[np.float32]]]:
        for index in calibration:
            yield [((pixels[index].astype(np.float32) - mean) / std)[None]]

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    with quiet():
        converted: bytes = converter.convert()
    return converted


def choose_calibration(labels: NDArray[np.int64], train: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Up to 200 training photos, as many of each class as there are, drawn with `seed`, sorted."""
    rng = np.random.default_rng((seed, 200))
    per_class = [rng.permutation(train[labels[train] == label]) for label in np.unique(labels[train])]
    chosen: list[int] = []
    for rank in range(max(map(len, per_class))):
        for photos in per_class:
            if rank < len(photos) and len(chosen) < CALIBRATION_PHOTOS:
                chosen.append(int(photos[rank]))
    return np.array(sorted(chosen), dtype=np.int64)
