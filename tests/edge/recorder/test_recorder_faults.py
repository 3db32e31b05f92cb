"""Disks that are full, read-only, slow or gone, stores that are damaged, newer or deleted: told, and caught up with."""

import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running_recorder import JPEG, RunningRecorder, event, picture_info, settings

from edge.config.keeping import Events, Pictures
from edge.config.settings import Settings
from edge.events.records import Event
from edge.store.orders import MarkEvents, carry_out
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark, StoredEvent

pytestmark = pytest.mark.process


def quick(store: Path, **sections: Any) -> Settings:
    """Settings with a promise of one second, so that nothing is waited for."""
    return settings(store, **{"events": Events(store=str(store), durable_within_s=1.0), **sections})


def stored(store: Path) -> list[StoredEvent]:
    with StoreReader(store) as reader:
        return list(reader.events(Filter()))


def sequences(store: Path) -> list[int]:
    return sorted(one.event.sequence for one in stored(store))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def mounted(folder: Path, *words: str) -> None:
    if shutil.which("mount") is None or subprocess.run(["mount", *words, folder], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB of its own, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted(folder, "-t", "tmpfs", "-o", "size=16m", "tmpfs")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk up, and return the file to remove."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_is_reported_and_caught_up_with_once_there_is_room(small_disk: Path) -> None:
    store = small_disk / "events.db"
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(0)))
        filler = fill(small_disk)
        tickets, number = [], 0
        # What SQLite has room for in files that it has already is still kept.
        while not recorder.pulses or recorder.pulses[-1].fault is None:
            number += 1
            tickets.append(recorder.keep(event(number, label="x" * 1000)))
            recorder.listen(0.02)
            assert number < 20_000
        assert "full" in str(recorder.pulses[-1].fault)
        assert tickets[-1] not in recorder.kept
        filler.unlink()
        freed_s = time.monotonic()
        recorder.wait_until_kept(*tickets)
        recorder.wait_for_pulse(lambda pulse: pulse.fault is None)
        assert time.monotonic() - freed_s < 60
    assert sequences(store) == list(range(number + 1))


def test_a_disk_that_is_full_of_pictures_loses_pictures_and_no_event(small_disk: Path) -> None:
    store = small_disk / "events.db"
    large = JPEG[:-2] + bytes(500_000) + JPEG[-2:]
    with RunningRecorder(quick(store, pictures=Pictures(max_mb=100, reserve_mb=0))) as recorder:
        for first in range(0, 30, 5):
            recorder.wait_until_kept(
                *(recorder.keep(event(first + number), [picture_info()], [large]) for number in range(5))
            )
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.events == 30)
        assert pulse.fault is None
        assert pulse.dropped_pictures > 0
    kept = stored(store)
    assert {one.event.sequence for one in kept} == set(range(30))
    assert 5 < sum(len(one.pictures) for one in kept) < 20
    assert all(picture.path.exists() for one in kept for picture in one.pictures)


def test_pictures_on_a_full_disk_of_their_own_hold_no_event_up(tmp_path: Path, small_disk: Path) -> None:
    store = tmp_path / "events.db"
    fill(small_disk)
    with RunningRecorder(quick(store, pictures=Pictures(folder=str(small_disk / "pictures")))) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1), [picture_info()], [JPEG]))
        assert recorder.wait_for_pulse(lambda pulse: pulse.events == 1).fault is None


def test_a_folder_for_pictures_that_cannot_be_made_is_reported(store: Path) -> None:
    (store.parent / "pictures").write_text("a file")
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1), [picture_info()], [JPEG]))
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.events == 1)
        assert pulse.fault is None
        assert "without pictures" in str(pulse.notice)
        (store.parent / "pictures").unlink()
        recorder.wait_until_kept(recorder.keep(event(2), [picture_info()], [JPEG]))
        recorder.wait_for_pulse(lambda pulse: pulse.notice is None)


def test_a_disk_that_is_read_only_at_first(small_disk: Path) -> None:
    store = small_disk / "new" / "events.db"
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with RunningRecorder(quick(store)) as recorder:
        ticket = recorder.keep(event(1))
        assert "read-only" in str(recorder.wait_for_pulse(lambda pulse: pulse.fault is not None).fault)
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        recorder.wait_until_kept(ticket)
    assert sequences(store) == [1]


def delete_store(store: Path) -> None:
    for file in store.parent.glob("events.db*"):
        if file.is_file():
            file.unlink()


def delete_folder(store: Path) -> None:
    shutil.rmtree(store.parent)


def delete_log(store: Path) -> None:
    store.with_name("events.db-wal").unlink()


@pytest.mark.parametrize(
    ("delete", "left"),
    [(delete_store, [2]), (delete_folder, [2]), (delete_log, [1, 2])],
    ids=["store", "its folder", "its log"],
)
def test_a_store_that_is_deleted_while_running(tmp_path: Path, delete: Callable[[Path], None], left: list[int]) -> None:
    store = tmp_path / "kept" / "events.db"
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1)))
        delete(store)
        recorder.wait_until_kept(recorder.keep(event(2), [picture_info()], [JPEG]))
        assert sequences(store) == left
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.fault is None)
        assert "deleted" in str(pulse.notice)
        assert pulse.events == len(left)
        assert not any(one.fault for one in recorder.pulses), "nothing waited, so the service's state stays as it is"


def test_a_damaged_store_is_set_aside(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(*(recorder.keep(event(number)) for number in range(100)))
        assert recorder.finish() == 0
    data = bytearray(store.read_bytes())
    data[1024:4096] = bytes(3072)
    store.write_bytes(data)
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(200)))
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.events == 1)
        assert "events.db.damaged-1" in str(pulse.notice)
        assert pulse.fault is None
    assert store.with_name("events.db.damaged-1").stat().st_size == len(data)
    assert sequences(store) == [200]


def test_a_store_that_is_damaged_while_running(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(*(recorder.keep(event(number)) for number in range(100)))
        for file in (store, store.with_name("events.db-wal")):
            file.write_bytes(random.Random(1).randbytes(file.stat().st_size))
        recorder.wait_until_kept(*(recorder.keep(event(number)) for number in range(200, 300)), patience_s=60)
        assert recorder.wait_for_pulse(lambda pulse: pulse.fault is None).events > 0


def test_a_newer_store_is_left_alone_and_keeps_nothing(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1)))
        assert recorder.finish() == 0
    with sqlite3.connect(store) as connection:
        connection.execute("PRAGMA user_version = 900")
    connection.close()
    data = store.read_bytes()
    with RunningRecorder(quick(store)) as recorder:
        ticket = recorder.keep(event(2))
        assert "newer" in str(recorder.wait_for_pulse(lambda pulse: pulse.fault is not None).fault)
        recorder.listen(1.5)
        assert ticket not in recorder.kept
    assert store.read_bytes() == data


def test_two_recorders_do_not_write_one_store(store: Path) -> None:
    with RunningRecorder(quick(store)) as first:
        first.wait_until_kept(first.keep(event(1)))
        with RunningRecorder(quick(store)) as second:
            ticket = second.keep(event(2))
            assert "another process" in str(second.wait_for_pulse(lambda pulse: pulse.fault is not None).fault)
            assert first.finish() == 0
            second.wait_until_kept(ticket)
    assert sequences(store) == [1, 2]


def test_marks_are_taken_from_other_programs(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1)))
        carry_out(store, [MarkEvents((1,), Mark(verdict="wrong"))])
        assert [one.mark for one in stored(store)] == [Mark(verdict="wrong")]


@pytest.fixture
def hanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this file exists, fsync hangs in processes that are started from now on."""
    library, file = tmp_path / "hang.so", tmp_path / "hangs"
    source = Path(__file__).with_name("hanging_fsync.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("HANG_WHILE", str(file))
    return file


def test_what_waits_for_a_hanging_fsync_is_not_acknowledged_and_not_lost(store: Path, hanging: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1)))
        hanging.touch()
        tickets = [recorder.keep(event(number), [picture_info()], [JPEG]) for number in range(2, 50)]
        recorder.listen(2.0)
        assert not recorder.kept.intersection(tickets)
        # Its beat goes on, so that a slow disk is not taken for a process that hangs.
        pulses, beats = len(recorder.pulses), recorder.beats
        recorder.wait_for(lambda: recorder.beats > beats)
        assert len(recorder.pulses) <= pulses + 1
        hanging.unlink()
        recorder.wait_until_kept(*tickets)
    assert sequences(store) == list(range(1, 50))


@pytest.mark.slow
def test_an_fsync_that_hangs_at_the_end_keeps_no_process_for_ever(store: Path, hanging: Path) -> None:
    with RunningRecorder(settings(store)) as recorder:
        recorder.wait_for_pulse(lambda pulse: pulse.fault is None)
        hanging.touch()
        recorder.keep(event(1))
        recorder.line.close()
        assert recorder.child.wait(40)


@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_any_moment_nothing_acknowledged_is_lost_and_none_is_there_twice(store: Path, rounds: int) -> None:
    dice = random.Random(rounds)
    waiting: dict[int, Event] = {}
    acknowledged: set[int] = set()
    number = 0
    for turn in range(rounds + 1):
        with RunningRecorder(quick(store, pictures=Pictures(max_mb=1, reserve_mb=0))) as recorder:
            # As the supervisor does: what was not acknowledged is sent again.
            tickets = {recorder.keep(one, [picture_info()], [JPEG]): one for one in waiting.values()}
            dies_s = time.monotonic() + (dice.uniform(0.1, 1.2) if turn < rounds else 60.0)
            while time.monotonic() < dies_s:
                if turn < rounds:
                    number += 1
                    waiting[number] = event(number, frames=number)
                    tickets[recorder.keep(waiting[number], [picture_info()], [JPEG])] = waiting[number]
                recorder.listen(0.005)
                kept = {tickets[ticket].sequence for ticket in recorder.kept}
                acknowledged |= kept
                waiting = {sequence: one for sequence, one in waiting.items() if sequence not in kept}
                if turn == rounds and not waiting:
                    break
    assert sorted(acknowledged) == list(range(1, number + 1))
    kept_events = stored(store)
    assert sorted(one.event.sequence for one in kept_events) == list(range(1, number + 1))
    assert all(one.event.frames == one.event.sequence for one in kept_events)
    for one in kept_events:
        assert [picture.path.stat().st_size for picture in one.pictures] == [picture.size for picture in one.pictures]
    connection = sqlite3.connect(store)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
