"""Recorders of a few lines, in place of edge.recorder.main, and what a worker sends for them."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from written_lines import whole_lines

from edge.events.records import PictureInfo, Sample, Sighting
from edge.processes.child import Child
from edge.processes.listener import Listener
from edge.processes.messages import Started
from edge.supervision.beside.starting import StartHelper

# `receive` waits for the next message; it ends the process if the supervisor is gone. `note` writes a line to a file
# that the test reads. All lives of one test share that file, and `life` counts them.
PREFACE = """
import os, select, signal, socket, sys, time
from pathlib import Path
from edge.processes.child import die_with
from edge.processes.outputs_messages import *
from edge.processes.recorder_messages import *
die_with(int(sys.argv[2]))
line = RecorderChannel(socket.socket(fileno=int(sys.argv[1])))
HERE = Path(__file__).parent
with (HERE / "lives").open("a") as lives:
    lives.write(f"{os.getpid()}\\n")
life = (HERE / "lives").read_text().count("\\n") - 1
files = []

def receive(seconds=60.0):
    global files
    if not select.select([line], [], [], seconds)[0]:
        return None
    try:
        message, files = line.receive_with_files()
    except EOFError:
        note("hung up")
        os._exit(0)
    return message

def note(*words):
    with (HERE / "noted").open("a") as noted:
        noted.write(" ".join(map(str, words)) + "\\n")

def send(message):
    "The supervisor may be gone."
    try:
        line.send(message)
    except OSError:
        pass

def pulse(fault=None, events=0):
    send(RecorderPulse(fault=fault, notice=None, events=events, pictures_mb=1.5, harvest_mb=0.0,
        written_bytes=7, written_total_bytes=7, dropped_pictures=0, clock="ntp"))

def keep():
    "Keep whatever comes, as a recorder does."
    pulse()
    kept = 0
    while True:
        message = receive(0.5)
        if isinstance(message, KeepEvent):
            event = message.event
            note("event", event.sequence, event.label, event.ended, *(os.fstat(file).st_size for file in files))
            kept += event.ended
        elif isinstance(message, KeepSample):
            note("sample", message.sample.label, *(os.fstat(file).st_size for file in files))
        elif isinstance(message, KeepScores):
            note("scores", message.piece.decode())
        elif isinstance(message, Finish):
            note("finish")
            os._exit(0)
        for file in files:
            os.close(file)
        files.clear()
        if isinstance(message, KeepEvent | KeepSample):
            send(Kept((message.ticket,)))
        pulse(events=kept)
"""

STARTED = Started("abc", "birds", 5, "cpu", "scripted", True, "none", None)
PICTURE = PictureInfo(kind="best", captured_mono_s=1.0, width=4, height=3)
SAMPLE = Sample(captured_mono_s=1.0, label="owl", score=0.5, top=(), reasons=("random",), width=4, height=3)


def sighting(number: int = 1, label: str = "owl", *, ended: bool = True, begin_mono_s: float = 1.0) -> Sighting:
    return Sighting(
        number=number,
        label=label,
        begin_mono_s=begin_mono_s,
        end_mono_s=begin_mono_s + 1.0,
        peak=0.9,
        peak_mono_s=begin_mono_s,
        mean=0.8,
        frames=9,
        ended=ended,
    )


def picture(size: int = 100) -> int:
    """An open file of this size in memory, as a worker sends it."""
    file = os.memfd_create("a-picture")
    os.truncate(file, size)
    return file


def open_pictures() -> int:
    """How many of these files are open in this process."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            count += "memfd:a-picture" in str(link.readlink())
        except OSError:  # closed meanwhile
            continue
    return count


def starting(module: str) -> StartHelper:
    """A start of `python -m MODULE` in place of the recorder."""

    def start(words: Sequence[str], *, pass_fds: Sequence[int]) -> Child:
        return Child(module, words, pass_fds=pass_fds, name="recorder")

    return start


def noted(folder: Path) -> list[str]:
    """What the recorders of this test have noted so far."""
    return whole_lines(folder / "noted")


def pids(folder: Path) -> list[int]:
    """The recorders of this test so far."""
    return [int(line) for line in whole_lines(folder / "lives")]


def drive(
    listener: Listener, tick: Callable[[float], object], until: Callable[[], object], seconds: float = 30.0
) -> bool:
    """Do what the supervisor's loop does until `until` returns True; False if it has not after `seconds`."""
    ends_s = time.monotonic() + seconds
    while not until():
        if time.monotonic() > ends_s:
            return False
        for callback in listener.wait(0.02):
            callback()
        tick(time.monotonic())
    return True
