"""Let a bundle's model remember some photos' features, so that it can be taught on the device."""

import numpy as np

from edge.errors import ModelError
from edge.importing.feature_tensor import with_features_as_output
from edge.inference.runtime import load_runtime
from edge.inference.tflite import TfliteClassifier
from edge.teaching.last_layer import read_last_layer
from edge.teaching.remembering import Remembered, chosen, remember
from trainer.delivery.records import Delivery
from trainer.measuring.int8_model import run_int8
from trainer.quantizing.int8 import Int8


def with_examples(given: Delivery, made: Int8) -> bytes:
    """Return the int8 model with features of photos behind it; alone, with a warning, if its last layer is of a kind
    that cannot be taught."""
    # Validation photos to judge by. The network knows training photos by heart, and is surer of them than it will be of
    # any in the field; so it is of validation photos that joined them.
    photos, val = given.data.photo_set, given.data.splits["val"]
    joined = given.learned.judged is not given.learned.model
    judged = val[chosen(photos.labels[val])]
    learned = photos.train[chosen(photos.labels[photos.train], learned=True)]
    rows = np.concatenate([judged, learned])
    try:
        layer = read_last_layer(made.model)
        network = TfliteClassifier(load_runtime(), with_features_as_output(made.model))
    except ModelError as error:
        given.run.progress.say(f"warning: the bundle cannot be taught on the device: {error}")
        return made.model
    with given.run.progress.stage("remembering", len(rows)) as advance:
        raw = run_int8(network, given.run.spec, made.tensors[0], photos.pixels, rows, advance)
    network.close()
    scale, channels = layer.of_input, layer.weights.shape[1]
    means = np.stack([output.reshape(-1, channels).mean(axis=0, dtype=np.float64) for output in raw])
    known = (np.arange(len(rows)) >= len(judged)) | joined
    examples = Remembered((means - scale.zero_point) * scale.scales[0], photos.labels[rows], known)
    return remember(made.model, scale, examples)
