"""Run a .tflite model in LiteRT or tflite-runtime, on the CPU or, through a delegate, on an Edge TPU."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Manifest
from edge.errors import BundleError, EngineError
from edge.inference.runtime import TfliteRuntime
from edge.preprocess import Tensor


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
        except (ValueError, RuntimeError, OSError) as error:
            raise EngineError(f"{runtime.name} {runtime.version} refused the model: {_one_line(error)}") from error
        self.inputs = [_details(entry) for entry in self._interpreter.get_input_details()]
        self.outputs = [_details(entry) for entry in self._interpreter.get_output_details()]
        self._input = self._interpreter.tensor(self._interpreter.get_input_details()[0]["index"])
        self._output = self._interpreter.tensor(self._interpreter.get_output_details()[0]["index"])
        self._closed = False

    @property
    def engine(self) -> str:
        """See Classifier.engine."""
        return self._engine

    def load(self, tensor: Tensor) -> None:
        """See Classifier.load."""
        self._check_open()
        memory = self._input()
        if (tensor.dtype, tensor.size) != (memory.dtype, memory.size):
            raise TypeError(f"{tensor.size} values of {tensor.dtype}, must be {memory.size} of {memory.dtype}")
        memory.data.cast("B")[:] = np.ascontiguousarray(tensor).data.cast("B")

    def mark_output(self, mark: Callable[[NDArray[np.generic]], None]) -> None:
        """See OpenClassifier.mark_output."""
        self._check_open()
        mark(self._output())

    def invoke(self) -> NDArray[np.generic]:
        """See Classifier.invoke."""
        self._check_open()
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"{self._engine}: inference failed: {_one_line(error)}") from error
        memory = self._output()
        return np.frombuffer(memory.tobytes(), memory.dtype).reshape(memory.shape)

    def close(self) -> None:
        """See Classifier.close."""
        self._closed = True
        self._interpreter = self._input = self._output = None

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("the classifier is closed: open the bundle again")


def check_details(classifier: TfliteClassifier, manifest: Manifest) -> None:
    """Compare the tensors that the runtime found in the model with the manifest. Raises BundleError if they differ."""
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


def _compare(what: str, found: object, said: object) -> None:
    if found != said:
        raise BundleError(f"{what}: the model has {found}, the manifest {said}: make the bundle again")


def _compare_scale(what: str, found: float, said: float) -> None:
    if not np.isclose(found, said, rtol=1e-6, atol=0):
        raise BundleError(f"{what}: the model has {found}, the manifest {said}: make the bundle again")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


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
