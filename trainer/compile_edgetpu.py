"""int8 model -> its Edge TPU twin, through Coral's edgetpu_compiler where there is one.

The compiler is closed and runs on x86-64 Linux only; version 16.0 is the last. What it prints is parsed by the
lines of real runs (versions 14.1, 15.0 and 16.0).
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError, UnavailableError

COMMAND = "edgetpu_compiler"
TIMEOUT_S = 300
GRACE_S = 30  # beyond its own time limit, for it to end by itself
_CUSTOM_OPERATOR = b"edgetpu-custom-op"
_UNITS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_MAPPED = "Mapped to Edge TPU"


@dataclass(frozen=True, slots=True)
class OperatorRow:
    """One row of the compiler's table."""

    operator: str
    count: int
    status: str


@dataclass(frozen=True, slots=True)
class CompilerReport:
    """What the compiler said; None where it did not say."""

    version: str
    on_tpu: int
    on_cpu: int
    on_chip_bytes: int | None
    off_chip_bytes: int | None
    rows: tuple[OperatorRow, ...]


@dataclass(frozen=True, slots=True)
class Compiled:
    """The compiled twin, the compiler's report and its words."""

    model: bytes
    report: CompilerReport
    log: str


def compile_model(model: bytes, *, command: str = COMMAND, timeout_s: float = TIMEOUT_S) -> Compiled:
    """Compile `model`. Raises UnavailableError without a compiler, ModelError where it refuses, does not end
    in time, or hands over something that is no compiled model."""
    program = shutil.which(command)
    if program is None:
        raise UnavailableError(f"{command} is not on this machine (x86-64 Linux, coral.ai/docs/edgetpu/compiler)")
    with tempfile.TemporaryDirectory(prefix="fieldfare-compile-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(model)
        words = [program, "--show_operations", "--timeout_sec", f"{timeout_s:.0f}", "--out_dir", name]
        try:
            status, said = _run([*words, str(folder / "model.tflite")], timeout_s + GRACE_S)
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"{command}: no end after {timeout_s + GRACE_S:.0f} s: the model is too large") from error
        except OSError as error:
            raise UnavailableError(f"{command}: cannot be started: {error}") from error
        output = folder / "model_edgetpu.tflite"
        if status != 0 or not output.is_file():
            raise ModelError(f"{command} refused the model: {_reason(said, status)}")
        log_file = folder / "model_edgetpu.log"
        log = said + ("\n" + log_file.read_text(errors="replace") if log_file.is_file() else "")
        compiled = output.read_bytes()
    if compiled[4:8] != b"TFL3" or _CUSTOM_OPERATOR not in compiled:
        raise ModelError(f"{command}: its output holds no operator for the Edge TPU")
    return Compiled(compiled, parse_report(log), log)


def _run(words: list[str], timeout_s: float) -> tuple[int, str]:
    """Status and all output. The compiler works in a child of its own, so its whole process group is ended
    where it takes too long or the user interrupts. Raises TimeoutExpired, OSError."""
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    return process.returncode, said


def parse_report(text: str) -> CompilerReport:
    """Read what the compiler printed, its log appended or not. Raises ModelError where no version and no
    operators are in it."""
    version = re.search(r"Edge TPU Compiler version (\S+)", text)
    rows = _table(text)
    on_tpu = _number(text, r"operations that will run on Edge TPU: (\d+)")
    on_cpu = _number(text, r"operations that will run on CPU: (\d+)")
    if on_tpu is None and rows:
        on_tpu = sum(row.count for row in rows if row.status == _MAPPED)
    if on_cpu is None and rows:
        on_cpu = sum(row.count for row in rows if row.status != _MAPPED)
    if on_tpu is None and on_cpu is None and "Model compiled successfully" in text:
        on_tpu = _number(text, r"Total number of operations: (\d+)")
    if version is None or on_tpu is None:
        raise ModelError(f"{COMMAND} printed nothing that is known: {_reason(text, 0)}")
    return CompilerReport(
        version=version[1],
        on_tpu=on_tpu,
        on_cpu=on_cpu or 0,
        on_chip_bytes=_bytes(text, "On-chip memory used for caching model parameters"),
        off_chip_bytes=_bytes(text, "Off-chip memory used for streaming uncached model parameters"),
        rows=rows,
    )


def _table(text: str) -> tuple[OperatorRow, ...]:
    """Rows after a heading 'Operator Count Status', once each: output and log may repeat the table."""
    rows: dict[OperatorRow, None] = {}
    inside = False
    for line in text.splitlines():
        if re.match(r"Operator\s+Count\s+Status", line):
            inside = True
            continue
        row = re.match(r"([A-Z][A-Z0-9_]*|[a-z][\w-]*)\s+(\d+)\s+(\S.*?)\s*$", line)
        if inside and row:
            rows[OperatorRow(row[1], int(row[2]), row[3])] = None
        elif line.strip():
            inside = False
    return tuple(rows)


def _number(text: str, pattern: str) -> int | None:
    found = re.search(pattern, text)
    return int(found[1]) if found else None


def _bytes(text: str, title: str) -> int | None:
    found = re.search(re.escape(title) + r": ([\d.]+)(B|KiB|MiB|GiB)", text)
    return round(float(found[1]) * _UNITS[found[2]]) if found else None


def _reason(text: str, status: int) -> str:
    """The last lines that say something; the first is the version."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = "; ".join(line for line in lines if not line.startswith("Edge TPU Compiler version"))
    return said[-300:] or f"status {status}"
