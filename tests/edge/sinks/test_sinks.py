"""Results reach people and programs; a failing disk never stops the camera."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.errors import StorageError
from edge.results import Candidate, Latency, Result
from edge.sinks.console import ConsoleSink
from edge.sinks.jsonl import JsonFileSink, JsonStreamSink


def result(frame: int = 0, label: str = "owl", image: str | None = None, fallback: str | None = None) -> Result:
    return Result(
        frame=frame,
        label=label,
        score=0.75,
        top=(Candidate("owl", 0.75), Candidate("wren", 0.25)),
        captured_wall_s=1e9,
        captured_mono_s=5.0,
        latency_ms=Latency(wait=0.1, preprocess=0.2, inference=3.0, postprocess=0.1, total=3.4),
        engine="test",
        bundle="0123456789ab",
        dropped=0,
        image=image,
        fallback=fallback,
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_json_lines_hold_what_scripts_need() -> None:
    stream = io.BytesIO()
    JsonStreamSink(stream).write(result(image="a.jpg"))
    record = json.loads(stream.getvalue())
    assert record["image"] == "a.jpg"
    assert (record["label"], record["score"]) == ("owl", 0.75)
    assert record["top"][1] == {"label": "wren", "score": 0.25}
    assert "fallback" not in record
    assert record["latency_ms"]["total"] == 3.4


def test_plain_output_has_a_line_a_result() -> None:
    stream = io.StringIO()
    sink = ConsoleSink(stream, mode="all")
    sink.write(result(0))
    sink.write(result(1, image="b.jpg", fallback="no TPU"))
    assert stream.getvalue().splitlines() == [
        "frame 0: owl 0.75  (wren 0.25)  3.4 ms",
        "b.jpg: owl 0.75  (wren 0.25)  3.4 ms  [fallback]",
    ]


def test_changes_only() -> None:
    stream = io.StringIO()
    sink = ConsoleSink(stream, mode="changes")
    for number, label in enumerate(["owl", "owl", "wren", "wren", "owl"]):
        sink.write(result(number, label))
    assert [line.split(":")[0] for line in stream.getvalue().splitlines()] == ["frame 0", "frame 2", "frame 4"]


def test_on_a_terminal_frames_share_a_line_until_the_label_changes() -> None:
    stream = Terminal()
    sink = ConsoleSink(stream, mode="all")
    for number, label in enumerate(["owl", "owl", "wren"]):
        sink.write(result(number, label))
    sink.close()
    sink.close()
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[0].count("\r") == 2
    assert lines[1].startswith("frame 2: wren")


def test_files_are_rotated_and_the_oldest_go(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    sink = JsonFileSink(path, max_bytes=1000, keep=2)
    for number in range(30):
        sink.write(result(number))
    sink.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results.jsonl", "results.jsonl.1", "results.jsonl.2"]
    assert all(p.stat().st_size <= 1000 for p in tmp_path.iterdir())
    frames = [
        json.loads(line)["frame"]
        for name in ("results.jsonl.2", "results.jsonl.1", "results.jsonl")
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert frames == list(range(frames[0], 30))


def test_nothing_is_kept_when_told_so(tmp_path: Path) -> None:
    sink = JsonFileSink(tmp_path / "results.jsonl", max_bytes=1000, keep=0)
    for number in range(30):
        sink.write(result(number))
    sink.close()
    assert [p.name for p in tmp_path.iterdir()] == ["results.jsonl"]
    assert (tmp_path / "results.jsonl").stat().st_size <= 1000


def test_a_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    for number in range(3):
        sink = JsonFileSink(tmp_path / "results.jsonl", max_bytes=10**6, keep=1)
        sink.write(result(number))
        sink.close()
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 3


def test_a_place_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        JsonFileSink(tmp_path / "file" / "results.jsonl", max_bytes=1000, keep=1)


def test_a_pipe_is_no_place_for_results(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Opening it would block the whole service until somebody reads it."""
    path = tmp_path / "results.jsonl"
    sink = JsonFileSink(path, max_bytes=1000, keep=1)
    path.unlink()
    os.mkfifo(path)
    sink.write(result(0))
    assert "not a plain file" in caplog.text
    with pytest.raises(StorageError, match="not a plain file"):
        JsonFileSink(path, max_bytes=1000, keep=1)
    path.unlink()
    sink.write(result(1))
    sink.close()
    assert frames_of(path) == [1]


def test_a_full_disk_costs_lines_not_the_camera(tmp_path: Path) -> None:
    """The kernel stops the file at 1,000 bytes; later there is room again."""
    script = (
        "import resource, sys, logging; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path; from test_sinks import *\n"
        "logging.basicConfig(format='%(message)s', stream=sys.stdout)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "sink = JsonFileSink(Path(sys.argv[1]), max_bytes=10**6, keep=1)\n"
        "[sink.write(result(n)) for n in range(10)]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "[sink.write(result(n)) for n in range(10, 12)]\n"
    )
    path = tmp_path / "results.jsonl"
    here = str(Path(__file__).parent)
    done = subprocess.run([sys.executable, "-c", script, path, here], capture_output=True, text=True, check=True)
    assert done.stdout.count("cannot write") == 1
    assert done.stdout.count("works again") == 1
    frames = [json.loads(line)["frame"] for line in path.read_text().splitlines()]
    assert frames[-2:] == [10, 11]
    assert frames[:-2] == list(range(len(frames) - 2))


def frames_of(path: Path) -> list[int]:
    return [json.loads(line)["frame"] for line in path.read_text().splitlines()]


def test_on_fat_a_file_is_rotated_at_four_gibibytes(tmp_path: Path) -> None:
    most = (1 << 32) - 1
    code = (
        "import resource, sys; from pathlib import Path; from edge.sinks.rotated import RotatedFile; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most})); "  # as FAT refuses it
        "file = RotatedFile(Path(sys.argv[1]), max_bytes=10**11, keep=9, durable=True); "
        "[file.write(f'{number:099}\\n'.encode()) for number in range(5)]"
    )
    with (tmp_path / "lines").open("wb") as file:  # a hole, which takes no space
        file.truncate(most - 251)
        file.seek(most - 251)
        file.write(b"\n")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "lines")], check=True)
    with (tmp_path / "lines.1").open("rb") as file:
        file.seek(most - 250)
        assert [int(line) for line in file.read().splitlines()] == [0, 1]
    assert [int(line) for line in (tmp_path / "lines").read_text().splitlines()] == [2, 3, 4]


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_a_file_that_was_taken_away_is_begun_anew(tmp_path: Path, how: str) -> None:
    path = tmp_path / "season" / "results.jsonl"
    sink = JsonFileSink(path, max_bytes=10**6, keep=1)
    sink.write(result(0))
    if how == "removed":
        shutil.rmtree(path.parent)
    else:
        path.rename(tmp_path / "old.jsonl")
    sink.write(result(1))
    sink.write(result(2))
    sink.close()
    assert frames_of(path) == [1, 2]
    assert how == "removed" or frames_of(tmp_path / "old.jsonl") == [0]


def test_a_stick_that_was_pulled_and_put_back_is_written_to_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An open file on a pulled stick never works again; closing its descriptor has the same effect."""
    path = tmp_path / "results.jsonl"
    sink = JsonFileSink(path, max_bytes=10**6, keep=1)
    sink.write(result(0))
    assert sink._file._file is not None
    os.close(sink._file._file.fileno())
    sink.write(result(1))
    sink.write(result(2))
    sink.close()
    assert frames_of(path) == [0, 2]
    assert [record.message.rpartition(": ")[2] for record in caplog.records] == [
        "Bad file descriptor; results are lost until it works",
        "writing works again",
    ]


def test_a_line_cut_by_a_power_failure_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"frame":0}\n{"frame":1,"lab')
    sink = JsonFileSink(path, max_bytes=10**6, keep=1)
    sink.write(result(2))
    sink.close()
    lines = path.read_text().splitlines()
    assert len(lines) == 3
    assert json.loads(lines[2])["frame"] == 2


def test_nothing_of_a_label_or_a_name_acts_on_a_terminal() -> None:
    for stream in (io.StringIO(), Terminal()):
        sink = ConsoleSink(stream, mode="all")
        sink.write(result(0, "\x1b]0;evil\x07\x1b[2J\nroot@pi"))
        sink.write(result(1, image="a\r\x9b2J\u202e.jpg"))
        own = stream.getvalue().replace("\r\x1b[K", "")
        assert "evil" in own
        assert all(line.isprintable() for line in own.split("\n"))
        assert len(own.strip().split("\n")) == 2


def test_the_name_of_a_file_is_no_priority_for_the_journal() -> None:
    stream = io.StringIO()
    ConsoleSink(stream, mode="all").write(result(image="<0>kernel: on fire.jpg"))
    assert stream.getvalue().startswith("./<0>kernel")


def test_a_line_has_an_end() -> None:
    stream = io.StringIO()
    ConsoleSink(stream, mode="all").write(result(label="x" * 100_000))
    assert len(stream.getvalue()) < 10_000


def test_json_holds_the_label_as_it_is_and_shows_nothing_that_acts_on_a_terminal(tmp_path: Path) -> None:
    label = "Öl\x1b[2J\x9b2J\u202e\x7f\n"
    stream = io.BytesIO()
    JsonStreamSink(stream).write(result(label=label))
    sink = JsonFileSink(tmp_path / "results.jsonl", max_bytes=10**6, keep=1)
    sink.write(result(label=label))
    sink.close()
    for data in (stream.getvalue(), (tmp_path / "results.jsonl").read_bytes()):
        assert json.loads(data)["label"] == label
        assert data.decode().rstrip("\n").isprintable()
        assert "Öl" in data.decode()


def test_what_cannot_be_written_is_a_fault_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.mkdir()
    sink = JsonFileSink(path, max_bytes=10**6, keep=1, patient=True)
    assert sink.fault == f"results are lost: {path}: cannot write: Is a directory"
    sink.write(result(0))
    assert sink.fault is not None
    path.rmdir()
    sink.write(result(1))
    sink.close()
    assert sink.fault is None
    assert frames_of(path) == [1]
    assert JsonStreamSink(io.BytesIO()).fault is None
    assert ConsoleSink(io.StringIO(), mode="all").fault is None


def test_a_disk_that_is_full_now_and_then_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "results.jsonl"
    sink = JsonFileSink(path, max_bytes=10**6, keep=1)
    for number in range(10):
        path.unlink()
        path.mkdir()
        sink.write(result(number))
        assert sink.fault is not None
        path.rmdir()
        sink.write(result(number))
        assert sink.fault is None
    sink.close()
    assert [record.levelname for record in caplog.records].count("WARNING") == 2
