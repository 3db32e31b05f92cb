"""Run edgetpu_compiler: on this machine, in a container, or on another machine through ssh.

The command is one string, split as a shell does, without a shell. Called as it is, it gets paths in a temporary
folder, which `{folder}` in the command stands for, so that a container can mount it. A command that begins with
ssh gets no paths: the model goes in and the results come back as tar archives on its standard input and output.
"""

import contextlib
import io
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge.errors import ModelError, StorageError, UnavailableError
from trainer.edgetpu.compiler_report import last_words

COMMAND = "edgetpu_compiler"
TIMEOUT_S = 300.0
GRACE_S = 30.0  # beyond its own time limit, for it to end by itself
LINGER_S = 2.0  # once it has ended, for what a process that it left behind still has to print
MAX_BYTES = 256 * 1024 * 1024  # of what comes back; a model that a Coral can use has some 40 MB at most
MAX_WORDS = 16 * 1024 * 1024  # bytes; the longest words recorded have some 3,000
_SSH_FAILED = 255  # ssh's own status: no connection, no such host
_NOT_CALLED = (125, 126, 127)  # docker's own failure; found but not to be run; not found (docker and any shell)

# The compiler's words go into a file, because standard output is the archive's. No file may grow beyond 256 MiB
# (512 where the shell counts in KiB).
_REMOTE = """\
f=$(mktemp -d) && trap 'rm -rf "$f"' EXIT && cd "$f" && tar -xf - || exit 254
(ulimit -f 524288; {program} {options} --out_dir . model.tflite) >compiler.out 2>&1
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
    """Compile `model` with `command`. Raises UnavailableError where it cannot be called, StorageError without
    room for its files, ModelError where it does not end within timeout_s and half a minute, or prints without end:
    then it is killed with all that it started."""
    words = split_command(command)
    call = _over_ssh if Path(words[0]).name == "ssh" else _here
    answer = call(model, words, timeout_s, ["--show_operations", "--timeout_sec", f"{timeout_s:.0f}"])
    if answer.model is None and "timeout_sec" in answer.said:  # 15.0 and older seem not to know that option
        answer = call(model, words, timeout_s, ["--show_operations"])
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
    """A temporary folder with the model, gone after the block. Raises StorageError."""
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
    """The words of a command as a shell would split them. Raises UnavailableError where it cannot be split."""
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
    """The last word is the program there, all before it is ssh, its options and the host."""
    if len(words) < 3:
        raise UnavailableError(f"compiler command {shlex.join(words)!r}: must be: ssh [options] HOST {COMMAND}")
    if shutil.which(words[0]) is None:
        raise UnavailableError(f"{words[0]} is not on this machine: install an ssh client")
    script = _REMOTE.format(program=words[-1], options=shlex.join(options))
    called = [*words[:-1], f"sh -c {shlex.quote(script)}"]
    status, said, archive = _run(called, timeout_s, merged=False, given=_pack("model.tflite", model))
    if status == _SSH_FAILED or not archive:
        raise UnavailableError(
            f"{shlex.join(words)}: no answer (status {status}): {last_words(_text(said)) or 'nothing said'}"
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
    """Plain files of an archive, in memory: nothing that it says is written anywhere."""
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
    """Status, what was said, and standard output apart where it is not merged into that. The compiler works in a
    child of its own, so the whole process group is ended where it takes too long, prints too much, leaves a
    process behind that keeps its output open, or the user interrupts."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise UnavailableError(f"{words[0]}: cannot be started: {error.strerror or error}") from error
    with process:
        try:
            talk = _Talk(process, given, words[0])
            finished = talk.follow(time.monotonic() + timeout_s + GRACE_S)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise ModelError(
                    f"{words[0]}: no end after {timeout_s + GRACE_S:.0f} s: "
                    "the model is too large, or --timeout too short"
                ) from error
            raise
        if not finished:
            _end(process)
    output, errors = bytes(talk.output), bytes(talk.errors)
    return (process.returncode, output, b"") if merged else (process.returncode, errors, output)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class _Talk:
    """What a process is given and what it prints, each within its bounds. For one thread; the caller ends the
    process."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes, title: str) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self._process, self._title = process, title
        self._left = memoryview(given)

    def follow(self, deadline: float) -> bool:
        """Until the process has ended and its output is read. False where something that it left behind keeps that
        open for LINGER_S more. Raises TimeoutExpired at the deadline, ModelError where it prints too much."""
        process, ended = self._process, None
        assert process.stdin is not None
        assert process.stdout is not None
        os.set_blocking(process.stdin.fileno(), False)
        with selectors.DefaultSelector() as pipes:
            pipes.register(process.stdin, selectors.EVENT_WRITE, self._give)
            # Without standard error apart, standard output is words; else it is the archive of ssh.
            bound = MAX_WORDS if process.stderr is None else MAX_BYTES
            pipes.register(process.stdout, selectors.EVENT_READ, partial(self._take, self.output, bound))
            if process.stderr is not None:
                pipes.register(process.stderr, selectors.EVENT_READ, partial(self._take, self.errors, MAX_WORDS))
            while pipes.get_map():
                now = time.monotonic()
                if ended is None and process.poll() is not None:
                    ended = now
                if ended is not None and now > ended + LINGER_S:
                    return False
                if now > deadline:
                    raise subprocess.TimeoutExpired(self._title, deadline)
                for key, _ in pipes.select(0.1):
                    if not key.data(key.fileobj):
                        pipes.unregister(key.fileobj)
        process.wait(max(0.0, deadline - time.monotonic()))
        return True

    def _take(self, gathered: bytearray, bound: int, pipe: Any) -> bool:
        """Read one piece. False once there is no more."""
        piece = os.read(pipe.fileno(), 1 << 16)
        gathered += piece
        if len(gathered) > bound:
            raise ModelError(f"{self._title}: printed more than {bound >> 20} MiB and was ended: is it the compiler?")
        return bool(piece)

    def _give(self, pipe: Any) -> bool:
        """Write one piece. False once all is given, or nobody reads."""
        try:
            self._left = self._left[os.write(pipe.fileno(), self._left[: 1 << 16]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            self._left = self._left[:0]
        if self._left:
            return True
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
        return False
