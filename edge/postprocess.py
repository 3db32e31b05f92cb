"""Convert a raw output tensor to Scores: dequantize, softmax, calibrate. Pure."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Calibration, OutputTensor
from edge.errors import EngineError
from edge.records import Scores
from edge.results import Candidate


def dequantize(raw: NDArray[np.generic], output: OutputTensor) -> NDArray[np.float32]:
    """Return (raw - zero_point) * scale as float32 (classes,), new memory.

    raw: the output tensor in the manifest's dtype, any shape of `classes` values.
    Raises EngineError if size or dtype differ.
    """
    if raw.size != output.classes or raw.dtype != np.dtype(output.dtype):
        raise EngineError(
            f"the engine returned {raw.dtype} {raw.shape}, the bundle promises {output.classes} values of "
            f"{output.dtype}: check the bundle with `fieldfare bundle verify`"
        )
    centred = raw.reshape(-1).astype(np.float32) - np.float32(output.quantization.zero_point)
    result: NDArray[np.float32] = centred * np.float32(output.quantization.scale)
    return result


def to_scores(raw: NDArray[np.generic], output: OutputTensor, calibration: Calibration) -> Scores:
    """Return the calibrated scores of one raw output: float32 (classes,), each finite and in 0..1.

    Logits become softmax(logits / temperature + bias). Probabilities stay as they are if the temperature is 1 and
    there is no bias; else they become softmax(log(p) / temperature + bias).
    Raises what dequantize raises, and EngineError if a value is not finite.
    """
    values = dequantize(raw, output)
    if output.activation == "logits":
        values = calibrated(values, calibration.temperature, calibration.bias)
    elif calibration.temperature != 1.0 or calibration.bias is not None:
        floor = np.float32(output.quantization.scale / 2)
        values = calibrated(np.log(np.maximum(values, floor)), calibration.temperature, calibration.bias)
    else:
        values = np.clip(values, 0.0, 1.0)
    if not np.isfinite(values).all():
        raise EngineError("the engine returned scores that are not finite: the model or its memory is damaged")
    return Scores(values)


def calibrated(logits: NDArray[np.float32], temperature: float, bias: tuple[float, ...] | None) -> NDArray[np.float32]:
    """Return softmax(logits / temperature + bias), float32 of the same shape.

    logits: float32 (..., classes).
    bias: one value a class; None for zeros.
    """
    scaled = logits / np.float32(temperature)
    return softmax(scaled if bias is None else scaled + _as_array(bias))


@lru_cache(maxsize=8)
def _as_array(bias: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(bias, np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax along the last axis, float32 of the same shape; stable for large values."""
    exponent = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: NDArray[np.float32] = exponent / exponent.sum(axis=-1, keepdims=True)
    return result


def top_k(scores: Scores, labels: tuple[str, ...], k: int) -> tuple[Candidate, ...]:
    """Return the k best candidates, best first (ties: lower class index first); all of them if k is larger than their
    number. k must be at least 1."""
    values = scores.values
    k = min(k, values.size)
    best = np.argpartition(-values, k - 1)[:k]
    order = best[np.lexsort((best, -values[best]))]
    return tuple(Candidate(labels[i], round(float(values[i]), 6)) for i in order)
