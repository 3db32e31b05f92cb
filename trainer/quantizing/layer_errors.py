"""Compare each layer's output in the float and in the int8 model, to find the layers that lose precision."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Preprocessing
from trainer.dataset.rows import RowSource
from trainer.networks.pixels import normalizer

SAMPLES = 400_000  # values of a tensor that are kept to choose its range, 1.6 MB


@dataclass(frozen=True, slots=True)
class LayerNoise:
    """How much of one layer's output is error after quantization.

    name: the layer.
    operator: such as CONV_2D.
    snr_db: signal to noise of the int8 output against the float one, 10 log10(mean square / mean square error), with
        all errors of the layers before.
    introduced: the share of that error, 0..1, that rounding this output to its 256 steps makes.
    """

    name: str
    operator: str
    snr_db: float
    introduced: float


def compare_layers(
    ranged: bytes, quantized: bytes, spec: Preprocessing, pixels: RowSource, indices: NDArray[np.int64]
) -> tuple[LayerNoise, ...]:
    """Compare the output of each operator that both models have, in the order of execution, on pixels[indices]."""
    plain, whole = _TracedModel(ranged), _TracedModel(quantized)
    pairs = [(plain.find(name, last=last), op, index, name) for op, index, name, last in whole.operators()]
    sums = np.zeros((len(pairs), 3))
    for index in indices:
        plain.run(pixels[index], spec)
        whole.run(pixels[index], spec)
        for row, (source, _, tensor, _) in enumerate(pairs):
            if source is not None:
                sums[row] += _squares(plain.value(source), whole, tensor)
    return tuple(
        LayerNoise(
            _short(name),
            op,
            _decibels(signal, error),
            round(min(1.0, float(step) / max(float(error), 1e-20)), 3),
        )
        for (source, op, tensor, name), (signal, error, step) in zip(pairs, sums, strict=True)
        if source is not None
    )


def collect_values(
    ranged: bytes, spec: Preprocessing, pixels: RowSource, indices: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Return for each operator's output, by tensor name, the values seen on pixels[indices], at most 400,000."""
    traced = _TracedModel(ranged)
    rng = np.random.default_rng(0)
    room = max(1, SAMPLES // max(1, len(indices)))
    values: dict[str, list[NDArray[np.float32]]] = {}
    for index in indices:
        traced.run(pixels[index], spec)
        for _, tensor, name, _ in traced.operators():
            flat = traced.value(tensor).reshape(-1)
            # A sample may miss the extremes, which are what a range is about.
            ends = np.array([flat.min(), flat.max()], np.float32)
            some = rng.choice(flat, room) if flat.size > room else flat
            values.setdefault(name, []).append(np.concatenate([some, ends]))
    return {name: np.concatenate(parts) for name, parts in values.items()}


class _TracedModel:
    """A model whose inner tensors can be read after a run."""

    def __init__(self, model: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter: Any = Interpreter(
            model_content=model,
            # Delegates would compute several operators as one and hide what lies between.
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._details = {int(entry["index"]): entry for entry in self._interpreter.get_tensor_details()}
        self._outputs = [
            (str(op["op_name"]), int(op["outputs"][0]))
            for op in self._interpreter._get_ops_details()
            if len(op["outputs"])
        ]

    def operators(self) -> list[tuple[str, int, str, bool]]:
        """Return (operator, output tensor, its name, whether it is the last)."""
        last = len(self._outputs) - 1
        return [
            (op, tensor, str(self._details[tensor]["name"]), place == last)
            for place, (op, tensor) in enumerate(self._outputs)
        ]

    def find(self, name: str, *, last: bool) -> int | None:
        """Return the tensor of that name, or the output for the last, whose names may differ; None without one."""
        for _, tensor, own, at_end in self.operators():
            if own == name or (last and at_end):
                return tensor
        return None

    def run(self, photo: NDArray[np.uint8], spec: Preprocessing) -> None:
        value = normalizer(spec)(photo.astype(np.float32))
        scale, zero_point = self._input["quantization"]
        if scale:
            value = np.clip(np.round(value / scale) + zero_point, -128, 127)
        self._interpreter.set_tensor(self._input["index"], value.astype(self._input["dtype"])[None])
        self._interpreter.invoke()

    def quantization(self, tensor: int) -> tuple[float, int]:
        scale, zero_point = self._details[tensor]["quantization"]
        return float(scale), int(zero_point)

    def value(self, tensor: int) -> NDArray[Any]:
        value: NDArray[Any] = self._interpreter.get_tensor(tensor)
        return value


def _squares(expected: NDArray[np.float32], whole: _TracedModel, tensor: int) -> tuple[float, float, float]:
    """Return the mean squares of the signal, of the error, and of the error that rounding this output alone makes."""
    scale, zero_point = whole.quantization(tensor)
    got = (whole.value(tensor).astype(np.float32) - zero_point) * scale
    rounded = (np.clip(np.round(expected / scale) + zero_point, -128, 127) - zero_point) * scale
    return (
        float(np.square(expected).mean()),
        float(np.square(got - expected).mean()),
        float(np.square(rounded - expected).mean()),
    )


def _decibels(signal: float, noise: float) -> float:
    return round(10 * float(np.log10(max(signal, 1e-20) / max(noise, 1e-20))), 1)


def _short(name: str) -> str:
    """Return the layer's own name out of the converter's 'fieldfare_1/network_1/block_1_add_1/Add;...'."""
    outer = ("fieldfare", "network", "functional", "Stateful")
    parts = [part for part in name.split(";")[0].split("/") if not part.startswith(outer)]
    return parts[0].removesuffix("_1") if parts else "logits"
