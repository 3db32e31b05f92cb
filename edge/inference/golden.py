"""Record golden inputs and check engines with them: frames with known pixels, known raw outputs and a tolerance.

Each bundle measures its own tolerance. More pictures than it keeps go through the runtime's default, plain and
reference kernels, with one and two threads. The four whose outputs differ least are kept, of different best classes
if possible. The tolerance is twice the largest difference among them, and at least 24 steps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Golden, GoldenCase
from edge.bundle.store import Bundle
from edge.errors import BundleError, EngineError, ImageError
from edge.images import decode_image
from edge.inference.base import Classifier
from edge.inference.runtime import TfliteRuntime
from edge.inference.tflite import TfliteClassifier
from edge.preprocess import Preprocessor, Tensor
from edge.records import Pixels

# Runtimes, kernels and instruction sets round differently: the best score of one model was 167, 169 and 174 of 255 on
# three machines (measured for this project).
MIN_TOLERANCE = 24
KEPT = 4
PIXEL_TOLERANCE = 1
MAX_FRAME_SIDE = 320
# A PNG begins with its signature, and the length and name of a part that holds width and height.
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"


@dataclass(frozen=True, slots=True)
class Kernels:
    """One way to run a model on the CPU.

    name: of the kernels, for people.
    threads: of the CPU.
    options: further arguments of the runtime's interpreter.
    """

    name: str
    threads: int
    options: Mapping[str, object] = field(default_factory=dict)

    def load(self, runtime: TfliteRuntime, model: bytes) -> TfliteClassifier:
        """Load `model` in this way. Raises EngineError."""
        return TfliteClassifier(runtime, model, threads=self.threads, options=self.options)


@dataclass(frozen=True, slots=True)
class GoldenReport:
    """The result of a check: the largest difference in pixel steps and in output steps, and what is wrong."""

    cases: int
    worst_pixel: int
    worst_output: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class GoldenInput:
    """One case, ready to run.

    name: of the frame's file in the bundle.
    tensor: the input for `Classifier.load`, (H, W, 3), in the model's dtype.
    expected: the recorded raw output, flat.
    pixel_error: largest difference of this machine's resize from the recorded one, in pixel steps.
    """

    name: str
    tensor: Tensor
    expected: NDArray[np.int64]
    pixel_error: int

    def answer_of(self, classifier: Classifier) -> NDArray[np.generic]:
        """Return the raw output of `classifier` for this input, flat. Raises EngineError if it has another size."""
        return _run(classifier, self.tensor, self.expected.size)

    def output_error(self, answer: NDArray[np.generic]) -> int:
        """Return the largest difference of a raw output, of any shape, from the recorded one, in output steps."""
        return _distance(answer.reshape(-1), self.expected)


@dataclass(frozen=True, slots=True)
class GoldenInputs:
    """A bundle's golden inputs, decoded and quantized once, so that running one costs no more than an inference."""

    cases: tuple[GoldenInput, ...]
    dtype: np.dtype[np.generic]
    pixel_tolerance: int
    output_tolerance: int

    def check(self, classifier: Classifier) -> GoldenReport:
        """Run every golden input and compare."""
        worst_pixel = worst_output = 0
        problem = None
        for case in self.cases:
            output = case.output_error(case.answer_of(classifier))
            worst_pixel, worst_output = max(worst_pixel, case.pixel_error), max(worst_output, output)
            if problem is None and case.pixel_error > self.pixel_tolerance:
                problem = f"{case.name}: pixels differ by {case.pixel_error} steps, at most {self.pixel_tolerance}"
            if problem is None and output > self.output_tolerance:
                problem = f"{case.name}: outputs differ by {output} steps, at most {self.output_tolerance}"
        return GoldenReport(len(self.cases), worst_pixel, worst_output, problem)

    def require(self, classifier: Classifier) -> GoldenReport:
        """Run every golden input and compare. Raises EngineError if an answer is out of tolerance."""
        report = self.check(classifier)
        if report.problem is not None:
            raise EngineError(f"{classifier.engine}: wrong answer to a golden input: {report.problem}")
        return report

    def most_telling(self, answer: NDArray[np.generic]) -> GoldenInput:
        """Return the case whose recorded output differs most from `answer`. An engine stuck at `answer` is the most
        wrong on it."""
        return max(self.cases, key=lambda case: case.output_error(answer))


def prepare(bundle: Bundle, preprocessor: Preprocessor) -> GoldenInputs:
    """Decode the golden inputs and preprocess their frames. Raises BundleError if one does not fit the model."""
    # Pixels and outputs are compared separately, and the model gets the recorded pixels: a resize that is off by a
    # step can neither hide nor cause a difference in the outputs.
    golden = bundle.manifest.golden
    cases = []
    for case in golden.cases:
        wide, high = preprocessor.width, preprocessor.height
        frame_bgr = _decode(bundle.contents[case.frame], case.frame, (1, 1), (MAX_FRAME_SIDE, MAX_FRAME_SIDE))
        expected = _decode(bundle.contents[case.pixels], case.pixels, (wide, high), (wide, high))[:, :, ::-1]
        pixels = preprocessor.pixels(frame_bgr)
        output = np.array(case.output, np.int64)
        cases.append(
            GoldenInput(case.frame, preprocessor.quantize(expected), output, pixel_error=_distance(pixels, expected))
        )
    dtype = np.dtype(bundle.manifest.output.dtype)
    return GoldenInputs(tuple(cases), dtype, golden.pixel_tolerance, golden.output_tolerance)


def require(bundle: Bundle, classifier: Classifier, preprocessor: Preprocessor) -> GoldenReport:
    """Run every golden input through `preprocessor` and `classifier`. Raises EngineError if an answer is out of
    tolerance."""
    return prepare(bundle, preprocessor).require(classifier)


def make(
    runtime: TfliteRuntime,
    model: bytes,
    preprocessor: Preprocessor,
    frames_bgr: Sequence[Pixels],
) -> tuple[Golden, dict[str, bytes]]:
    """Record the answers of `model` to `frames_bgr`; return the manifest's part and its files by name.

    frames_bgr: uint8 (height, width, 3), B, G, R. They are reduced to at most 320 pixels a side, and stored so; the
    four with the steadiest outputs are kept.
    """
    variants = [entry.load(runtime, model) for entry in kernels(runtime)]
    recorded = [_record(preprocessor, variants, frame) for frame in frames_bgr]
    kept = _choose(recorded)
    spread = max(entry.spread for entry in kept)
    files: dict[str, bytes] = {}
    cases: list[GoldenCase] = []
    for number, entry in enumerate(kept):
        case = GoldenCase(frame=f"golden{number}-frame.png", pixels=f"golden{number}-pixels.png", output=entry.output)
        files[case.frame] = _png(entry.frame_bgr)
        files[case.pixels] = _png(entry.pixels[:, :, ::-1])
        cases.append(case)
    golden = Golden(
        pixel_tolerance=PIXEL_TOLERANCE,
        output_tolerance=min(128, max(MIN_TOLERANCE, 2 * spread)),
        measured_spread=spread,
        measured_with=f"{runtime.name} {runtime.version}, {len(variants)} variants, {len(recorded)} pictures",
        cases=tuple(cases),
    )
    return golden, files


@dataclass(frozen=True, slots=True)
class _Recorded:
    frame_bgr: Pixels
    pixels: Pixels
    output: tuple[int, ...]
    spread: int


def _choose(recorded: Sequence[_Recorded]) -> list[_Recorded]:
    """Return four pictures: first one of each best class, then the steadiest."""
    # Different best classes, so that an engine stuck at one answer is wrong on some of them; but only of pictures
    # steady enough not to widen the tolerance.
    by_spread = sorted(recorded, key=lambda entry: entry.spread)
    first_of: dict[int, _Recorded] = {}
    for entry in by_spread:
        if 2 * entry.spread <= MIN_TOLERANCE:
            first_of.setdefault(int(np.argmax(entry.output)), entry)
    firsts = list(first_of.values())
    rest = [entry for entry in by_spread if not any(entry is first for first in firsts)]
    return (firsts + rest)[:KEPT]


def _record(preprocessor: Preprocessor, variants: Sequence[TfliteClassifier], original_bgr: Pixels) -> _Recorded:
    frame_bgr = shrink(original_bgr)
    pixels = preprocessor.pixels(frame_bgr)
    tensor = preprocessor.quantize(pixels)
    answers = [_run(variant, tensor) for variant in variants]
    spread = max(_distance(a, b) for a in answers for b in answers)
    return _Recorded(frame_bgr, pixels, tuple(int(v) for v in answers[0]), spread)


def _run(classifier: Classifier, tensor: Tensor, size: int | None = None) -> NDArray[np.generic]:
    classifier.load(tensor)
    answer = classifier.invoke().reshape(-1)
    if size is not None and answer.size != size:
        raise EngineError(f"{classifier.engine}: {answer.size} outputs to a golden input, must be {size}")
    return answer


def synthetic_frames(count: int = 16) -> list[Pixels]:
    """Draw pictures for a bundle without photos: smooth colour fields with shapes on them, the same on every
    machine. uint8 (240, 320, 3), B, G, R."""
    frames = []
    for number in range(count):
        rng = np.random.default_rng(1000 + number)
        field = cv2.resize(rng.integers(0, 256, (4, 5, 3)).astype(np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
        for _ in range(6):
            colour = tuple(int(v) for v in rng.integers(0, 256, 3))
            centre = int(rng.integers(0, 320)), int(rng.integers(0, 240))
            axes = int(rng.integers(10, 90)), int(rng.integers(10, 90))
            cv2.ellipse(field, centre, axes, int(rng.integers(0, 180)), 0, 360, colour, -1)
        frames.append(np.asarray(field, dtype=np.uint8))
    return frames


def kernels(runtime: TfliteRuntime) -> list[Kernels]:
    """List the kernels of the default, with one and two threads, of the plain and of the reference resolver."""
    found = [Kernels("default", 1), Kernels("default", 2)]
    types = runtime.resolver_types
    if types is not None:
        found += [
            Kernels("plain", 1, {"experimental_op_resolver_type": types.BUILTIN_WITHOUT_DEFAULT_DELEGATES}),
            Kernels("reference", 1, {"experimental_op_resolver_type": types.BUILTIN_REF}),
        ]
    return found


def shrink(frame_bgr: Pixels) -> Pixels:
    """Reduce a frame to at most 320 pixels a side, the size of golden frames; a smaller one is returned itself."""
    scale = MAX_FRAME_SIDE / max(frame_bgr.shape[:2])
    if scale >= 1:
        return frame_bgr
    size = max(1, round(frame_bgr.shape[1] * scale)), max(1, round(frame_bgr.shape[0] * scale))
    return np.asarray(cv2.resize(frame_bgr, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _png(image_bgr: Pixels) -> bytes:
    done, data = cv2.imencode(".png", image_bgr)
    if not done:
        raise BundleError(f"OpenCV could not encode a golden frame of {image_bgr.shape}")
    return data.tobytes()


def _decode(data: bytes, name: str, least: tuple[int, int], most: tuple[int, int]) -> Pixels:
    """Decode a PNG whose width and height are within these; looked at before anything is decoded. Raises
    BundleError."""
    end = len(_PNG_START)
    size = int.from_bytes(data[end : end + 4], "big"), int.from_bytes(data[end + 4 : end + 8], "big")
    if not data.startswith(_PNG_START):
        raise BundleError(f"{name}: not a PNG: make the bundle again")
    if not all(low <= side <= high for low, side, high in zip(least, size, most, strict=True)):
        allowed = f"{most[0]}x{most[1]}" if least == most else f"at most {most[0]}x{most[1]}"
        raise BundleError(f"{name}: {size[0]}x{size[1]} pixels, must be {allowed}: make the bundle again")
    try:
        return decode_image(data, name)
    except ImageError as error:
        raise BundleError(str(error)) from error


def _distance(a: NDArray[np.generic], b: NDArray[np.generic]) -> int:
    return int(np.abs(a.astype(np.int64) - b.astype(np.int64)).max())
