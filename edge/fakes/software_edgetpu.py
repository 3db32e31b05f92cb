"""Build and control a software Edge TPU: a library that replaces libedgetpu, loaded through the real load_delegate.

For tests, benchmarks and trials. It runs compiled models: it looks answers up in a table made with the model's CPU
version, takes a set time for each, and fails by script like hardware. To use it, set

    engine.edgetpu_library      the path that `build` returns
    FIELDFARE_SOFTWARE_EDGETPU  environment variable: the folder of `write_script` and `write_answers`

Both files may change while it runs; changes take effect within 10 ms.

It does not compute: an input that is not in the table has no answer of its own. If a model's first or last operators
run on the CPU, the table must hold the tensors between them and the Edge TPU's part.
"""

import shutil
import struct
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge.errors import EngineError, MissingPackageError
from edge.inference.base import Classifier
from edge.preprocess import Tensor
from edge.storage import write_file

ENVIRONMENT = "FIELDFARE_SOFTWARE_EDGETPU"
LIBRARY = "libsoftware_edgetpu.so"

Mode = Literal[
    "ok",
    "refuse",
    "absent",
    "error",
    "hang",
    "abort",
    "segfault",
    "garbage",
    "constant",
    "stale",
    "unwritten",
    "nan",
]
Answers = Mapping[int, bytes]

_SOURCE = Path(__file__).with_name("software_edgetpu.c")
_MAGIC = b"FFTPU001"
_COMPILE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The behaviour of the software Edge TPU. software_edgetpu_files.h explains each key and its values."""

    mode: Mode = "ok"
    at: Literal["invoke", "load"] = "invoke"
    after: int = 0
    time_us: int = 0
    seconds: int = 0
    value: int = 0
    unknown: Literal["error", "default", "pick"] = "error"
    devices: tuple[str, ...] = ("usb:0",)
    plug: int = 0

    def text(self) -> str:
        """Return the file's contents."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["devices"] = ",".join(self.devices) or "none"
        return " ".join(f"{key}={value}" for key, value in values.items()) + "\n"


def build(folder: Path) -> Path:
    """Compile the library into `folder`, which must exist; return its path. Raises MissingPackageError without a C
    compiler, EngineError with the compiler's messages if it fails."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise MissingPackageError("no C compiler (cc) for the software Edge TPU: apt install gcc libc6-dev")
    library = folder / LIBRARY
    command = [compiler, "-shared", "-fPIC", "-O2", "-pthread", "-Wall", "-Wextra", "-o", str(library), str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_COMPILE_S, check=False)
    if done.returncode != 0:
        raise EngineError(f"the software Edge TPU does not compile: {done.stderr.strip() or done.returncode}")
    return library


def write_script(folder: Path, script: Script) -> None:
    """Write `script` to `folder` atomically: a reader sees the old one or the new one."""
    write_file(folder / "script", script.text().encode(), overwrite=True)


def write_answers(folder: Path, answers: Answers, default: bytes | None = None) -> None:
    """Write a table of answers to `folder` atomically. Raises ValueError if it is empty, or the sizes differ.

    answers: hash_tensor of an input -> the output tensor's bytes.
    default: the answer to other inputs, if the script has `unknown=default`.
    """
    ordered = sorted(answers.items())
    sizes = {len(answer) for _, answer in ordered} | ({len(default)} if default is not None else set())
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"answers of {sorted(sizes)} bytes: must be one size, at least 1")
    parts = [struct.pack("<8sQQQ", _MAGIC, len(ordered), sizes.pop(), default is not None)]
    parts.append(np.array([key for key, _ in ordered], "<u8").tobytes())
    parts += [answer for _, answer in ordered]
    write_file(folder / "answers.bin", b"".join([*parts, default or b""]), overwrite=True)


def answers_for(classifier: Classifier, tensors: Iterable[Tensor]) -> dict[int, bytes]:
    """Return a table of the answers of `classifier`, the CPU version, to `tensors`.

    tensors: quantized inputs as for Classifier.load; the keys are hash_tensor of them.
    """
    answers = {}
    for tensor in tensors:
        classifier.load(tensor)
        answers[hash_tensor(tensor)] = classifier.invoke().tobytes()
    return answers


def hash_tensor(tensor: NDArray[np.generic]) -> int:
    """Return a 64-bit hash of a tensor's bytes, the same as software_edgetpu_hash in software_edgetpu.c."""
    data = tensor.tobytes()
    words = np.frombuffer(data + bytes(-len(data) % 8), "<u8")
    places = np.arange(1, words.size + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    length = _mix(np.array([len(data)], np.uint64))
    return (int(_mix(words + places).sum(dtype=np.uint64)) + int(length[0])) & (2**64 - 1)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(32))
    return mixed
