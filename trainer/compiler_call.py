"""Run edgetpu_compiler: on this machine, in a container, or on another machine through ssh.

The command is one string, split as a shell does, without a shell. Called as it is, it gets paths in a temporary
folder, which `{folder}` in the command stands for, so that a container can mount it. A command that begins with
ssh gets no paths: the model goes in and the results come back as tar archives on its standard input and output.
"""

import contextlib
import io
import os
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError, UnavailableError
from trainer.compiler_report import last_words

COMMAND = "edgetpu_compiler"
TIMEOUT_S = 300.0
GRACE_S = 30.0  # beyond its own time limit, for it to end by itself
MAX_BYTES = 256 * 1024 * 1024  # of what comes back; a model that a Coral can use has some 40 MB at most
ADD_LATER = (
    "compile it elsewhere and add it: fieldfare bundle add-edgetpu BUNDLE model_edgetpu.tflite --log model_edgetpu.log"
)
_SSH_FAILED = 255  # ssh's own status: no connection, no such host
_NOT_CALLED = (125, 126, 127)  # docker's own failure; found but not to be run; not found (docker and any shell)

# The compiler's words go into a file, because standard output is the archive's.
_REMOTE = """\
f=$(mktemp -d) && trap 'rm -rf "$f"' EXIT && cd "$f" && tar -xf - || exit 254
{program} {options} --out_dir . model.tflite >compiler.out 2>&1
s=$?
tar -cf - compiler.out $(ls model_edgetpu.tflite model_edgetpu.log 2>/dev/null)
exit $s
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the compiler ended, what it printed, and its files where it left them."""

    status: int
    said: str
    model: bytes | None
    log: str


def run_compiler(model: bytes, command: str, timeout_s: float) -> Answer:
    """Compile `model` with `command`. Raises UnavailableError where it cannot be called, ModelError where it does
    not end within timeout_s and half a minute: then it is killed with all that it started."""
    words = split_command(command)
    if Path(words[0]).name == "ssh":
        return _over_ssh(model, words, timeout_s)
    program = shutil.which(words[0])
    if program is None:
        raise UnavailableError(
            f"{words[0]} is not on this machine (x86-64 Linux only, coral.ai/docs/edgetpu/compiler); {ADD_LATER}"
        )
    with tempfile.TemporaryDirectory(prefix="fieldfare-compile-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / "model.tflite").write_bytes(model)
        called = [program, *(word.replace("{folder}", str(folder)) for word in words[1:])]
        called += [*_options(timeout_s), "--out_dir", str(folder), str(folder / "model.tflite")]
        status, said, _ = _run(called, timeout_s, merged=True)
        output, log = _read(folder / "model_edgetpu.tflite"), _read(folder / "model_edgetpu.log")
    return _called(command, Answer(status, said, output, (log or b"").decode(errors="replace")))


def split_command(command: str) -> list[str]:
    """The words of a command as a shell would split them. Raises UnavailableError where it cannot be split."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UnavailableError(f"compiler command {command!r}: {error}; close the quotes") from error
    if not words:
        raise UnavailableError(f"compiler command {command!r} is empty; give a program such as {COMMAND}")
    return words


def _options(timeout_s: float) -> list[str]:
    return ["--show_operations", "--timeout_sec", f"{timeout_s:.0f}"]


def _read(path: Path) -> bytes | None:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"the compiler wrote {size >> 20} MiB to {path.name}, at most {MAX_BYTES >> 20}")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:  # a container that writes as another user
        raise UnavailableError(f"{path.name}: the compiler's file cannot be read: {error.strerror}") from error


def _over_ssh(model: bytes, words: list[str], timeout_s: float) -> Answer:
    """The last word is the program there, all before it is ssh, its options and the host."""
    if len(words) < 3:
        raise UnavailableError(f"compiler command {shlex.join(words)!r}: must be: ssh [options] HOST {COMMAND}")
    if shutil.which(words[0]) is None:
        raise UnavailableError(f"{words[0]} is not on this machine: install an ssh client, or {ADD_LATER}")
    script = _REMOTE.format(program=words[-1], options=shlex.join(_options(timeout_s)))
    called = [*words[:-1], f"sh -c {shlex.quote(script)}"]
    status, said, archive = _run(called, timeout_s, merged=False, given=_pack("model.tflite", model))
    if status == _SSH_FAILED or not archive:
        raise UnavailableError(
            f"{shlex.join(words)}: no answer (status {status}): {last_words(said) or 'nothing said'}"
        )
    files = _unpack(archive)
    said = files.get("compiler.out", b"").decode(errors="replace")
    log = files.get("model_edgetpu.log", b"").decode(errors="replace")
    return _called(shlex.join(words), Answer(status, said, files.get("model_edgetpu.tflite"), log))


def _called(command: str, answer: Answer) -> Answer:
    """Tell a compiler that was never reached from one that refuses."""
    if answer.model is None and answer.status in _NOT_CALLED:
        raise UnavailableError(f"{command}: cannot be called: {last_words(answer.said) or f'status {answer.status}'}")
    return answer


def _pack(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _unpack(data: bytes) -> dict[str, bytes]:
    """Plain files of an archive, in memory: nothing that it says is written anywhere."""
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    files[entry.name] = content.read()
    except (tarfile.TarError, OSError, ValueError) as error:
        raise UnavailableError(
            f"the compiler's machine sent no archive back ({error}): does its shell print something at login?"
        ) from error
    return files


def _run(words: list[str], timeout_s: float, *, merged: bool, given: bytes = b"") -> tuple[int, str, bytes]:
    """Status, what was said, and standard output apart where it is not merged into that. The compiler works in a
    child of its own, so the whole process group is ended where it takes too long or the user interrupts."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise UnavailableError(f"{words[0]}: cannot be started: {error.strerror or error}; {ADD_LATER}") from error
    with process:
        try:
            output, errors = process.communicate(given, timeout_s + GRACE_S)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise ModelError(
                    f"{words[0]}: no end after {timeout_s + GRACE_S:.0f} s: "
                    "the model is too large, or --timeout too short"
                ) from error
            raise
    if merged:
        return process.returncode, output.decode(errors="replace"), b""
    return process.returncode, errors.decode(errors="replace"), output
