"""Run edgetpu_compiler: on this machine, in a container, or on another machine through ssh.

The command is one string, split as a shell does, and run without a shell. It gets paths in a temporary folder. For a
container to mount, `{folder}` in the command is replaced by that folder. A command that begins with ssh gets no paths:
the model goes in and the results come back as tar archives on its standard input and output.
"""

import contextlib
import io
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ModelError, StorageError, UnavailableError
from edge.processes.process import Command
from edge.processes.run import run
from trainer.edgetpu.compiler_report import last_words

COMMAND = "edgetpu_compiler"
TIMEOUT_S = 300.0
GRACE_S = 30.0  # beyond its own time limit, for it to end by itself
LINGER_S = 2.0  # once it has ended, for the output of a process that it left behind
MAX_BYTES = 256 * 1024 * 1024  # of what comes back; a model that a Coral can use has some 40 MB at most
MAX_WORDS = 16 * 1024 * 1024  # bytes; the longest words recorded have some 3,000
_SSH_FAILED = 255  # ssh's own status: no connection, no such host
_NOT_CALLED = (125, 126, 127)  # failure of docker itself; found but cannot be run; not found (docker and any shell)

# The compiler's words go into a file, because standard output is the archive's. No file may grow beyond 256 MiB, or
# 512 MiB with a shell that counts in KiB.
_REMOTE = """\
f=$(mktemp -d) && trap 'rm -rf "$f"' EXIT && cd "$f" && tar -xf - || exit 254
(ulimit -f 524288; {program} {options} --out_dir . model.tflite) >compiler.out 2>&1
s=$?
tar -cf - compiler.out $(ls model_edgetpu.tflite model_edgetpu.log 2>/dev/null)
exit $s
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """How the compiler ended.

    status: its exit status, minus the signal if one ended it
    said: what it printed
    model: the compiled model if it left one
    log: its log, "" if it left none
    """

    status: int
    said: str
    model: bytes | None
    log: str


def run_compiler(model: bytes, command: str, timeout_s: float, options: Sequence[str] = ()) -> Answer:
    """Compile `model` with `command` and these options beside the usual ones.

    Raises UnavailableError if it cannot be called, StorageError without room for its files, and ModelError if it does
    not end within timeout_s and half a minute, or prints without end. Then it is killed with all that it started.
    """
    words = split_command(command)
    call = _over_ssh if Path(words[0]).name == "ssh" else _here
    usual = ["--show_operations", *options]
    answer = call(model, words, timeout_s, [*usual, "--timeout_sec", f"{timeout_s:.0f}"])
    if answer.model is None and "timeout_sec" in answer.said:  # 15.0 and older seem to lack that option
        answer = call(model, words, timeout_s, usual)
    if answer.model is None and answer.status in _NOT_CALLED:
        raise UnavailableError(f"{command}: cannot be called: {last_words(answer.said) or f'status {answer.status}'}")
    return answer


def _here(model: bytes, words: list[str], timeout_s: float, options: list[str]) -> Answer:
    program = shutil.which(words[0])
    if program is None:
        raise UnavailableError(f"{words[0]} is not on this machine (x86-64 Linux only, coral.ai/docs/edgetpu/compiler)")
    with _folder_with(model) as folder:
        called = [program, *(word.replace("{folder}", str(folder)) for word in words[1:])]
        called += [*options, "--out_dir", str(folder), str(folder / "model.tflite")]
        status, said, _ = _run(called, timeout_s, merged=True)
        output, log = _read(folder / "model_edgetpu.tflite"), _read(folder / "model_edgetpu.log")
    return Answer(status, _text(said), output, _text(log or b""))


@contextlib.contextmanager
def _folder_with(model: bytes) -> Iterator[Path]:
    """Make a temporary folder with the model for the time of the block. Raises StorageError."""
    with contextlib.ExitStack() as stack:
        folder = None
        try:
            folder = Path(
                stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="fieldfare-compile-", ignore_cleanup_errors=True)
                )
            ).resolve()
            (folder / "model.tflite").write_bytes(model)
        except OSError as error:
            raise StorageError(
                f"{folder.parent if folder else 'temporary folder'}: cannot write the model for the compiler: "
                f"{error.strerror or error}; make room there, or set TMPDIR to another folder"
            ) from error
        yield folder


def split_command(command: str) -> list[str]:
    """Split a command into words as a shell would. Raises UnavailableError if it cannot be split."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UnavailableError(f"compiler command {command!r}: {error}; close the quotes") from error
    if not words:
        raise UnavailableError(f"compiler command {command!r} is empty; give a program such as {COMMAND}")
    return words


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


def _over_ssh(model: bytes, words: list[str], timeout_s: float, options: list[str]) -> Answer:
    """Run ssh, its options and the host, which is all but the last word; that one is the program there."""
    if len(words) < 3:
        raise UnavailableError(f"compiler command {shlex.join(words)!r}: must be: ssh [options] HOST {COMMAND}")
    if shutil.which(words[0]) is None:
        raise UnavailableError(f"{words[0]} is not on this machine: install an ssh client")
    script = _REMOTE.format(program=words[-1], options=shlex.join(options))
    called = [*words[:-1], f"sh -c {shlex.quote(script)}"]
    status, said, archive = _run(called, timeout_s, merged=False, given=_pack("model.tflite", model))
    if status == _SSH_FAILED or not archive:
        raise UnavailableError(
            f"{shlex.join(words)}: no answer (status {status}): {last_words(_text(said)) or 'no output'}"
        )
    files = _unpack(archive)
    words_there, log = _text(files.get("compiler.out", b"")), _text(files.get("model_edgetpu.log", b""))
    return Answer(status, words_there, files.get("model_edgetpu.tflite"), log)


def _text(said: bytes) -> str:
    if len(said) > MAX_WORDS:
        raise ModelError(f"the compiler printed more than {MAX_WORDS >> 20} MiB: not the words of edgetpu_compiler")
    return said.decode(errors="replace")


def _pack(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _unpack(data: bytes) -> dict[str, bytes]:
    """Return the plain files of an archive, by name."""
    # In memory: an archive from another machine must not choose a path to write to.
    files: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                size += entry.size  # an entry with holes may claim more than the archive has
                if size > MAX_BYTES:
                    raise ModelError(f"the compiler's machine sent more than {MAX_BYTES >> 20} MiB back")
                content = archive.extractfile(entry) if entry.isfile() else None
                if content is not None:
                    files[entry.name] = content.read()
    except (tarfile.TarError, OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise UnavailableError(
            f"the compiler's machine sent no archive back ({error}): does its shell print something at login?"
        ) from error
    return files


def _run(words: list[str], timeout_s: float, *, merged: bool, given: bytes = b"") -> tuple[int, bytes, bytes]:
    """Return the status, what the program printed, and standard output if that is not merged into what it printed."""
    limit_s = timeout_s + GRACE_S
    # Merged, standard output is words; else it is the archive of ssh.
    max_output = MAX_WORDS if merged else MAX_BYTES
    try:
        finished = run(
            Command(words),
            limit_s,
            given=given,
            merged=merged,
            max_output=max_output,
            max_errors=MAX_WORDS,
            linger_s=LINGER_S,
        )
    except OSError as error:
        raise UnavailableError(f"{words[0]}: cannot be started: {error.strerror or error}") from error
    if finished.killed_for == "time":
        raise ModelError(f"{words[0]}: no end after {limit_s:.0f} s: the model is too large, or --timeout too short")
    if finished.killed_for is not None:
        bound = max_output if len(finished.output) > max_output else MAX_WORDS
        raise ModelError(f"{words[0]}: printed more than {bound >> 20} MiB and was ended: is it the compiler?")
    if merged:
        return finished.status, finished.output, b""
    return finished.status, finished.errors, finished.output
