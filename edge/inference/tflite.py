"""Run a .tflite model in LiteRT or tflite-runtime, on the CPU or, through a delegate, on an Edge TPU."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Manifest
from edge.errors import BundleError, EngineError
from edge.inference.runtime import TfliteRuntime
from edge.preprocess import Tensor

# 255 times it, divided by its inverse, is still far below float32's 3e38.
_LARGEST = 1e9
_GLUED = re.compile(r"(?<=[a-z0-9).])(?=(?:unsupported|failed|invalid|unexpected|mismatching|Node number|Failed) )")
_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class TensorDetails:
    """One tensor as the runtime describes it.

    name: in the model.
    shape: with the sizes in use now.
    signature: the shape, with -1 for a dimension that may change.
    dtype: NumPy's name of it.
    scale, zero_point: real value = (value - zero_point) * scale.
    scales: number of quantization scales, 0 if not quantized.
    """

    name: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int
    scales: int


class TfliteClassifier:
    """One interpreter with one input and one output. Not thread-safe.

    `load` copies the tensor into the interpreter's own input memory.
    """

    # `load` and `invoke` copy plain bytes. NumPy releases the interpreter lock to copy more than 500 values, and a busy
    # thread may then hold it: with such copies here and in the guard, one in a hundred pauses between two inferences
    # took 1 ms, without them 0.2 to 0.5 ms (2 x86-64 cores, software Edge TPU of 2.6 ms, November 2026).

    def __init__(
        self,
        runtime: TfliteRuntime,
        model: bytes,
        *,
        threads: int = 1,
        delegate: object | None = None,
        processor: str = "cpu",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Load the model and allocate its tensors. Raises EngineError if the runtime refuses it.

        model: a .tflite whose hash was checked; a damaged one can crash the process.
        threads: of the CPU.
        delegate: what the runtime's load_delegate returned, or None for the CPU.
        processor: its name in `engine`.
        options: further arguments of the runtime's interpreter.
        """
        if not model:
            raise EngineError("the model is an empty file: make the bundle again")
        self._engine = f"{runtime.name} {runtime.version}, {processor}"
        if processor == "cpu":
            self._engine += f", {threads} thread{'s' if threads != 1 else ''}"
        try:
            self._interpreter = runtime.interpreter(
                model_content=model,
                num_threads=threads,
                experimental_delegates=[delegate] if delegate is not None else None,
                **(options or {}),
            )
            self._interpreter.allocate_tensors()
            inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
            self.inputs = [_details(entry) for entry in inputs]
            self.outputs = [_details(entry) for entry in outputs]
        # UnicodeDecodeError, a ValueError, for a name; TypeError for a type that NumPy lacks.
        except (ValueError, RuntimeError, OSError, TypeError, MemoryError) as error:
            raise EngineError(f"{runtime.name} {runtime.version} refused the model: {_one_line(error)}") from error
        if not (inputs and outputs):
            raise EngineError(f"the model has {len(inputs)} inputs and {len(outputs)} outputs, must be 1 and 1")
        self._input = self._interpreter.tensor(inputs[0]["index"])
        self._output = self._interpreter.tensor(outputs[0]["index"])
        self._closed = False

    @property
    def engine(self) -> str:
        """See Classifier.engine."""
        return self._engine

    def load(self, tensor: Tensor) -> None:
        """See Classifier.load."""
        self._check_open()
        memory = self._memory(self._input)
        if (tensor.dtype, tensor.size) != (memory.dtype, memory.size):
            raise TypeError(f"{tensor.size} values of {tensor.dtype}, must be {memory.size} of {memory.dtype}")
        memory.data.cast("B")[:] = np.ascontiguousarray(tensor).data.cast("B")

    def mark_output(self, mark: Callable[[NDArray[np.generic]], None]) -> None:
        """See OpenClassifier.mark_output."""
        self._check_open()
        mark(self._memory(self._output))

    def invoke(self) -> NDArray[np.generic]:
        """See Classifier.invoke."""
        self._check_open()
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise EngineError(f"{self._engine}: inference failed: {_one_line(error)}") from error
        memory = self._memory(self._output)
        return np.frombuffer(memory.tobytes(), memory.dtype).reshape(memory.shape)

    def close(self) -> None:
        """See Classifier.close."""
        self._closed = True
        self._interpreter = self._input = self._output = None

    def _memory(self, tensor: Callable[[], NDArray[np.generic]]) -> NDArray[np.generic]:
        """Return a tensor's own memory. Raises EngineError if it has none, as a tensor of no fixed size may."""
        try:
            return tensor()
        except (ValueError, RuntimeError, TypeError) as error:
            raise EngineError(f"{self._engine}: a tensor without memory: {_one_line(error)}") from error

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the classifier is closed: open the bundle again")


def check_details(classifier: TfliteClassifier, manifest: Manifest) -> None:
    """Compare the tensors that the runtime found in the model with the manifest. Raises BundleError if they differ, or
    if 32-bit arithmetic cannot carry its numbers."""
    if len(classifier.inputs) != 1 or len(classifier.outputs) != 1:
        raise BundleError(
            f"the model has {len(classifier.inputs)} inputs and {len(classifier.outputs)} outputs, must be 1 and 1"
        )
    found, said = classifier.inputs[0], manifest.input
    shape = (1, said.height, said.width, 3)
    _compare("input shape", found.shape, shape)
    _compare("input dtype", found.dtype, said.dtype)
    _compare("input zero point", found.zero_point, said.quantization.zero_point)
    _compare_scale("input scale", found.scale, said.quantization.scale)
    output, promised = classifier.outputs[0], manifest.output
    _compare("number of outputs", int(np.prod(output.shape)), promised.classes)
    _compare("output dtype", output.dtype, promised.dtype)
    _compare("output zero point", output.zero_point, promised.quantization.zero_point)
    _compare_scale("output scale", output.scale, promised.quantization.scale)
    _check_numbers(manifest)


def _check_numbers(manifest: Manifest) -> None:
    """Refuse numbers that become infinite, or none at all, between pixel and score."""
    # Not on opening: the format allows any number above 0, and `bundle show` shows it.
    numbers = {
        "input scale": manifest.input.quantization.scale,
        "output scale": manifest.output.quantization.scale,
        "temperature": manifest.calibration.temperature,
        **{f"std[{place}]": value for place, value in enumerate(manifest.preprocessing.std)},
    }
    for what, value in numbers.items():
        if not 1 / _LARGEST <= value <= _LARGEST:
            raise BundleError(f"{what} {value:g}, must be {1 / _LARGEST:g} to {_LARGEST:g}: make the bundle again")
    for place, value in enumerate(manifest.preprocessing.mean):
        if abs(value) > _LARGEST:
            raise BundleError(f"mean[{place}] {value:g}, must be {-_LARGEST:g} to {_LARGEST:g}: make the bundle again")


def _compare(what: str, found: object, said: object) -> None:
    if found != said:
        raise BundleError(f"{what}: the model has {found}, the manifest {said}: make the bundle again")


def _compare_scale(what: str, found: float, said: float) -> None:
    if not np.isclose(found, said, rtol=1e-6, atol=0):
        raise BundleError(f"{what}: the model has {found}, the manifest {said}: make the bundle again")


def _one_line(error: Exception) -> str:
    """Return what a runtime reports; names out of the model may be part of it."""
    # LiteRT puts several messages together without anything between them.
    text = _GLUED.sub("; ", " ".join(str(error).split()))
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text[:_MAX_REASON] or "it gave no reason, as without memory"


def _details(entry: Mapping[str, Any]) -> TensorDetails:
    scale, zero_point = entry["quantization"]
    return TensorDetails(
        name=str(entry["name"]),
        shape=tuple(int(n) for n in entry["shape"]),
        signature=tuple(int(n) for n in entry["shape_signature"]),
        dtype=np.dtype(entry["dtype"]).name,
        scale=float(scale),
        zero_point=int(zero_point),
        scales=len(entry["quantization_parameters"]["scales"]),
    )
