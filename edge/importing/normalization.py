"""How the network was trained to see pixels, and whether that fits the input tensor's own scale and zero point."""

import math
from collections.abc import Callable
from typing import cast

import numpy as np

from edge.bundle.manifest import InputTensor, Preprocessing, Triple
from edge.errors import ModelError
from edge.importing.metadata import ModelMetadata
from edge.preprocess import quantization_table

Normalization = tuple[Triple, Triple]
# Ranges in which networks are trained to see pixels, as (mean, std) for pixels of 0..255.
RANGES = {"-1..1": (127.5, 127.5), "0..1": (0.0, 255.0), "0..255": (0.0, 1.0)}
# Means lie among the pixels and deviations are no wider; beyond this there are only mistakes, and numbers overflow.
_MAX_MEAN, _MIN_STD, _MAX_STD = 1e6, 1e-6, 1e6
# Of the values that the 256 pixel values fall on. A fitting normalization gives 256; that of ImageNet, with one
# deviation a colour, 234; pictures of calibration that were a third too dark, 170. Half the range, or twice, gives 128.
_FITS, _SUSPECT, _HOPELESS = 250, 160, 32
_FIX = "give the right one with --normalize"


def parse_normalize(text: str) -> Normalization:
    """Parse '-1..1', '0..1', '0..255' or 'MEAN,STD' (one number each, or three and three).

    Returns (mean, std) for pixels of 0..255. Raises ValueError.
    """
    if text in RANGES:
        mean, std = RANGES[text]
        return (mean,) * 3, (std,) * 3
    wanted = f"{text[:80]!r}: must be {', '.join(RANGES)}, MEAN,STD or three means and three stds"
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(wanted) from error
    if len(numbers) == 2:
        numbers = [numbers[0]] * 3 + [numbers[1]] * 3
    if len(numbers) != 6:
        raise ValueError(wanted)
    if problem := _problem(numbers[:3], numbers[3:]):
        raise ValueError(f"{text[:80]!r}: {problem}")
    return cast("Triple", tuple(numbers[:3])), cast("Triple", tuple(numbers[3:]))


def of_metadata(metadata: ModelMetadata) -> Normalization | None:
    """Return the normalization that metadata hold; None if they hold none. Raises ModelError if it is nonsense."""
    if metadata.mean is None or metadata.std is None:
        return None
    for title, values in (("mean", metadata.mean), ("std", metadata.std)):
        if len(values) not in (1, 3):
            raise ModelError(f"the metadata's normalization has {len(values)} {title} values, must be 1 or 3: {_FIX}")
    if problem := _problem(metadata.mean, metadata.std):
        raise ModelError(f"the metadata's normalization: {problem}: {_FIX}")
    return _triple(metadata.mean), _triple(metadata.std)


def check_normalization(spec: Preprocessing, tensor: InputTensor, source: str, warn: Callable[[str], None]) -> None:
    """Compare a normalization with what the input tensor can hold.

    source: who gave it, for the message. Calls `warn` if half of the range may be lost. Raises ModelError if the
    256 pixel values fall on so few values of the tensor that the model can see hardly anything.
    """
    values = _distinct(spec, tensor)
    if values >= _SUSPECT:
        return
    low, high = _range(tensor)
    fitting = next((name for name, pair in RANGES.items() if _fits(spec, tensor, pair)), None)
    fix = f"--normalize={fitting} fits" if fitting else "find out how the network was trained to see pixels"
    message = (
        f"the normalization {source}, (pixel - {spec.mean[0]:g}) / {spec.std[0]:g}, and the input tensor, which holds "
        f"{low:.4g} to {high:.4g}, contradict each other: the 256 pixel values fall on {values} of its values: {fix}"
    )
    if values < _HOPELESS:
        raise ModelError(message)
    warn(message)


def _fits(spec: Preprocessing, tensor: InputTensor, pair: tuple[float, float]) -> bool:
    other = Preprocessing(channel_order=spec.channel_order, resize=spec.resize, mean=(pair[0],) * 3, std=(pair[1],) * 3)
    return _distinct(other, tensor) >= _FITS


def _distinct(spec: Preprocessing, tensor: InputTensor) -> int:
    """Return on how many of the tensor's values the 256 pixel values fall, in the worst channel."""
    table = quantization_table(spec, tensor)
    return min(len(np.unique(table[0, :, channel])) for channel in range(3))


def _range(tensor: InputTensor) -> tuple[float, float]:
    info = np.iinfo(tensor.dtype)
    scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
    return (info.min - zero_point) * scale, (info.max - zero_point) * scale


def _problem(means: list[float] | tuple[float, ...], stds: list[float] | tuple[float, ...]) -> str | None:
    for mean in means:
        if not (math.isfinite(mean) and abs(mean) <= _MAX_MEAN):
            return f"mean {mean:g}, must be a number from {-_MAX_MEAN:g} to {_MAX_MEAN:g}"
    for std in stds:
        if not _MIN_STD <= std <= _MAX_STD:
            return f"std {std:g}, must be a number from {_MIN_STD:g} to {_MAX_STD:g}"
    return None


def _triple(values: tuple[float, ...]) -> Triple:
    return cast("Triple", values if len(values) == 3 else values * 3)
