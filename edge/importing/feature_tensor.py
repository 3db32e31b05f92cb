"""Let a .tflite classifier give its features: the input of its last layer with weights."""

import struct

from edge.errors import ModelError
from edge.flatbuffer import DAMAGED, root
from edge.importing.graph import last_layer


def with_features_as_output(model: bytes) -> bytes:
    """Return `model` with one change: its output is the tensor that its last layer reads, such as the pooled features.

    Raises ModelError if its tables are damaged, or if what follows its last layer is not understood.
    """
    try:
        graph = root(model).nodes(2)[0]
        place, count = graph.numbers_at(2)
        layer = last_layer(model)
    except DAMAGED as error:
        raise ModelError(f"damaged .tflite: its tables do not fit together ({error})") from error
    if layer is None or count != 1:
        raise ModelError("no features: what follows the model's last layer is not understood")
    # The list of outputs has one entry, a number of 32 bits. The last layer is computed still, which costs little.
    changed = bytearray(model)
    struct.pack_into("<i", changed, place, layer)
    return bytes(changed)
