"""Events as the worker sends them: `python -m edge.worker.main`, at the other end of a line."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kept import decoded
from scripted import wait_until
from software_tpu import SoftwareTpu
from worker_line import Line

from edge.bundle.store import Bundle
from edge.config.keeping import Events, Harvest, Pictures
from edge.config.running import Camera, Decisions, Engine
from edge.config.settings import Settings
from edge.processes.messages import (
    Begin,
    Decided,
    Ended,
    Failed,
    Message,
    Sampled,
    Scored,
    Sighted,
    Started,
    Step,
    Stop,
    Trouble,
)

CAMERA = Camera(source="synthetic", width=160, height=120, fps=30, timeout_s=0.5)
# The synthetic camera shows nothing that the network knows: any label does.
ANYTHING = Decisions(threshold=0.0)
SOON = {"store": "unused", "min_duration_s": 0.0, "smoothing_s": 0.0, "gap_s": 0.6}

Start = Callable[..., Line]


@pytest.fixture
def start(sealed: Bundle) -> Iterator[Start]:
    """Start a worker that keeps events."""
    lines: list[Line] = []

    def begin(
        camera: Camera = CAMERA,
        module: str = "edge.worker.main",
        bundle: Path = sealed.path,
        device: str = "cpu",
        **sections: object,
    ) -> Line:
        lines.append(Line(os.getpid(), module))
        sections = {"decision": ANYTHING, "events": Events(**SOON), **sections}  # type: ignore[arg-type]
        settings = Settings(bundle=str(bundle), camera=camera, **sections)  # type: ignore[arg-type]
        lines[-1].channel.send(Begin(settings, device, None, None))
        return lines[-1]

    yield begin
    for line in lines:
        line.close()


def ended(line: Line) -> list[int]:
    """The places of the messages of sightings that have ended."""
    return [place for place, message in enumerate(line.said) if isinstance(message, Sighted) and message.sighting.ended]


def open_numbers(line: Line) -> set[int]:
    open_now: set[int] = set()
    for message in line.said:
        if isinstance(message, Sighted):
            (open_now.discard if message.sighting.ended else open_now.add)(message.sighting.number)
    return open_now


def assert_has_its_picture(line: Line, place: int) -> None:
    message = line.said[place]
    assert isinstance(message, Sighted)
    [info], [data] = message.pictures, line.pictures[place]
    assert (info.kind, info.width, info.height) == ("best", 160, 120)
    assert message.sighting.begin_mono_s <= info.captured_mono_s <= message.sighting.end_mono_s
    assert decoded(data).shape == (120, 160, 3)


@pytest.mark.process
def test_what_is_in_view_at_the_end_is_sent_with_its_picture_before_the_last_message(start: Start) -> None:
    line = start()
    line.heard(Sighted)
    line.heard(Decided, 10)
    line.channel.send(Stop())
    assert line.last_words() == Ended("stopped")
    assert not open_numbers(line)
    assert_has_its_picture(line, ended(line)[-1])
    assert "preparing for events" in [step.name for step in line.all(Step)]  # type: ignore[attr-defined]


@pytest.mark.process
def test_an_event_ends_though_the_camera_is_gone(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("run\n")
    line = start(Camera(source="synthetic", width=160, height=120, timeout_s=0.5, script=f"@{script}"))
    line.heard(Sighted)
    script.write_text("vanish\n")
    line.heard(Trouble)
    assert wait_until(lambda: line.hear() and ended(line) and not open_numbers(line), 20)
    assert_has_its_picture(line, ended(line)[-1])


@pytest.mark.process
def test_an_event_ends_before_a_worker_whose_thread_hangs(start: Start) -> None:
    line = start(Camera(source="synthetic", width=160, height=120, timeout_s=0.5, script="run 1; hang"))
    assert isinstance(line.last_words(), Failed)
    assert not open_numbers(line)
    assert_has_its_picture(line, ended(line)[-1])


@pytest.mark.process
def test_an_event_ends_though_a_gate_turns_all_frames_away(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    gate.write_text("open")
    monkeypatch.setenv("FIELDFARE_GATE", str(gate))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3] / "tools"))
    line = start(module="gated_worker")
    line.heard(Sighted)
    gate.write_text("closed")
    assert wait_until(lambda: line.hear() and ended(line) and not open_numbers(line), 20)
    assert_has_its_picture(line, ended(line)[-1])


@pytest.mark.process
def test_a_score_log_alone_is_sent_in_pieces_the_last_before_the_end(start: Start) -> None:
    line = start(events=Events(scores="unused"))
    line.heard(Decided, 20)
    line.channel.send(Stop())
    line.last_words()
    pieces = line.all(Scored)
    assert pieces
    assert all(isinstance(message, Scored) and message.piece for message in pieces)
    assert not line.all(Sighted)


@pytest.mark.process
def test_a_frame_for_the_next_training_comes_with_its_picture(start: Start) -> None:
    line = start(harvest=Harvest(max_mb=1), decision=Decisions(threshold=0.99), pictures=Pictures(max_side=64))
    sampled = line.heard(Sampled)
    assert isinstance(sampled, Sampled)
    assert "unknown" in sampled.sample.reasons
    assert sampled.sample.label == "unknown"
    assert (sampled.sample.width, sampled.sample.height) == (64, 48)
    [data] = line.pictures[line.said.index(sampled)]
    assert decoded(data).shape == (48, 64, 3)


@pytest.mark.process
def test_on_an_edge_tpu_a_frame_on_which_the_cpu_differs_is_kept(
    start: Start, software_tpu: SoftwareTpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The software Edge TPU picks any of some answers for what it does not know."""
    for name, value in software_tpu.environment.items():
        monkeypatch.setenv(name, value)
    engine = Engine(device="usb", edgetpu_library=str(software_tpu.library), threads=1)
    harvest = Harvest(max_mb=1, uncertain=False, unknown=False, random_per_hour=0)
    line = start(bundle=software_tpu.bundle, device="usb", engine=engine, harvest=harvest)
    started, sampled = line.heard(Started), line.heard(Sampled)
    assert isinstance(started, Started)
    assert started.accelerator == "in use"
    assert isinstance(sampled, Sampled)
    assert sampled.sample.reasons == ("engines",)


@pytest.mark.process
def test_of_settings_without_events_nothing_is_sent_or_prepared(start: Start) -> None:
    line = start(events=Events(), harvest=Harvest(max_mb=10))
    line.heard(Decided, 10)
    line.channel.send(Stop())
    line.last_words()
    kept: tuple[type[Message], ...] = (Sighted, Sampled, Scored)
    assert not [message for message in line.said if isinstance(message, kept)]
    assert "preparing for events" not in [step.name for step in line.all(Step)]  # type: ignore[attr-defined]
