"""Run a model of unknown origin in child processes only, as a damaged or hostile .tflite can crash or stall a runtime.

Run as `python -m edge.importing.model_trial PARENT`: reads a request from standard input, writes the answer to standard
output, both as MessagePack, and names the kernels that it tries on standard error.
"""

import os
import sys
import time
from collections.abc import Sequence

import msgspec
import numpy as np

from edge.bundle.files import MAX_BUNDLE_BYTES
from edge.bundle.manifest import Golden, InputTensor, Preprocessing
from edge.decoding import DecodingError, decode_msgpack
from edge.errors import FieldfareError, ModelError, UnavailableError
from edge.inference import golden
from edge.inference.runtime import RuntimeName, load_runtime
from edge.inference.tflite import TensorDetails
from edge.preprocess import Preprocessor
from edge.processes.child import ONE_THREAD, die_with, limit_memory
from edge.processes.process import describe_exit, last_line, module_command
from edge.processes.run import MAX_BYTES, Finished, run
from edge.records import Pixels

# For all runs of one model together. MobileNetV2 1.0 224 takes 2.5 s with its 16 pictures, most of that in the
# reference kernels (one x86-64 core, November 2026).
TIMEOUT_S = 120.0
# Of each picture more than the synthetic ones.
_PICTURE_S = 8.0
_SYNTHETIC = 16
# A damaged model can request any amount of memory. The child of MobileNetV2 1.0 224 takes 281 MB of data, half of that
# before it has loaded a model, and 520 MB of address space.
_DATA_BYTES = 5 << 28
_ADDRESS_BYTES = 4 << 30
_STAGE = b"fieldfare tries: "
_DEFAULT = "default"


class Probe(msgspec.Struct, frozen=True):
    """What a model's tensors are.

    inputs: the model's input tensors
    outputs: its output tensors
    """

    inputs: list[TensorDetails]
    outputs: list[TensorDetails]


class _Frame(msgspec.Struct, frozen=True):
    """A picture, uint8 (height, width, 3), B, G, R."""

    height: int
    width: int
    pixels: bytes


class _Recording(msgspec.Struct, frozen=True):
    """What recording golden inputs needs beside the model."""

    preprocessing: Preprocessing
    tensor: InputTensor
    frames: list[_Frame]


class _Request(msgspec.Struct, frozen=True):
    """recording: None to try the model with zeros."""

    runtime: RuntimeName
    model: bytes
    all_kernels: bool = True
    recording: _Recording | None = None


class _Answer(msgspec.Struct, frozen=True):
    """problem: why the runtime or we refused the model; None if there is an answer to the request."""

    problem: str | None = None
    probe: Probe | None = None
    golden: Golden | None = None
    files: dict[str, bytes] = {}


class ModelTrial:
    """A model that nobody vouches for. Each method runs it in a child process; all runs together get two minutes.

    They raise ModelError, whose message names no file, if the runtime refuses the model, crashes on it, takes too long
    or too much memory, and UnavailableError if no process can be started.
    """

    def __init__(self, model: bytes, runtime: RuntimeName = "auto") -> None:
        self._model, self._runtime = model, runtime
        self._left_s = TIMEOUT_S

    def probe(self, *, all_kernels: bool = True) -> Probe:
        """Load the model, run it once with zeros, and return its tensors.

        all_kernels: also with the runtime's plain and reference kernels, which other machines may use.
        """
        probe = self._try(_Request(self._runtime, self._model, all_kernels=all_kernels)).probe
        assert probe is not None
        return probe

    def record_golden(
        self, preprocessing: Preprocessing, tensor: InputTensor, frames_bgr: Sequence[Pixels]
    ) -> tuple[Golden, dict[str, bytes]]:
        """Record golden inputs, as edge.inference.golden.make does."""
        frames = [_Frame(frame.shape[0], frame.shape[1], frame.tobytes()) for frame in map(golden.shrink, frames_bgr)]
        self._left_s += _PICTURE_S * max(0, len(frames) - _SYNTHETIC)
        recording = _Recording(preprocessing, tensor, frames)
        answer = self._try(_Request(self._runtime, self._model, recording=recording))
        assert answer.golden is not None
        return answer.golden, answer.files

    def _try(self, request: _Request) -> _Answer:
        # The sizes of thread pools depend on the machine, and each thread's stack counts as data.
        command = module_command("edge.importing.model_trial", [str(os.getpid())], ONE_THREAD)
        began_s = time.monotonic()
        try:
            finished = run(
                command, max(1.0, self._left_s), given=msgspec.msgpack.encode(request), max_output=MAX_BUNDLE_BYTES
            )
        except OSError as error:
            raise UnavailableError(f"no process can be started to try the model: {error.strerror or error}") from error
        self._left_s -= time.monotonic() - began_s
        answer = _read(finished)
        if answer.problem is not None:
            raise ModelError(answer.problem)
        return answer


def _read(finished: Finished) -> _Answer:
    kernels = _kernels(finished.errors)
    if finished.killed_for == "time":
        raise ModelError(f"the runtime{kernels} gave no answer within {TIMEOUT_S:g} s: not a usable model")
    if finished.killed_for is not None:
        raise ModelError(f"the runtime printed more than {MAX_BYTES >> 20} MiB: not a usable model")
    if finished.status < 0:
        # 18 of 20,003 mutants of a small model crashed the runtime (measured for this project). A softmax of constants,
        # as untrained models have it, aborts all kernels but the default ones.
        raise ModelError(f"the runtime{kernels} {describe_exit(finished.status)} on it: damaged, or never trained")
    try:
        return decode_msgpack(finished.output, _Answer)
    except DecodingError as error:
        reason = last_line(finished.errors) or describe_exit(finished.status, finished.errors)
        raise ModelError(f"cannot be loaded: {reason}") from error


def _kernels(errors: bytes) -> str:
    """Return which kernels were tried last, in words; nothing for the default ones."""
    stage = errors.rpartition(_STAGE)[2].partition(b"\n")[0].decode(errors="replace") if _STAGE in errors else _DEFAULT
    return "" if stage == _DEFAULT else f"'s {stage} kernels"


def _answer(request: _Request) -> _Answer:
    try:
        runtime = load_runtime(request.runtime)
        if request.recording is None:
            return _Answer(probe=_probe(request))
        needs = request.recording
        frames = [np.frombuffer(f.pixels, np.uint8).reshape(f.height, f.width, 3) for f in needs.frames]
        made, files = golden.make(runtime, request.model, Preprocessor(needs.preprocessing, needs.tensor), frames)
    except FieldfareError as error:
        return _Answer(problem=" ".join(str(error).split()))
    except MemoryError:
        return _Answer(problem=f"needs more than {_DATA_BYTES >> 20} MiB of memory: not a usable model")
    return _Answer(golden=made, files=files)


def _probe(request: _Request) -> Probe:
    runtime = load_runtime(request.runtime)
    found = None
    for kernels in golden.kernels(runtime) if request.all_kernels else golden.kernels(runtime)[:1]:
        os.write(2, _STAGE + kernels.name.encode() + b"\n")
        classifier = kernels.load(runtime, request.model)
        given = classifier.inputs[0]
        classifier.load(np.zeros(given.shape, given.dtype))
        classifier.invoke()
        found = found or Probe(classifier.inputs, classifier.outputs)
        classifier.close()
    assert found is not None
    return found


def _main() -> None:
    limit_memory(_ADDRESS_BYTES, _DATA_BYTES)
    # Whatever libraries print belongs to standard error, or it would be read as a part of the answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    answer = _answer(decode_msgpack(sys.stdin.buffer.read(), _Request))
    with os.fdopen(answers, "wb") as out:
        out.write(msgspec.msgpack.encode(answer))


if __name__ == "__main__":
    # The time limit is the parent's: without it a model that loops would keep a core busy for ever.
    die_with(int(sys.argv[1]))
    _main()
