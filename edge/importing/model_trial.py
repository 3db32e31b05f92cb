"""Try a model that nobody has vouched for, in a child process: a damaged .tflite can crash the runtime (18 of
20,003 mutants of a small model did, measured for this project).

Run as `python -m edge.importing.model_trial MODEL RUNTIME`; prints the tensors as JSON.
"""

import subprocess
import sys
from pathlib import Path
from typing import cast

import msgspec
import numpy as np

from edge.errors import EngineError, ModelError
from edge.inference.runtime import RuntimeName, load_runtime
from edge.inference.tflite import TensorDetails, TfliteClassifier

TIMEOUT_S = 120


class Probe(msgspec.Struct, frozen=True):
    """What the child reports: the tensors, or why the runtime refused."""

    inputs: list[TensorDetails] = []
    outputs: list[TensorDetails] = []
    problem: str | None = None


def probe_model(path: Path, runtime: RuntimeName = "auto") -> Probe:
    """Load and run `path` once with zeros in a child process. Raises ModelError where the runtime refuses
    it, crashes on it or does not answer within two minutes."""
    # -P: no Python file of the current folder (a stick, say) is imported.
    command = [sys.executable, "-P", "-m", "edge.importing.model_trial", str(path), runtime]
    try:
        child = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{path}: no answer within {TIMEOUT_S} s: not a usable model") from error
    if child.returncode < 0:
        raise ModelError(f"{path}: the runtime crashed on it (signal {-child.returncode}): damaged model")
    try:
        probe = msgspec.json.decode(child.stdout, type=Probe)
    except msgspec.DecodeError as error:
        said = child.stderr.decode(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"status {child.returncode}"
        raise ModelError(f"{path}: cannot be loaded: {reason}") from error
    if probe.problem is not None:
        raise ModelError(f"{path}: {probe.problem}")
    return probe


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
    sys.stdout.buffer.write(msgspec.json.encode(_main(*sys.argv[1:3])))
