"""Figures that hold in the field: measured through the device's own preprocessing, runtime and scores."""

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Calibration, InputTensor, OutputTensor, Preprocessing
from edge.inference.tflite import TfliteClassifier
from edge.postprocess import dequantize, to_scores
from edge.preprocess import Preprocessor
from trainer.progress import Advance
from trainer.rows import RowSource

TEMPERATURES = np.geomspace(0.1, 10.0, 241)


def run_int8(
    classifier: TfliteClassifier,
    spec: Preprocessing,
    tensor: InputTensor,
    pixels: RowSource,
    indices: NDArray[np.int64],
    advance: Advance,
) -> list[NDArray[np.generic]]:
    """The raw output for each of pixels[indices], which are the device's own resize of the photos."""
    preprocessor = Preprocessor(spec, tensor)
    outputs = []
    for index in indices:
        quantized = preprocessor.quantize(pixels[index])[None]
        classifier.load(quantized)
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


def logits_of(outputs: list[NDArray[np.generic]], output: OutputTensor) -> NDArray[np.float32]:
    """The dequantized outputs, (photos, classes)."""
    return np.stack([dequantize(raw, output) for raw in outputs])


def best_temperature(logits: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The temperature that makes `logits`, (photos, classes), most likely (Guo et al. 2017), searched between
    0.1 and 10 in steps of 1.9 %.

    Each photo counts as if one more had been seen in which the answer was wrong: without that, photos that
    are all answered rightly would ask for scores of 1."""
    wrong = 1 / (len(truth) + 2)
    classes = logits.shape[1]

    def loss(temperature: float) -> float:
        scaled = logits.astype(np.float64) / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        log_scores = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        right = log_scores[np.arange(len(truth)), truth]
        others = (log_scores.sum(axis=1) - right) / (classes - 1)
        return -float(((1 - wrong) * right + wrong * others).mean())

    losses = [loss(temperature) for temperature in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(losses))]), 4)
