"""The worker, as the supervisor meets it: `python -m edge.worker.main`, at the other end of a line."""

import gc
import itertools
import os
import signal
import subprocess
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scripted import ScriptedEngine, ScriptedSource, pipeline, wait_until
from worker_line import Line

import edge.worker.main
from edge.bundle.store import Bundle
from edge.config.running import Camera
from edge.config.settings import Settings
from edge.errors import CameraError
from edge.live.picture import read as read_live
from edge.live.places import FOCUS, PICTURE, requests_of
from edge.live.request import Focus, Wanted, leave
from edge.processes.messages import (
    Begin,
    Decided,
    Ended,
    Failed,
    Message,
    Pulse,
    SetPace,
    Started,
    Step,
    Stop,
    Trouble,
    WorkerChannel,
    pair,
)
from edge.worker.pipeline import Pipeline

pytestmark = pytest.mark.process
CAMERA = Camera(source="synthetic", width=160, height=120, fps=30)


Start = Callable[..., Line]


@pytest.fixture
def start(sealed: Bundle) -> Iterator[Start]:
    """Start a worker, and tell it to begin."""
    lines: list[Line] = []

    def begin(
        camera: Camera = CAMERA, *, bundle: Path = sealed.path, first: Message | None = None, **order: object
    ) -> Line:
        lines.append(Line(os.getpid()))
        values = {"device": "cpu", "fallback": None, "fps": None, **order}
        lines[-1].channel.send(first or Begin(Settings(bundle=str(bundle), camera=camera), **values))  # type: ignore[arg-type]
        return lines[-1]

    yield begin
    for line in lines:
        line.close()


def test_it_says_what_it_does_next_then_gives_results_until_it_is_told_to_stop(start: Start, sealed: Bundle) -> None:
    line = start()
    line.heard(Decided, 5)
    line.heard(Pulse)
    line.channel.send(Stop())
    assert line.last_words() == Ended("stopped")
    assert [(step.name, step.part) for step in line.all(Step)] == [  # type: ignore[attr-defined]
        ("loading", "worker"),
        ("opening the engine", "engine"),
        ("opening the camera", "camera"),
        ("classifying", "camera"),
        ("closing the camera", "camera"),
    ]
    started = line.heard(Started)
    assert isinstance(started, Started)
    assert (started.bundle, started.name, started.classes) == (sealed.bundle_id, sealed.manifest.name, 1001)
    assert (started.live, started.accelerator, started.fallback) == (True, "none", None)
    frames = [message.result.frame for message in line.all(Decided)]  # type: ignore[attr-defined]
    assert frames == sorted(set(frames))


def test_it_pulses_twice_a_second_with_or_without_results(start: Start) -> None:
    """So the frames of a camera of 30 a second grow by 15 from each to the next, or by more where it is held up."""
    line = start(fps=0.001)
    line.heard(Pulse, 5)
    captured = [pulse.frames.captured for pulse in line.all(Pulse)]  # type: ignore[attr-defined]
    assert min(after - before for before, after in itertools.pairwise(captured[1:])) >= 5
    assert len(line.all(Decided)) < 3


def test_its_pace_can_be_changed_on_the_way(start: Start) -> None:
    line = start(fps=2.0)
    line.heard(Decided, 3)
    line.channel.send(SetPace(None))
    line.heard(Decided, len(line.all(Decided)) + 20)
    frames = [message.result.frame for message in line.all(Decided)]  # type: ignore[attr-defined]
    gaps = [after - before for before, after in itertools.pairwise(frames)]
    assert gaps[1] > 10  # the second frame may follow the first at once
    assert sorted(gaps)[len(gaps) // 2] < 5


def test_what_it_falls_back_from_travels_in_every_result(start: Start) -> None:
    line = start(fallback="Edge TPU lost: unplugged")
    line.heard(Decided, 2)
    assert {message.result.fallback for message in line.all(Decided)} == {"Edge TPU lost: unplugged"}  # type: ignore[attr-defined]


def test_a_camera_that_fails_is_opened_again_by_itself(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("run\n")
    line = start(Camera(source="synthetic", width=160, height=120, timeout_s=0.5, script=f"@{script}"))
    line.heard(Decided, 3)
    script.write_text("vanish\n")
    trouble = line.heard(Trouble)
    began_s = time.monotonic()
    line.heard(Trouble, 4)
    assert time.monotonic() - began_s > 0.2 + 0.5 + 1.0 - 0.1, "it waits longer each time"
    assert isinstance(trouble, Trouble)
    assert trouble.status == 69
    assert "vanished" in trouble.why
    script.write_text("run\n")
    line.heard(Started, 2)
    line.heard(Decided, len(line.all(Decided)) + 3)


def test_of_a_camera_that_failed_no_frame_is_kept(sealed: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it fails: a frame may have 40 MB, and a small board little more than that to spare."""
    sources: list[weakref.ref[ScriptedSource]] = []

    def come_loose() -> None:
        raise CameraError("came loose")

    def open_another(_: Begin, __: Pipeline) -> ScriptedSource:
        source = ScriptedSource(3, come_loose, lossless=False)
        sources.append(weakref.ref(source))
        return source

    monkeypatch.setattr(edge.worker.main, "_open_source", open_another)
    monkeypatch.setattr(edge.worker.main, "_AGAIN_S", (0.0,))
    ours, theirs = pair()
    worker = edge.worker.main.Worker(WorkerChannel(theirs))
    begin = Begin(Settings(bundle=str(sealed.path), camera=CAMERA), "cpu", None, None)
    gc.disable()
    try:
        for _ in range(5):
            worker._serve(begin, pipeline(sealed, ScriptedEngine()))
        kept = [source() for source in sources[:-1]]
    finally:
        gc.enable()
        ours.close()
        theirs.close()
    assert kept == [None] * 4


def test_a_thread_that_hangs_in_its_driver_ends_the_worker(start: Start) -> None:
    line = start(Camera(source="synthetic", width=160, height=120, timeout_s=0.5, script="run 0.3; hang"))
    last = line.last_words()
    assert isinstance(last, Failed)
    assert (last.part, last.status) == ("camera", 69)
    assert "no frame for 0.5 s" in last.why
    assert "a thread hangs in its driver" in last.why


@pytest.mark.parametrize(
    ("camera", "part", "status", "words"),
    [
        (Camera(source="nowhere"), "worker", 66, "'nowhere' is not there"),
        (Camera(source="picamera2:x"), "worker", 78, "camera.source"),
        (Camera(source="synthetic", script="dance 3"), "worker", 78, "dance"),
    ],
)
def test_what_cannot_be_opened_is_told_with_its_status(
    start: Start, camera: Camera, part: str, status: int, words: str
) -> None:
    last = start(camera).last_words()
    assert isinstance(last, Failed)
    assert (last.part, last.status, last.trace) == (part, status, None)
    assert words in last.why


def test_a_bundle_that_is_damaged_is_told_with_its_status(start: Start, bundle_copy: Path) -> None:
    (bundle_copy / "labels.txt").write_text("other\n")
    last = start(bundle=bundle_copy).last_words()
    assert isinstance(last, Failed)
    assert last.status == 65
    assert "labels.txt has 6 bytes" in last.why


@pytest.fixture
def failing_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Let the worker's opening of the bundle raise this, or another function that it names MODULE.FUNCTION."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(error: str, function: str = "edge.bundle.store.open_bundle") -> None:
        code = f"import {function.rpartition('.')[0]}\nfrom edge.errors import *\n"
        code += f"def broken(*_, **__): raise {error}\n{function} = broken\n"
        (tmp_path / "sitecustomize.py").write_text(code)

    return write


def test_what_nobody_foresaw_is_told_with_its_trace(start: Start, failing_with: Callable[[str], None]) -> None:
    failing_with("KeyError('seven')")
    last = start().last_words()
    assert isinstance(last, Failed)
    assert (last.part, last.why, last.status) == ("worker", "KeyError: 'seven'", 1)
    assert "in broken" in (last.trace or "")


def test_a_camera_that_only_a_new_process_can_find_ends_it_at_once(
    start: Start, failing_with: Callable[..., None]
) -> None:
    failing_with("SpentProcessError('0 found')", "edge.capture.opening.open_source")
    line = start()
    last = line.last_words()
    assert isinstance(last, Failed)
    assert (last.part, last.why, last.status) == ("camera", "0 found", 69)
    assert not line.all(Trouble)


def test_an_error_may_name_a_file_in_any_bytes(start: Start, failing_with: Callable[[str], None]) -> None:
    failing_with(r"MissingInputError('caf\udce9: no such file')")
    last = start().last_words()
    assert isinstance(last, Failed)
    assert (last.why, last.status) == ("caf?: no such file", 66)


def test_it_does_not_begin_with_another_order(start: Start) -> None:
    last = start(first=Stop()).last_words()
    assert isinstance(last, Failed)
    assert "started by `fieldfare run`" in last.why


def test_it_ends_when_its_supervisor_has_hung_up(start: Start) -> None:
    line = start()
    line.heard(Decided)
    line.channel.close()
    assert line.child.wait(5.0)
    while line.child.relay():
        pass
    assert not [text for text in line.child.tail if "Traceback" in text]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_for_the_supervisor(start: Start, number: int) -> None:
    line = start()
    line.heard(Decided)
    os.kill(line.child.pid, number)
    line.heard(Decided, len(line.all(Decided)) + 5)


def test_it_does_not_begin_where_its_parent_has_gone_already() -> None:
    parent = subprocess.Popen(["true"])
    parent.wait()
    line = Line(parent.pid)
    try:
        assert line.child.wait(10.0)
        assert line.child.exit_status() == 0
        assert not line.hear()
        assert line.said == []
    finally:
        line.close()


def test_it_shows_its_newest_picture_while_somebody_looks(start: Start, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for folder in (run, requests_of(run)):
        folder.mkdir()
    line = start(run_dir=os.fsencode(run))
    line.heard(Decided, 5)
    assert list(run.iterdir()) == []

    def look(wanted: Wanted, name: str) -> bool:
        leave(requests_of(run), wanted)
        line.hear()
        return (run / name).exists()

    assert wait_until(lambda: look(Wanted(picture=True), PICTURE), pause_s=0.3)
    live = read_live(run / PICTURE)
    assert (live.frame_width, live.frame_height, live.jpeg[:2]) == (160, 120, b"\xff\xd8")
    assert wait_until(lambda: look(Wanted(focus=Focus()), FOCUS), pause_s=0.3)
    assert read_live(run / FOCUS).sharpness
    line.channel.send(Stop())
    assert line.last_words() == Ended("stopped")
