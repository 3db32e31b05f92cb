"""Figures that hold in the field: measured through the device's own preprocessing, runtime and scores."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Calibration, InputTensor, OutputTensor, Preprocessing
from edge.inference.tflite import TfliteClassifier
from edge.postprocess import dequantize, to_scores
from edge.preprocess import Preprocessor
from trainer.predict import log_loss
from trainer.progress import Advance

TEMPERATURES = np.geomspace(0.25, 4.0, 161)


def run_int8(
    classifier: TfliteClassifier,
    spec: Preprocessing,
    tensor: InputTensor,
    pixels: NDArray[np.uint8],
    indices: NDArray[np.int64],
    advance: Advance,
) -> list[NDArray[np.generic]]:
    """The raw output for each of pixels[indices], which are the device's own resize of the photos."""
    preprocessor = Preprocessor(spec, tensor)
    outputs = []
    for index in indices:
        quantized = preprocessor.quantize(pixels[index])[None]
        classifier.load(lambda memory, value=quantized: np.copyto(memory, value))  # type: ignore[misc]
        outputs.append(classifier.invoke())
        advance(1)
    return outputs


def top1(
    outputs: list[NDArray[np.generic]],
    truth: NDArray[np.int64],
    output: OutputTensor,
    calibration: Calibration,
) -> float:
    """Share of outputs whose best score, as the device computes it, is the true class."""
    best = [int(to_scores(raw, output, calibration).values.argmax()) for raw in outputs]
    return float((np.array(best) == truth).mean())


def fit_temperature(outputs: list[NDArray[np.generic]], truth: NDArray[np.int64], output: OutputTensor) -> float:
    """The temperature that makes int8 logits most likely on validation photos (Guo et al. 2017), searched
    between 0.25 and 4 in steps of 1.7 %."""
    logits = np.stack([dequantize(raw, output) for raw in outputs]).astype(np.float64)
    losses = [log_loss(logits / temperature, truth) for temperature in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 4)
