"""Run the recorder as a process, with a supervisor that a test scripts."""

import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge.config.settings import Settings
from edge.events.records import Event, PictureInfo, Sample
from edge.processes.child import Child
from edge.processes.recorder_messages import (
    Finish,
    KeepEvent,
    KeepSample,
    Kept,
    RecorderBeat,
    RecorderBegin,
    RecorderFailed,
    RecorderPulse,
    recorder_pair,
)

BOOT = "0123abcd-4567-89ab-cdef-0123456789ab"
# The smallest that passes for a JPEG; nothing here decodes it.
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00 a picture \xff\xd9"
_PATIENCE_S = 30.0


def settings(store: Path, **sections: Any) -> Settings:
    """Settings that keep events in `store`; sections: others, such as pictures=Pictures(...)."""
    from edge.config.keeping import Events

    return Settings(bundle="none", **{"events": Events(store=str(store)), **sections})


def event(sequence: int, **changes: Any) -> Event:
    """An event that ended just now."""
    now = time.monotonic()
    known: dict[str, Any] = {
        "device": "garden",
        "boot": BOOT,
        "sequence": sequence,
        "label": "tit",
        "begin_mono_s": now - 2.0,
        "end_mono_s": now,
        "peak": 0.9,
        "peak_mono_s": now - 1.0,
        "mean": 0.8,
        "frames": 30,
        "engine": "litert",
        "bundle": "abc",
        "camera": "front",
    }
    return Event(**{**known, **changes})


def picture_info(**changes: Any) -> PictureInfo:
    known: dict[str, Any] = {"kind": "best", "captured_mono_s": time.monotonic(), "width": 64, "height": 48}
    return PictureInfo(**{**known, **changes})


def sample(**changes: Any) -> Sample:
    known: dict[str, Any] = {
        "captured_mono_s": time.monotonic(),
        "label": "tit",
        "score": 0.5,
        "top": (),
        "reasons": ("uncertain",),
        "width": 64,
        "height": 48,
    }
    return Sample(**{**known, **changes})


def memory_files(*contents: bytes) -> list[int]:
    """Open files with these contents, as a worker makes them."""
    files = []
    for content in contents:
        files.append(os.memfd_create("picture"))
        os.write(files[-1], content)
    return files


class RunningRecorder:
    """A recorder in a process of its own. A context manager that kills what is left of it.

    kept: tickets that were acknowledged. pulses: all of them. beats: how many. failed: its last words, if it failed.
    """

    def __init__(self, settings: Settings, *, device: str = "garden", boot: str = BOOT) -> None:
        self.kept: set[int] = set()
        self.pulses: list[RecorderPulse] = []
        self.beats = 0
        self.failed: RecorderFailed | None = None
        self.ended = False
        self._ticket = 0
        self.line, theirs = recorder_pair()
        with theirs:
            words = [str(theirs.fileno()), str(os.getpid())]
            self.child = Child("edge.recorder.main", words, pass_fds=[theirs.fileno()])
        self.line.send(RecorderBegin(settings, device, boot))

    def __enter__(self) -> "RunningRecorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, whatever it does."""
        self.line.close()
        assert self.child.end(_PATIENCE_S)

    def keep(self, event: Event, pictures: Sequence[PictureInfo] = (), contents: Sequence[bytes] = ()) -> int:
        """Send an event, and return its ticket."""
        self._ticket += 1
        self._send(KeepEvent(self._ticket, event, tuple(pictures)), contents)
        return self._ticket

    def keep_sample(self, sample: Sample, content: bytes = JPEG) -> int:
        """Send a sample, and return its ticket."""
        self._ticket += 1
        self._send(KeepSample(self._ticket, sample, "litert", "abc"), [content])
        return self._ticket

    def _send(self, message: KeepEvent | KeepSample, contents: Sequence[bytes]) -> None:
        files = memory_files(*contents)
        try:
            while not self._takes(message, files):
                self.listen(0.05)
        finally:
            for file in files:
                os.close(file)

    def _takes(self, message: KeepEvent | KeepSample, files: list[int]) -> bool:
        try:
            self.line.send(message, files, wait=False)
        except BlockingIOError:  # on a busy machine it takes seconds to start
            return False
        return True

    def listen(self, seconds: float = 0.0) -> None:
        """Take in what it sends, waiting at most so long for the first."""
        if self.ended:
            return
        select.select([self.line], [], [], seconds)
        try:
            while (message := self.line.receive()) is not None:
                if isinstance(message, Kept):
                    self.kept.update(message.tickets)
                elif isinstance(message, RecorderPulse):
                    self.pulses.append(message)
                elif isinstance(message, RecorderBeat):
                    self.beats += 1
                else:
                    self.failed = message
        except EOFError:
            self.ended = True

    def wait_for(self, condition: Callable[[], bool], patience_s: float = _PATIENCE_S) -> None:
        """Listen until the condition holds."""
        ends_s = time.monotonic() + patience_s
        while not condition():
            self.child.relay()
            assert not self.ended, f"the recorder ended: {self.failed} {list(self.child.tail)}"
            assert time.monotonic() < ends_s, f"{self.pulses[-1:]} {list(self.child.tail)}"
            self.listen(0.1)

    def wait_until_kept(self, *tickets: int, patience_s: float = _PATIENCE_S) -> None:
        """Listen until these are acknowledged."""
        self.wait_for(lambda: self.kept.issuperset(tickets), patience_s)

    def wait_for_pulse(self, fits: Callable[[RecorderPulse], bool], patience_s: float = _PATIENCE_S) -> RecorderPulse:
        """Listen until a new pulse fits, and return it."""
        self.pulses.clear()
        self.wait_for(lambda: bool(self.pulses) and fits(self.pulses[-1]), patience_s)
        return self.pulses[-1]

    def finish(self, patience_s: float = _PATIENCE_S) -> int:
        """Send Finish, and return its exit status."""
        self.line.send(Finish())
        return self.wait_for_end(patience_s)

    def wait_for_end(self, patience_s: float = _PATIENCE_S) -> int:
        """Listen until it has ended, and return its exit status."""
        ends_s = time.monotonic() + patience_s
        while not self.ended and time.monotonic() < ends_s:
            self.listen(0.1)
        assert self.child.wait(patience_s)
        status = self.child.exit_status()
        assert status is not None
        return status
