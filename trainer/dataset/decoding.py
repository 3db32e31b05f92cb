"""Decode photos in limited child processes: a damaged one can crash a decoder, hang it or make it take all memory.

The parent hands out paths and watches; pixels never pass through it.
"""

import math
import os
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
from edge.portable.pipes import open_pipes
from edge.processes.child import ONE_THREAD
from edge.processes.held_signals import signals_held
from edge.processes.process import PIPE, Command, Process, describe_exit, last_line, module_command
from trainer.dataset.decode_child import Answer, Job, Setup
from trainer.dataset.decode_limits import MEMORY_BYTES
from trainer.dataset.rows import Rows

LIMIT_S = 60.0
_MODULE = "trainer.dataset.decode_child"
_IN_FLIGHT = 8  # photos that a child has been given, so that it never waits for the parent
_PER_CHILD = 50  # fewer photos are not worth the 0.2 s that a child takes to start
_CHANCES = 2  # the kernel may also end a child for the memory that others took
_TICK_S = 0.5
_LAST_BYTES = 4096  # of what children wrote to standard error
_REAP_S = 5.0  # a disk that does not answer can hold up the end of a child


class Decoders:
    """Child processes that decode photos into rows.

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
        module: str = _MODULE,
    ) -> None:
        """Start nothing yet.

        spec, tensor: what a row must be
        rows: gets the decoded photos
        workers: how many children at most
        limit_s: seconds a photo
        memory_bytes: address space of each child
        module: what a child runs; tests name their own
        """
        self._setup = Setup(spec, tensor, rows.file.address, len(rows), memory_bytes, limit_s)
        self._inherited = rows.file.inherited
        self._workers = workers
        self._module = module
        self._children: list[_Child] = []
        self._stillborn = 0
        self._pipes = open_pipes()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - standard error of all children, closed by `close`

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
            child.end()
        self._children.clear()
        self._pipes.close()
        self._errors.close()

    def decode(self, paths: Sequence[Path]) -> Iterator[Answer]:
        """Decode each of `paths` into the row of its number. Yields answers as they arrive, in any order.

        Raises StorageError if a row cannot be stored, UnavailableError if children do not start.
        """
        waiting = deque(range(len(paths)))
        failures: dict[int, int] = {}
        for _ in range(min(self._workers, math.ceil(len(paths) / _PER_CHILD))):
            self._start()
        left, before = len(paths), time.monotonic()
        while left:
            for child in self._children:
                child.feed(waiting, paths)
            arrived = dict(self._pipes.wait(_TICK_S))
            now = time.monotonic()
            # Not the clock alone: while this process was stopped, its children may have been, too.
            passed, before = min(now - before, 2 * _TICK_S), now
            for child in list(self._children):
                for answer in self._attend(child, passed, arrived.get(child), waiting, failures, paths):
                    left -= 1
                    yield answer

    def _attend(
        self,
        child: "_Child",
        passed: float,
        data: bytes | None,
        waiting: deque[int],
        failures: dict[int, int],
        paths: Sequence[Path],
    ) -> Iterator[Answer]:
        """Yield the answers of one child that have arrived. Replaces the child if it is dead or late.

        data: what it has written, b"" if it has closed its end, None if nothing."""
        answers = [] if data is None else child.take(data)
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
            yield Answer(blamed, problem=f"{name}: crashed the decoder, which {child.ending}: remove or copy it again")

    def _start(self) -> None:
        words = msgspec.json.encode(self._setup).decode()
        with signals_held():
            child = _Child(module_command(self._module, [words], ONE_THREAD), self._inherited, self._errors)
            self._children.append(child)
        self._pipes.read(child.answers, child)

    def _replace(self, child: "_Child", late: bool, waiting: deque[int]) -> int | None:
        """Replace `child`, whose photos go back to `waiting` but for the one that it was at. Returns that one; None
        if there was none."""
        self._pipes.drop(child.answers)
        child.end()
        self._children.remove(child)
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
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_BYTES))
        reason = last_line(self._errors.read()) or f"it {child.ending}"
        return f"the decoding process did not start: {reason}"


class _Child:
    """One process, the photos it has been given and not answered for, and how long it has been at the first."""

    def __init__(self, command: Command, inherited: Sequence[int], errors: IO[bytes]) -> None:
        self._process = Process(command, stdin=PIPE, stdout=PIPE, stderr=errors, pass_fds=inherited)
        self.answers = self._process.stdout
        self.jobs: deque[int] = deque()
        self.ready = False
        self._rest = b""
        self._spent_s = 0.0

    @property
    def ending(self) -> str:
        """How it ended, once `end` was called."""
        status = self._process.exit_status()
        return "cannot be killed" if status is None else describe_exit(status)

    def feed(self, waiting: deque[int], paths: Sequence[Path]) -> None:
        """Hand over photos, at most _IN_FLIGHT that are not answered."""
        if not self.ready:
            return
        lines = []
        while waiting and len(self.jobs) < _IN_FLIGHT:
            self.jobs.append(waiting.popleft())
            lines.append(msgspec.json.encode(Job(self.jobs[-1], os.fsencode(paths[self.jobs[-1]]))) + b"\n")
        try:
            # At most 8 paths of 4 KiB: the pipe holds 64 KiB, so this never waits.
            self._process.stdin.write(b"".join(lines))
        except BrokenPipeError:
            return  # it is dead, which `read` will find

    def take(self, data: bytes) -> list[Answer] | None:
        """Return the answers that are in what it wrote; None if it is dead."""
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
        """Return whether it has been at one photo, or at its start, for longer than `limit_s`."""
        busy = self.jobs or not self.ready
        self._spent_s = self._spent_s + passed if busy else 0.0
        return self._spent_s > (limit_s if self.ready else max(limit_s, LIMIT_S))

    def kill(self) -> None:
        """Send SIGKILL to it, without waiting."""
        self._process.kill()

    def end(self) -> None:
        """Kill it, reap it and close its pipes."""
        self._process.end(_REAP_S)
