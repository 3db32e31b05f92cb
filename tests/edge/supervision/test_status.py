"""How the service is, in a file that is whole at any moment, and whether to believe it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from scripted import wait_until

from edge.errors import DataError, MissingInputError
from edge.processes.outputs_messages import OutputState
from edge.supervision.status import (
    STALE_S,
    Counts,
    EventStatus,
    LastEvent,
    LoadStatus,
    Seen,
    Status,
    StatusFile,
    begin,
    boot_id,
    read,
)


def test_a_service_that_starts_says_so() -> None:
    status = begin()
    assert (status.state, status.pid, status.boot_id) == ("starting", os.getpid(), boot_id())
    assert status.is_alive()
    assert abs(status.started_wall_s - time.time()) < 5


def test_a_clock_that_was_set_mends_since_when_it_runs(tmp_path: Path) -> None:
    status = begin()
    years_s = 1e9
    status.since_mono_s -= 60.0
    status.since_wall_s -= years_s + 60.0
    status.started_wall_s -= years_s
    status.updated_wall_s -= years_s
    StatusFile(tmp_path / "status.json").write(status)
    told = read(tmp_path / "status.json")
    assert told.since_wall_s == pytest.approx(time.time() - 60.0, abs=5)
    assert told.started_wall_s == pytest.approx(time.time(), abs=5)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    status = begin()
    status.state, status.why = "degraded", "Edge TPU lost: größer"
    status.counts = Counts(results=9, dropped=2, usb_resets=1)
    status.last, status.load = Seen("owl", 0.9, 1.7e9), LoadStatus(temperature_c=61.5)
    StatusFile(tmp_path / "status.json").write(status)
    assert read(tmp_path / "status.json") == status
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_what_becomes_of_events_is_read_as_well(tmp_path: Path) -> None:
    status = begin()
    status.events = EventStatus(heard=3, waiting=1, fault="disk full", stored=2, written_bytes=7)
    status.events.last = LastEvent(label="owl", peak=0.9, begin_wall_s=1.7e9, ended=False)
    status.outputs = (OutputState(name="mqtt", fault="no route to host", waiting=5),)
    status.clock, status.asleep_until_wall_s = "rtc", 1.8e9
    StatusFile(tmp_path / "status.json").write(status)
    assert read(tmp_path / "status.json") == status


def test_a_file_of_an_older_version_is_read_too(tmp_path: Path) -> None:
    new = ("events", "outputs", "outputs_fault", "clock", "asleep_until_wall_s", "awake_until_wall_s")
    older = {key: value for key, value in msgspec.to_builtins(begin()).items() if key not in new}
    (tmp_path / "status.json").write_bytes(msgspec.json.encode(older))
    status = read(tmp_path / "status.json")
    assert [getattr(status, key) for key in new] == [None, (), None, None, None, None]


def test_each_writing_says_when(tmp_path: Path) -> None:
    status = begin()
    status.updated_mono_s = status.updated_wall_s = 0.0
    StatusFile(tmp_path / "status.json").write(status)
    assert abs(read(tmp_path / "status.json").updated_mono_s - time.monotonic()) < 5
    assert abs(read(tmp_path / "status.json").updated_wall_s - time.time()) < 5


def test_without_a_place_nothing_is_written() -> None:
    status = begin()
    before = status.updated_mono_s
    StatusFile(None).write(status)
    assert status.updated_mono_s >= before


def test_a_reader_never_finds_half_of_it(tmp_path: Path) -> None:
    path, status, over = tmp_path / "status.json", begin(), threading.Event()
    file = StatusFile(path)
    file.write(status)

    def write_on() -> None:
        number = 0
        while not over.is_set():
            number += 1
            status.why = f"{number} " * (number % 500)
            file.write(status)

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        seen: set[str] = set()
        assert wait_until(lambda: seen.add(read(path).why) or len(seen) > 50, pause_s=0.0)
    finally:
        over.set()
        writer.join()


def test_a_file_that_cannot_be_written_is_told_once_until_it_works_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "run"
    file, status = StatusFile(place / "status.json"), begin()
    for _ in range(3):
        file.write(status)
    assert caplog.text.count("cannot write: No such file or directory") == 1
    place.mkdir()
    file.write(status)
    assert read(place / "status.json").pid == os.getpid()
    (place / "status.json").unlink()
    place.rmdir()
    file.write(status)
    assert caplog.text.count("cannot write") == 2


@pytest.mark.parametrize("name", ["status.json", ".status.json.partial"])
def test_a_pipe_in_its_place_blocks_neither_the_service_nor_a_reader(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    if name == "status.json":
        with pytest.raises(MissingInputError, match="not a plain file"):
            read(tmp_path / name)
    StatusFile(tmp_path / "status.json").write(begin())
    assert read(tmp_path / "status.json").pid == os.getpid()


def test_a_status_of_any_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "status.json").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(MissingInputError, match="larger than 1048576 bytes"):
        read(tmp_path / "status.json")


class TestAlive:
    def test_not_after_its_end(self) -> None:
        for state in ("failed", "stopped"):
            status = begin()
            status.state = state  # type: ignore[assignment]
            assert not status.is_alive()

    def test_not_where_the_process_is_gone(self) -> None:
        done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
        status = begin()
        status.pid = int(done.stdout)
        assert not status.is_alive()

    def test_not_where_it_does_not_move(self) -> None:
        status = begin()
        status.updated_mono_s -= STALE_S - 1
        assert status.is_alive()
        status.updated_mono_s -= 2
        assert not status.is_alive()

    def test_not_after_a_reboot(self) -> None:
        status = begin()
        status.boot_id = "another"
        assert not status.is_alive()

    def test_a_process_of_somebody_else_is_alive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbid(pid: int, number: int) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "kill", forbid)
        assert begin().is_alive()


class TestRead:
    def test_no_file_is_a_missing_input(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match=r"status\.json: cannot read: No such file"):
            read(tmp_path / "status.json")

    @pytest.mark.parametrize("data", [b"", b"garbage", b"{}", b"\xff\xfe", b'{"state":"\xff"}', b"[1]"])
    def test_anything_else_is_bad_data(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "status.json").write_bytes(data)
        with pytest.raises(DataError, match="written by another version"):
            read(tmp_path / "status.json")

    def test_a_key_of_a_newer_version_does_no_harm(self, tmp_path: Path) -> None:
        newer = {**msgspec.to_builtins(begin()), "mood": "fine"}
        (tmp_path / "status.json").write_bytes(msgspec.json.encode(newer))
        assert isinstance(read(tmp_path / "status.json"), Status)
