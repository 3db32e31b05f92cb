"""Decodes photos in limited child processes, for a damaged photo can crash a decoder, hang it or make it take
all memory. The parent hands out paths and watches; pixels never pass through it.
"""

import math
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import msgspec

from edge.bundle.manifest import InputTensor, Preprocessing
from edge.errors import StorageError, UnavailableError
from edge.images import readable_name
from trainer.dataset.decode_child import Answer, Job, Setup
from trainer.dataset.decode_limits import MEMORY_BYTES
from trainer.dataset.rows import Rows

LIMIT_S = 60.0
_PROGRAM = ("-P", "-m", "trainer.dataset.decode_child")  # -P: no Python file of the current folder is imported
_IN_FLIGHT = 8  # photos that a child knows of, so that it never waits for the parent
_PER_CHILD = 50  # fewer photos are not worth the 0.2 s that a child takes to start
_CHANCES = 2  # a child may also be ended by the kernel for what others took
_TICK_S = 0.5
# BLAS would start a thread a core, each with its own share of the limited address space.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Decoders:
    """Child processes that decode photos into `rows`, one for each of `workers` where there is enough to do.

    A context manager: leaving it ends the children, whatever the reason. One thread at a time.
    """

    def __init__(
        self,
        spec: Preprocessing,
        tensor: InputTensor,
        rows: Rows,
        *,
        workers: int,
        limit_s: float = LIMIT_S,
        memory_bytes: int = MEMORY_BYTES,
        program: Sequence[str] = _PROGRAM,
    ) -> None:
        """limit_s: seconds a photo. memory_bytes: address space of each child. program: what Python is told to
        run; tests name their own."""
        self._setup = Setup(spec, tensor, rows.fileno(), len(rows), memory_bytes, limit_s)
        self._workers = workers
        self._program = tuple(program)
        self._children: list[_Child] = []
        self._stillborn = 0
        self._selector = selectors.DefaultSelector()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - what the children say, for the case that they cannot start

    def __enter__(self) -> "Decoders":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children now. Safe to call twice."""
        for child in self._children:
            child.kill()
        for child in self._children:
            child.reap()
        self._children.clear()
        self._selector.close()
        self._said.close()

    def decode(self, paths: Sequence[Path]) -> Iterator[Answer]:
        """Decode each of `paths` into the row of its number; answers in the order in which they are ready.

        Raises StorageError where a row cannot be stored, UnavailableError where children do not start.
        """
        waiting = deque(range(len(paths)))
        failures: dict[int, int] = {}
        for _ in range(min(self._workers, math.ceil(len(paths) / _PER_CHILD))):
            self._start()
        left, before = len(paths), time.monotonic()
        while left:
            for child in self._children:
                child.feed(waiting, paths)
            ready = [key.data for key, _ in self._selector.select(_TICK_S)]
            now = time.monotonic()
            # Not the clock alone: while this process was stopped, its children may have been, too.
            passed, before = min(now - before, 2 * _TICK_S), now
            for child in list(self._children):
                for answer in self._attend(child, passed, child in ready, waiting, failures, paths):
                    left -= 1
                    yield answer

    def _attend(
        self,
        child: "_Child",
        passed: float,
        ready: bool,
        waiting: deque[int],
        failures: dict[int, int],
        paths: Sequence[Path],
    ) -> Iterator[Answer]:
        """What one child has to say now; a dead or late one is replaced."""
        answers = child.read() if ready else []
        for answer in answers or ():
            if answer.storage:
                raise StorageError(answer.storage)
            yield answer
        late = child.late(passed, self._setup.limit_s)
        if answers is not None and not late:
            return
        blamed = self._replace(child, late, waiting)
        if blamed is None:
            return
        failures[blamed] = failures.get(blamed, 0) + 1
        name = readable_name(paths[blamed])
        if late:
            yield Answer(blamed, problem=f"{name}: took over {self._setup.limit_s:g} s to decode: remove or convert it")
        elif failures[blamed] < _CHANCES:
            waiting.appendleft(blamed)
        else:
            yield Answer(blamed, problem=f"{name}: crashed the decoder ({child.ending}): remove or copy it again")

    def _start(self) -> None:
        words = msgspec.json.encode(self._setup).decode()
        child = _Child([sys.executable, *self._program, words], self._setup.rows_fd, self._said)
        self._children.append(child)
        self._selector.register(child.answers, selectors.EVENT_READ, child)

    def _replace(self, child: "_Child", late: bool, waiting: deque[int]) -> int | None:
        """Start another in the place of `child`, whose other photos go back to `waiting`. Returns the photo that
        it was at; None where it had none."""
        self._selector.unregister(child.answers)
        self._children.remove(child)
        child.kill()
        child.reap()
        if not child.ready:
            self._stillborn += 1
            if self._stillborn >= _CHANCES:
                raise UnavailableError(f"photos cannot be decoded: {self._why(child, late)}")
            waiting.extendleft(reversed(child.jobs))
            self._start()
            return None
        blamed, *others = child.jobs or [None]
        waiting.extendleft(reversed([other for other in others if other is not None]))
        self._start()
        return blamed

    def _why(self, child: "_Child", late: bool) -> str:
        if late:
            return f"the decoding process did not start within {self._setup.limit_s:g} s: try again"
        self._said.seek(0)
        lines = self._said.read()[-4000:].decode(errors="replace").strip().splitlines()
        return f"the decoding process did not start ({lines[-1] if lines else child.ending})"


class _Child:
    """One process, the photos it has been given and not answered for, and how long it has been at the first."""

    def __init__(self, command: list[str], rows_fd: int, said: IO[bytes]) -> None:
        environment = {**os.environ, **_ENVIRONMENT}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=(rows_fd,),
            env=environment,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders: IO[bytes] = self._process.stdin
        self.answers: IO[bytes] = self._process.stdout
        self.jobs: deque[int] = deque()
        self.ready = False
        self._rest = b""
        self._spent_s = 0.0

    @property
    def ending(self) -> str:
        """How it ended, once reaped."""
        status = self._process.returncode
        return f"signal {-status}" if status is not None and status < 0 else f"status {status}"

    def feed(self, waiting: deque[int], paths: Sequence[Path]) -> None:
        """Hand over photos until it knows of enough."""
        if not self.ready:
            return
        lines = []
        while waiting and len(self.jobs) < _IN_FLIGHT:
            self.jobs.append(waiting.popleft())
            lines.append(msgspec.json.encode(Job(self.jobs[-1], os.fsencode(paths[self.jobs[-1]]))) + b"\n")
        try:
            self._orders.write(b"".join(lines))  # at most 8 paths of 4 KiB: the pipe holds 64, so this never waits
        except BrokenPipeError:
            return  # it has died; its answers end, which is how that is noticed

    def read(self) -> list[Answer] | None:
        """The answers that have arrived; None where it is dead."""
        data = os.read(self.answers.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [msgspec.json.decode(line, type=Answer) for line in lines]
        self._spent_s = 0.0
        self.ready = self.ready or bool(found)
        photos = [answer for answer in found if answer.index >= 0]
        for answer in photos:
            self.jobs.remove(answer.index)
        return photos

    def late(self, passed: float, limit_s: float) -> bool:
        """Has it been at one photo, or at its start, for longer than `limit_s`?"""
        busy = self.jobs or not self.ready
        self._spent_s = self._spent_s + passed if busy else 0.0
        return self._spent_s > (limit_s if self.ready else max(limit_s, LIMIT_S))

    def kill(self) -> None:
        self._process.kill()

    def reap(self) -> None:
        """Wait for its end, which a disk that does not answer can hold up: not for ever."""
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.returncode = -9
        for pipe in (self._orders, self.answers):
            pipe.close()
