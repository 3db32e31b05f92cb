"""Let the compiler stop at a model's features, so that the last layer stays on the CPU and can be taught on the device.

The compiler's option --intermediate_tensors names the tensors that the part for the Edge TPU puts out
(coral.ai/docs/edgetpu/compiler). It takes lists with commas, one for each model with colons between them, so that a
name with either cannot be given (google-coral/edgetpu issue 778).
"""

import re

from edge.edgetpu.package import MAX_NAME
from edge.errors import ModelError
from edge.flatbuffer import DAMAGED
from edge.teaching.appending import Appender
from edge.teaching.last_layer import Graph, read_last_layer

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*")
_NAME = "fieldfare_features"


def stopping(model: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return what the compiler gets so that it stops at the features of `model`: a model and options.

    The model is `model`; or, if its features cannot be named, a copy that differs in their name.
    Raises ModelError if its last layer cannot be taught.
    """
    features = read_last_layer(model).operators[0].inputs[0]
    try:
        graph = Graph(model)
        names = [tensor.text(3, MAX_NAME) for tensor in graph.tensors]
        name = names[features]
        if not _PLAIN.fullmatch(name) or names.count(name) > 1:
            name = _NAME
            while name in names:
                name += "_"
            written = Appender(model)
            written.text(graph.tensors[features], 3, name)
            model = written.finish()
    except DAMAGED as error:
        raise ModelError(f"the names of its tensors cannot be read ({error})") from error
    return model, ("--intermediate_tensors", name)
