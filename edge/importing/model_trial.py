"""Try a model from an unknown source in a child process, as a damaged .tflite can crash the runtime.

Run as `python -m edge.importing.model_trial PARENT MODEL RUNTIME`; prints the tensors as JSON.
"""

import os
import sys
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from edge.errors import EngineError, ModelError, UnavailableError
from edge.inference.runtime import RuntimeName, load_runtime
from edge.inference.tflite import TensorDetails, TfliteClassifier
from edge.processes.child import ONE_THREAD, die_with, limit_memory
from edge.processes.process import describe_exit, last_line, module_command
from edge.processes.run import MAX_BYTES, Finished, run

TIMEOUT_S = 120
# A damaged model can request any amount of memory. This much address space is far more than a classifier needs.
_MEMORY_BYTES = 4 << 30


class Probe(msgspec.Struct, frozen=True):
    """The child's answer.

    inputs: the model's input tensors
    outputs: its output tensors
    problem: why the runtime refused it, else None
    """

    inputs: list[TensorDetails] = []
    outputs: list[TensorDetails] = []
    problem: str | None = None


def probe_model(path: Path, runtime: RuntimeName = "auto") -> Probe:
    """Load `path` and run it once with zeros in a child process.

    Raises ModelError if the runtime refuses it, crashes on it or does not answer within two minutes, and
    UnavailableError if no process can be started.
    """
    # 18 of 20,003 mutants of a small model crashed the runtime (measured for this project).
    try:
        words = [str(os.getpid()), str(path), runtime]
        finished = run(module_command("edge.importing.model_trial", words, ONE_THREAD), TIMEOUT_S)
    except OSError as error:
        raise UnavailableError(f"{path}: no process can be started to try it: {error.strerror or error}") from error
    probe = _read(path, finished)
    if probe.problem is not None:
        raise ModelError(f"{path}: {probe.problem}")
    return probe


def _read(path: Path, finished: Finished) -> Probe:
    if finished.killed_for == "time":
        raise ModelError(f"{path}: no answer within {TIMEOUT_S} s: not a usable model")
    if finished.killed_for is not None:
        raise ModelError(f"{path}: the runtime printed more than {MAX_BYTES >> 20} MiB: not a usable model")
    if finished.status < 0:
        raise ModelError(f"{path}: the runtime {describe_exit(finished.status)}: damaged model")
    try:
        return msgspec.json.decode(finished.output, type=Probe)
    except msgspec.DecodeError as error:
        reason = last_line(finished.errors) or describe_exit(finished.status, finished.errors)
        raise ModelError(f"{path}: cannot be loaded: {reason}") from error


def _main(path: str, runtime: str) -> Probe:
    try:
        classifier = TfliteClassifier(load_runtime(cast("RuntimeName", runtime)), Path(path).read_bytes())
        given = classifier.inputs[0]
        classifier.load(np.zeros(given.shape, given.dtype))
        classifier.invoke()
    except EngineError as error:
        return Probe(problem=" ".join(str(error).split()))
    return Probe(classifier.inputs, classifier.outputs)


if __name__ == "__main__":
    # The time limit is the parent's: without it a model that loops would keep a core busy for ever.
    die_with(int(sys.argv[1]))
    limit_memory(_MEMORY_BYTES)
    sys.stdout.buffer.write(msgspec.json.encode(_main(*sys.argv[2:4])))
