"""`fieldfare status`: for people, for programs, and by its exit status."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.cli.status import describe, fitted
from edge.errors import DataError
from edge.processes.outputs_messages import OutputState
from edge.supervision.status import Counts, EventStatus, LastEvent, LoadStatus, Seen, Status, begin, read

Run = Callable[..., subprocess.CompletedProcess[str]]


def put(folder: Path, **values: object) -> Status:
    """The status of a service that is this very process."""
    folder.mkdir(parents=True, exist_ok=True)
    status = begin()
    for name, value in {"state": "running", "why": "as configured", **values}.items():
        setattr(status, name, value)
    (folder / "status.json").write_bytes(msgspec.json.encode(status))
    return status


def dead_pid() -> int:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(
    ("values", "status", "words"),
    [
        ({}, 0, "running since"),
        ({"state": "degraded", "why": "Edge TPU lost: unplugged"}, 0, "degraded since"),
        ({"state": "asleep", "why": "by the schedule, until 06:00"}, 0, ": by the schedule, until 06:00"),
        ({"state": "recovering", "why": "no frame for 3 s"}, 69, ": no frame for 3 s"),
        ({"state": "starting"}, 69, "starting since"),
        ({"state": "failed", "why": "birds is damaged"}, 69, "failed since"),
        ({"state": "stopped", "why": "ended"}, 69, "stopped since"),
        ({"pid": -1}, 69, "not running (was running)"),
        ({"updated_mono_s": -1e6}, 69, "not running (was running)"),
        ({"boot_id": "another"}, 69, "not running (was running)"),
    ],
    ids=["running", "degraded", "asleep", "recovering", "starting", "failed", "stopped", "dead", "stale", "rebooted"],
)
def test_it_says_how_the_service_is_and_so_does_its_exit_status(
    run_fieldfare: Run, tmp_path: Path, values: dict[str, object], status: int, words: str
) -> None:
    if values.get("pid") == -1:
        values = {"pid": dead_pid()}
    put(tmp_path, **values)
    done = run_fieldfare("status", "--run-dir", tmp_path)
    assert (done.returncode, done.stderr) == (status, "")
    assert words in done.stdout.splitlines()[0]


def test_programs_get_all_of_it(run_fieldfare: Run, tmp_path: Path) -> None:
    put(tmp_path, counts=Counts(results=7), bundle_name="birds")
    done = run_fieldfare("status", "--run-dir", tmp_path, "--json")
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert (told["state"], told["alive"], told["pid"]) == ("running", True, os.getpid())
    assert told["counts"]["results"] == 7
    assert done.returncode == 0


def test_a_dead_one_is_told_to_programs_too(run_fieldfare: Run, tmp_path: Path) -> None:
    put(tmp_path, pid=dead_pid())
    done = run_fieldfare("status", "--run-dir", tmp_path, "--json")
    assert (json.loads(done.stdout)["alive"], done.returncode) == (False, 69)


def test_of_several_each_is_named_and_one_that_fails_counts(run_fieldfare: Run, tmp_path: Path) -> None:
    put(tmp_path / "garden")
    put(tmp_path / "pond", state="recovering", why="no frame for 3 s")
    (tmp_path / "empty").mkdir()
    done = run_fieldfare("status", "--run-dir", tmp_path)
    starts = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [line.split(" since ")[0] for line in starts] == ["garden: running", "pond: recovering"]
    assert done.returncode == 69
    done = run_fieldfare("status", "garden", "--run-dir", tmp_path)
    assert done.returncode == 0
    assert "pond" not in done.stdout


@pytest.mark.parametrize("words", [[], ["garden"]])
def test_no_service_is_said_with_what_to_do(run_fieldfare: Run, tmp_path: Path, words: list[str]) -> None:
    done = run_fieldfare("status", *words, "--run-dir", tmp_path / "run")
    assert done.returncode == 66
    assert "the service does not run here" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "why"), [("mkdir", "Is a directory"), ("mkfifo", "not a plain file"), ("symlink", "symbolic links")]
)
def test_what_is_left_in_the_place_of_the_file_is_named(
    run_fieldfare: Run, tmp_path: Path, kind: str, why: str
) -> None:
    path = tmp_path / "status.json"
    {"mkdir": path.mkdir, "mkfifo": lambda: os.mkfifo(path), "symlink": lambda: path.symlink_to("/etc/passwd")}[kind]()
    done = run_fieldfare("status", "--run-dir", tmp_path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (66, "", 1)
    assert f"status {path}: cannot read: " in done.stderr
    assert why in done.stderr


@pytest.mark.parametrize("data", [b"", b"garbage\xff", b'{"state":"\xff"}'])
def test_a_file_that_is_no_status_is_one_line(run_fieldfare: Run, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "status.json").write_bytes(data)
    done = run_fieldfare("status", "--run-dir", tmp_path)
    assert done.returncode == 65
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "written by another version?" in done.stderr


def test_what_there_is_to_say_is_said_and_nothing_else() -> None:
    status = begin()
    status.counts = Counts(results=10, repeated=3, crashes=2, worker_starts=3)
    plain = describe(status, None, alive=True)
    assert "none yet" in plain
    assert "3 repeated" in plain
    assert "crashes 2, hangs 0; worker started 3 times" in plain
    for word in ("Edge TPU", "USB", "board", "last"):
        assert word not in plain
    status.counts.edgetpu_losses = status.counts.usb_resets = 1
    status.load = LoadStatus(temperature_c=71.2, cpu_percent=40.4, limit_fps=2.5, reason="71.2 C of 75 C")
    status.last = Seen("owl", 0.91, status.started_wall_s)
    full = describe(status, "pond", alive=True)
    assert full.startswith("pond: starting since ")
    assert "Edge TPU lost 1 time, back 0 times" in full
    assert "1 USB reset, 0 reboots" in full
    assert "71.2 C, CPU 40 %, at most 2.5 frames/s, 71.2 C of 75 C" in full
    assert "last owl 0.91" in full


def test_frames_that_were_looked_at_are_told_apart_from_results() -> None:
    status = begin()
    status.state, status.looked_at_fps = "running", 10.0
    status.counts = Counts(captured=6012, looked_at=6010, turned_away=6010, worker_starts=1)
    text = describe(status, None, alive=True)
    assert text.startswith("running since ")
    assert "results  0, now 0.0 a second" in text
    assert "6012 from the camera, 6010 looked at" in text
    assert "gate     6010 turned away; 10.0 a second are looked at" in text
    status.counts = Counts(captured=6012, looked_at=6010, results=6010)
    assert "gate" not in describe(status, None, alive=True)


@pytest.mark.parametrize(
    ("name", "value"), [("pid", 2**31), ("pid", 0), ("since_wall_s", 1e300), ("started_wall_s", -1e300)]
)
def test_numbers_that_no_service_writes_are_one_line(
    run_fieldfare: Run, tmp_path: Path, name: str, value: float
) -> None:
    put(tmp_path, **{name: value})
    done = run_fieldfare("status", "--run-dir", tmp_path)
    assert done.returncode == 65
    (line,) = done.stderr.splitlines()
    assert line.startswith("fieldfare: status ")
    assert f"$.{name}" in line


def test_events_have_their_lines() -> None:
    status = begin()
    status.events = EventStatus()
    assert "events   store not open yet, 0 since the start\n  store    0 not written yet, 0.0 MB written today" in (
        describe(status, None, alive=True)
    )
    status.events = EventStatus(heard=3, waiting=2, stored=70_123, written_bytes=12_345_678, pictures_mb=812.4)
    status.events.harvest_mb, status.events.dropped_pictures = 20.0, 9
    status.events.last = LastEvent(label="owl", peak=0.91, begin_wall_s=status.started_wall_s, ended=False)
    status.clock = "rtc"
    text = describe(status, None, alive=True)
    assert "events   70123 stored, 3 since the start, last owl 0.91 at " in text
    assert ", going on\n" in text
    assert "pictures 812 MB, harvest 20 MB, 9 pictures dropped for space, 12.3 MB written today" in text
    assert "clock    kept by a real-time clock" in text
    for word in ("recorder", "notice", "lost", "outputs"):
        assert word not in text


def test_on_a_terminal_long_lines_are_folded_and_in_a_pipe_they_stay_whole() -> None:
    status = begin()
    status.counts = Counts(captured=1_234_567, looked_at=1_234_000)
    status.events = EventStatus(written_bytes=12_345_678)
    status.outputs = (OutputState(name="mqtt", fault=f"/srv/{'x' * 30} stopped since noon " * 3, waiting=1200),)
    text = describe(status, None, alive=True)
    folded = fitted(text, 80)
    assert max(map(len, folded)) <= 80
    assert " ".join(" ".join(folded).split()) == " ".join(text.split()), "nothing is left out"
    assert all(line.startswith("  ") for line in folded[1:]), "no text of others begins a line"
    assert fitted(text, None) == text.split("\n")


def test_what_is_wrong_with_events_is_loud() -> None:
    status = begin()
    status.events = EventStatus(waiting=12, fault="No space left on device", notice="events.db was damaged: set aside")
    status.events.lost_events, status.events.lost_pictures = 3, 40
    status.outputs = (
        OutputState(name="mqtt", fault="connection refused", waiting=7),
        OutputState(name="hook", notice="held back"),
    )
    status.outputs_fault = "the outputs died of SIGSEGV"
    text = describe(status, None, alive=True)
    assert "recorder No space left on device: 12 wait in memory" in text
    assert "notice   events.db was damaged: set aside" in text
    assert "lost     3 events and 40 pictures: too much waited" in text
    assert "outputs  the outputs died of SIGSEGV" in text
    assert "mqtt     connection refused, 7 waiting" in text
    assert "hook     as configured, 0 waiting\n           held back" in text


def test_nothing_in_a_status_acts_on_a_terminal_or_begins_a_line() -> None:
    evil = "x\x1b[2J\nstopped since 00:00:00: \x9b\u202e"
    status = begin()
    status.why = status.bundle_name = status.engine = status.source = evil
    status.last, status.load = Seen(evil, 0.5, 0.0), LoadStatus(reason=evil)
    status.bundle, status.output_fault = evil, f"{evil} rtsp:/me:hush@cam"
    lines = describe(status, evil, alive=True).split("\n")
    assert len(lines) == 9
    status.events = EventStatus(fault=evil, notice=evil, last=LastEvent(label=evil, peak=0.5, begin_wall_s=0.0))
    status.outputs, status.outputs_fault = (OutputState(name=evil, fault=evil),), evil
    lines = describe(status, evil, alive=True).split("\n")
    assert len(lines) == 15
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("stopped") for line in lines)
    assert "hush" not in "".join(lines)


def test_results_that_are_lost_have_a_line() -> None:
    status = begin()
    status.output_fault = "results are lost: /x.jsonl: cannot write: Is a directory"
    assert "\n  output   results are lost: /x.jsonl: cannot write" in describe(status, None, alive=True)
    status.output_fault = None
    assert "output" not in describe(status, None, alive=True)


@given(st.one_of(st.binary(max_size=200), st.just(b"[" * 100_000), st.just(b'{"pid":' + b"9" * 6000)))
def test_no_bytes_in_its_place_are_more_than_one_error(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "status.json").write_bytes(data)
        with pytest.raises(DataError):
            read(Path(folder, "status.json"))


def test_all_begins_in_one_column_however_long_the_name_of_an_output_is() -> None:
    status = begin()
    assert "  engine   none yet\n" in describe(status, None, alive=True)
    status.outputs = [OutputState(name="event_lines"), OutputState(name="mqtt", notice="held back")]
    _, *lines = describe(status, None, alive=True).split("\n")
    assert "  event_lines as configured, 0 waiting" in lines
    assert "  mqtt        as configured, 0 waiting" in lines
    assert "              held back" in lines
    assert {line[13] for line in lines} == {" "}
    assert all(line[14] != " " for line in lines)
