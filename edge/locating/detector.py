"""Run a detector, a .tflite that finds boxes, on the CPU or, through a delegate, on an Edge TPU."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import EngineError, ModelError
from edge.inference.runtime import TfliteRuntime
from edge.locating.detections import Outputs, Values, found_in
from edge.locating.places import Found, Place
from edge.preprocess import Scratch, reduce_to
from edge.records import Pixels

# The operator that the Edge TPU's compiler puts in place of those that it has compiled.
_COMPILED = b"edgetpu-custom-op"
# EfficientDet-Lite4, the largest of its family, has 20 MB.
MOST_BYTES = 256 << 20
_LARGEST_SIDE = 4096
_LARGEST_OTHER = 1 << 24  # values of a further input


def is_compiled(model: bytes) -> bool:
    """Return whether a .tflite was compiled for the Edge TPU."""
    return _COMPILED in model


class DetectorModel:
    """One interpreter with a picture as its input and the outputs of a detector. For one thread.

    Integer inputs get the pixels as they are, float ones as -1..1, in the order R, G, B, squeezed to the input's size.
    Further inputs, as the state of models for video, are 0.
    """

    def __init__(
        self,
        runtime: TfliteRuntime,
        model: bytes,
        *,
        threshold: float,
        least: float,
        threads: int = 1,
        delegate: object | None = None,
    ) -> None:
        """Load the model, and run it once. Raises EngineError if the runtime refuses it, ModelError if it is none that
        finds boxes.

        threshold: boxes with a lower score are none. least: as in MotionFinder.
        threads, delegate: as in TfliteClassifier.
        """
        self._runtime, self._threshold, self._least = runtime, threshold, least
        self._scratch = Scratch()
        self._before: tuple[Place, ...] = ()
        self._interpreter: Any
        try:
            self._interpreter = runtime.interpreter(
                model_content=model,
                num_threads=threads,
                experimental_delegates=[delegate] if delegate is not None else None,
            )
            self._interpreter.allocate_tensors()
            inputs = self._interpreter.get_input_details()
        except (ValueError, RuntimeError, OSError, TypeError, MemoryError) as error:
            raise self._failed("refused the detector", error) from error
        self._take_inputs(inputs)
        self._invoke()
        details = self._interpreter.get_output_details()
        self._places = [entry["index"] for entry in details]
        self._scales = [_scale_of(entry) for entry in details]
        shapes = [tuple(self._interpreter.get_tensor(place).shape) for place in self._places]
        self._outputs = Outputs(shapes, [str(entry["name"]) for entry in details])

    def _take_inputs(self, inputs: Sequence[Mapping[str, Any]]) -> None:
        pictures = [entry for entry in inputs if len(entry["shape"]) == 4 and tuple(entry["shape"])[::3] == (1, 3)]
        if len(pictures) != 1:
            raise ModelError(f"{len(pictures)} inputs of the shape 1xHxWx3: a detector has one")
        picture = pictures[0]
        height, width = (int(side) for side in picture["shape"][1:3])
        self._dtype = np.dtype(picture["dtype"])
        fits = min(height, width) >= 1 and max(height, width) <= _LARGEST_SIDE
        if not fits or self._dtype not in (np.uint8, np.int8, np.float32):
            allowed = f"uint8, int8 or float32, 1 to {_LARGEST_SIDE} pixels wide and high"
            raise ModelError(f"an input of {self._dtype.name}, {height}x{width}: must be {allowed}")
        self._input = self._interpreter.tensor(picture["index"])
        self._fitted_bgr = np.zeros((height, width, 3), np.uint8)
        self._ordered = np.zeros((height, width, 3), np.uint8)
        for entry in inputs:
            if entry is not picture:
                if np.prod(entry["shape"], dtype=np.int64) > _LARGEST_OTHER:
                    raise ModelError("a further input of the detector has over 16 million values")
                rest = np.full(entry["shape"], entry["quantization"][1], entry["dtype"])
                self._interpreter.set_tensor(entry["index"], rest)

    @property
    def size(self) -> tuple[int, int]:
        """Return the (width, height) of its input."""
        return self._fitted_bgr.shape[1], self._fitted_bgr.shape[0]

    @property
    def is_certain(self) -> bool:
        """Return whether it is known which outputs are the scores. As long as it is not, nothing is found."""
        return self._outputs.scores is not None

    def find(self, frame_bgr: Pixels) -> Sequence[Found]:
        """Return what is in the frame, surest first. Raises EngineError, and ModelError for numbers in other units.

        frame_bgr: uint8 (height, width, 3), B, G, R, of any size; it is not changed.
        """
        if self._interpreter is None:
            raise EngineError("the detector is closed")
        reduce_to(frame_bgr, self._fitted_bgr, self._scratch)
        cv2.cvtColor(self._fitted_bgr, cv2.COLOR_BGR2RGB, dst=self._ordered)
        self._write(self._input()[0])
        self._invoke()
        height, width = frame_bgr.shape[:2]
        boxes, scores = self._outputs.read({place: self._value(place) for place in self._wanted()})
        found = found_in(
            boxes,
            scores,
            width=width,
            height=height,
            threshold=self._threshold,
            least_px=self._least * width,
            before=self._before,
        )
        self._before = tuple(one.place for one in found)
        return found

    def close(self) -> None:
        """Free the model; safe to call twice."""
        self._interpreter = self._input = None

    def _wanted(self) -> tuple[int, ...]:
        count = self._outputs.count
        return (self._outputs.boxes, *self._outputs.pair, *(() if count is None else (count,)))

    def _write(self, memory: NDArray[np.generic]) -> None:
        if self._dtype == np.uint8:
            np.copyto(memory, self._ordered)
        elif self._dtype == np.int8:
            np.bitwise_xor(self._ordered, 0x80, out=memory.view(np.uint8))
        else:
            np.multiply(self._ordered, np.float32(1 / 127.5), out=memory)
            np.subtract(memory, np.float32(1), out=memory)

    def _value(self, place: int) -> Values:
        """Return an output as real values, new memory."""
        raw = self._interpreter.get_tensor(self._places[place])
        scale, zero_point = self._scales[place]
        values: Values = raw.astype(np.float32)
        return (values - np.float32(zero_point)) * np.float32(scale) if scale else values

    def _invoke(self) -> None:
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError, MemoryError) as error:
            raise self._failed("failed in the detector", error) from error

    def _failed(self, what: str, error: Exception) -> EngineError:
        text = "".join(c if c.isprintable() else "?" for c in " ".join(str(error).split()))[:300]
        return EngineError(f"{self._runtime.name} {self._runtime.version} {what}: {text or 'it gave no reason'}")


def _scale_of(entry: Mapping[str, Any]) -> tuple[float, int]:
    scale, zero_point = entry["quantization"]
    return float(scale), int(zero_point)
