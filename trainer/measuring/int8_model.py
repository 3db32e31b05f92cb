"""Run an int8 model in the device's runtime: its tensors for the manifest, and its outputs for many photos."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import InputTensor, OutputTensor, Preprocessing, Quantization
from edge.inference.tflite import TfliteClassifier
from edge.postprocess import dequantize
from edge.preprocess import Preprocessor
from trainer.dataset.rows import RowSource
from trainer.progress import Advance


def tensors_of(classifier: TfliteClassifier) -> tuple[InputTensor, OutputTensor]:
    """Return the manifest's records of a model that trainer.quantizing.convert made: int8 in, int8 logits out."""
    given, result = classifier.inputs[0], classifier.outputs[0]
    return (
        InputTensor(
            width=given.shape[2],
            height=given.shape[1],
            dtype="int8",
            quantization=Quantization(scale=given.scale, zero_point=given.zero_point),
        ),
        OutputTensor(
            classes=result.shape[-1],
            dtype="int8",
            quantization=Quantization(scale=result.scale, zero_point=result.zero_point),
            activation="logits",
        ),
    )


def run_int8(
    classifier: TfliteClassifier,
    spec: Preprocessing,
    tensor: InputTensor,
    pixels: RowSource,
    indices: NDArray[np.int64],
    advance: Advance,
) -> list[NDArray[np.generic]]:
    """Return the raw output for each of pixels[indices], which are the device's own resize of the photos."""
    preprocessor = Preprocessor(spec, tensor)
    outputs = []
    for index in indices:
        quantized = preprocessor.quantize(pixels[index])[None]
        classifier.load(quantized)
        outputs.append(classifier.invoke())
        advance(1)
    return outputs


def logits_of(outputs: list[NDArray[np.generic]], output: OutputTensor) -> NDArray[np.float32]:
    """Return the dequantized outputs, (photos, classes)."""
    return np.stack([dequantize(raw, output) for raw in outputs])
