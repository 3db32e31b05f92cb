"""The recorder's loop on clocks that a test sets: promises, pulses, and times that are mended."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_recorder import BOOT, JPEG, memory_files, picture_info, sample, settings
from running_recorder import event as event_now

from edge.config.keeping import Events, Harvest
from edge.config.settings import Settings
from edge.errors import StorageError
from edge.events.records import Event
from edge.events.wall_clock import RELEASED_WALL_S, WallClock
from edge.processes.recorder_messages import (
    Finish,
    KeepEvent,
    KeepSample,
    Kept,
    Message,
    RecorderBegin,
    RecorderChannel,
    RecorderPulse,
    recorder_pair,
)
from edge.recorder import archive, pictures
from edge.recorder.recorder import Recorder
from edge.recorder.written import WrittenToday
from edge.store.files import files_of
from edge.store.reading import StoreReader
from edge.store.records import Filter, StoredEvent, StoredSample
from edge.store.writes.retention import Trimmed
from edge.store.writing import StoreWriter

TODAY_S = RELEASED_WALL_S + 100 * 86_400.0
TEN_YEARS_S = 10 * 365 * 86_400.0


def event(sequence: int, now: float, **changes: Any) -> Event:
    """An event that ended at `now`."""
    known: dict[str, Any] = {"begin_mono_s": now - 2.0, "end_mono_s": now, "peak_mono_s": now - 1.0}
    return event_now(sequence, **{**known, **changes})


class Bench:
    """A recorder in this process, with its supervisor's end, and the clocks of its board."""

    def __init__(
        self,
        settings: Settings,
        now: float = 100.0,
        wall_s: float = TODAY_S,
        boot: str = BOOT,
        written: WrittenToday | None = None,
    ) -> None:
        self.now, self.wall_s, self.synchronized = now, wall_s, False
        self.rtc_s: float | None = None  # what the real-time clock shows, if it set the wall clock
        self.line, self._theirs = recorder_pair()
        clock = WallClock(
            clocks=lambda: (self.now, self.wall_s),
            kernel=lambda: self.synchronized,
            rtc=lambda: self.rtc_s,
        )
        begin = RecorderBegin(settings, "garden", boot)
        self.recorder = Recorder(
            RecorderChannel(self._theirs), begin, clock=clock, monotonic=lambda: self.now, written=written
        )
        self.received: list[Message] = []
        self._ticket = 0

    def send(self, message: Event, contents: bytes = b"") -> int:
        """Send an event, with one picture if there are contents, and return its ticket."""
        self._ticket += 1
        files = memory_files(contents) if contents else []
        pictures = (picture_info(captured_mono_s=message.end_mono_s),) if contents else ()
        self.line.send(KeepEvent(self._ticket, message, pictures), files)
        for file in files:
            os.close(file)
        return self._ticket

    def pass_time(self, seconds: int, *, step_s: float = 0.0) -> None:
        """Let seconds pass, turn by turn; the wall clock is set by `step_s` at once."""
        self.wall_s += step_s
        for _ in range(seconds):
            self.recorder.turn()
            self.listen()
            self.now += 1.0
            self.wall_s += 1.0

    def listen(self) -> None:
        """Take in what it sent."""
        while (message := self.line.receive()) is not None:
            self.received.append(message)

    @property
    def kept(self) -> list[int]:
        """The tickets that were acknowledged, in order."""
        return [ticket for message in self.received if isinstance(message, Kept) for ticket in message.tickets]

    @property
    def pulses(self) -> list[RecorderPulse]:
        """All pulses."""
        return [message for message in self.received if isinstance(message, RecorderPulse)]

    def end(self) -> None:
        """Finish, and close the line."""
        self.line.send(Finish())
        self.recorder.turn()
        self.recorder.finish()
        self.listen()
        self._close()

    def kill(self) -> None:
        """Leave it as a killed process leaves its store."""
        self.recorder._archive.close()
        self.recorder._waiting.clear()
        self._close()

    def _close(self) -> None:
        self.line.close()
        self._theirs.close()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.fixture
def bench(store: Path) -> Iterator[Bench]:
    made = Bench(settings(store))
    yield made
    made.end()


def stored(store: Path) -> list[StoredEvent]:
    with StoreReader(store) as reader:
        return sorted(reader.events(Filter()), key=lambda one: one.event.sequence)


def begins(store: Path) -> list[tuple[float, str]]:
    """When each event began, as seconds after TODAY_S, and how far that is trusted."""
    return [(round(one.begin_wall_s - TODAY_S, 3), one.clock) for one in stored(store)]


def test_events_wait_for_each_other_and_are_kept_within_the_promise(bench: Bench) -> None:
    first = bench.send(event(1, bench.now))
    bench.pass_time(5)
    second = bench.send(event(2, bench.now))
    bench.pass_time(5)
    assert bench.kept == []
    bench.pass_time(1)
    assert bench.kept == [first, second]


def test_what_goes_on_is_acknowledged_at_once(bench: Bench) -> None:
    ticket = bench.send(event(1, bench.now, ended=False))
    bench.pass_time(1)
    assert bench.kept == [ticket]


def test_it_beats_once_a_second_and_half_as_often_when_nothing_comes(bench: Bench) -> None:
    bench.pass_time(10)
    assert len(bench.pulses) == 10
    bench.pass_time(60)
    assert len(bench.pulses) == 40
    bench.send(event(1, bench.now, ended=False))
    bench.pass_time(5)
    assert len(bench.pulses) == 45


def test_a_boot_that_gets_its_time_an_hour_later_is_mended(store: Path) -> None:
    wanted = settings(store, harvest=Harvest(max_mb=1))
    bench = Bench(wanted, wall_s=0.0)
    bench.send(event(1, bench.now), JPEG)
    (file,) = memory_files(JPEG)
    bench.line.send(KeepSample(99, sample(captured_mono_s=bench.now), "litert", "abc"), [file])
    os.close(file)
    bench.pass_time(3600)
    assert begins(store)[0][1] == "none"
    assert bench.pulses[-1].clock == "none"
    bench.synchronized = True
    bench.pass_time(10, step_s=TODAY_S)
    assert begins(store) == [(-2.0, "ntp")]
    assert bench.pulses[-1].clock == "ntp"
    with StoreReader(store) as reader:
        (kept,) = list[StoredSample](reader.samples())
        ((hour,),) = [[count for count in reader.hours(Filter()) if count.events]]
    assert (kept.captured_wall_s, kept.clock) == (TODAY_S, "ntp")
    assert hour.hour_s == TODAY_S // 3600 * 3600 - (3600 if TODAY_S % 3600 < 2 else 0)
    bench.end()


@pytest.mark.parametrize("step_s", [TEN_YEARS_S, -TODAY_S, 3600.0, -3600.0], ids=["decade", "1970", "hour", "back"])
def test_a_wall_clock_that_jumps_times_nothing_and_mends_nothing_trusted(store: Path, step_s: float) -> None:
    bench = Bench(settings(store))
    bench.synchronized = True
    bench.send(event(1, bench.now))
    bench.pass_time(20)
    bench.synchronized = False  # as the kernel reports for a clock that was set
    bench.pass_time(1, step_s=step_s)
    ticket = bench.send(event(2, bench.now))
    bench.pass_time(10)
    assert ticket not in bench.kept
    bench.pass_time(1)
    assert ticket in bench.kept
    # The monotonic clock went on from the time that was trusted, so this is better than what a person set.
    assert begins(store) == [(-2.0, "ntp"), (19.0, "ntp")]
    bench.end()


def test_a_person_sets_the_clock_and_then_it_is_synchronized(store: Path) -> None:
    bench = Bench(settings(store), wall_s=TODAY_S - 5000)
    bench.send(event(1, bench.now))
    bench.pass_time(20)
    assert begins(store) == [(-5002.0, "none")]
    bench.pass_time(20, step_s=4000.0)
    assert begins(store) == [(-1002.0, "hand")]
    bench.synchronized = True
    bench.pass_time(20, step_s=1000.0)
    assert begins(store) == [(-2.0, "ntp")]
    bench.end()


def test_a_person_corrects_what_a_wrong_real_time_clock_began_with(store: Path) -> None:
    bench = Bench(settings(store), wall_s=TODAY_S - 5000)
    bench.rtc_s = TODAY_S - 5000
    bench.send(event(1, bench.now))
    bench.pass_time(20)
    assert begins(store) == [(-5002.0, "rtc")]
    bench.pass_time(20, step_s=4000.0)
    assert begins(store) == [(-1002.0, "hand")]
    bench.send(event(2, bench.now))
    bench.pass_time(20, step_s=1000.0)  # a slip of the finger, mended
    assert begins(store) == [(-2.0, "hand"), (38.0, "hand")]
    bench.kill()
    after = Bench(settings(store), now=200.0, wall_s=TODAY_S + 100.0)
    after.rtc_s = TODAY_S - 4900  # still wrong
    after.send(event(3, after.now))
    after.pass_time(20)
    assert begins(store) == [(-2.0, "hand"), (38.0, "hand"), (98.0, "hand")]
    assert after.pulses[-1].clock == "hand"
    after.end()


def test_what_a_person_set_twice_is_mended_for_samples_and_events_in_sight_too(store: Path) -> None:
    wanted = settings(store, harvest=Harvest(max_mb=10))
    bench = Bench(wanted, wall_s=TODAY_S - 5000)
    bench.send(event(1, bench.now, ended=False, begin_mono_s=bench.now - 70.0))
    bench.line.send(KeepSample(77, sample(), "cpu", "b"), files := memory_files(JPEG))
    os.close(files[0])
    for step_s in (0.0, 4000.0, 1000.0):
        bench.pass_time(20, step_s=step_s)
    bench.kill()
    after = Bench(wanted, now=200.0, wall_s=TODAY_S + 100.0)
    after.pass_time(60)
    assert begins(store) == [(-70.0, "hand")]
    with StoreReader(store) as reader:
        (kept,) = reader.samples()
    assert kept.captured_wall_s - kept.sample.captured_mono_s == pytest.approx(TODAY_S - 100.0, abs=0.001)
    assert kept.clock == "hand"
    after.end()


def test_a_disk_that_fails_while_the_store_is_opened_costs_nothing_that_was_known(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of the opening is done anew: the clock of this boot is remembered, and what was dropped and written."""
    first = Bench(settings(store))
    first.synchronized = True
    first.send(event(1, first.now))
    first.pass_time(20)
    first.kill()
    failures = iter([StorageError("the disk fails")])
    count = StoreWriter.count

    def fail_once(writer: StoreWriter) -> int:
        if (error := next(failures, None)) is not None:
            raise error
        return count(writer)

    monkeypatch.setattr(StoreWriter, "count", fail_once)
    second = Bench(settings(store), now=200.0, wall_s=5.0)
    second.send(event(2, second.now))
    second.pass_time(30)
    assert begins(store) == [(-2.0, "ntp"), (98.0, "ntp")]
    second.end()


def test_what_a_damaged_log_has_lost_is_a_notice(store: Path, tmp_path: Path) -> None:
    first = Bench(settings(store, events=Events(store=str(store), durable_within_s=1)))
    for number in range(1, 6):
        first.send(event(number, first.now))
        first.pass_time(3)
    after = tmp_path / "after" / "events.db"
    after.parent.mkdir()
    for file, copy in zip(files_of(store)[:2], files_of(after), strict=False):
        copy.write_bytes(file.read_bytes())
    first.end()
    log = files_of(after)[1]
    log.write_bytes(log.read_bytes()[:60] + b"?" + log.read_bytes()[61:])
    second = Bench(settings(after))
    second.pass_time(3)
    assert "the store's log was damaged: its last " in (second.pulses[-1].notice or "")
    assert "5 events up to number 5 among them" in (second.pulses[-1].notice or "")
    second.end()


def test_the_next_recorder_of_a_boot_knows_its_time(store: Path) -> None:
    """The kernel's flag falls hours after the last word of a time server; the time is right all the same."""
    first = Bench(settings(store))
    first.synchronized = True
    first.send(event(1, first.now))
    first.pass_time(20)
    first.kill()
    second = Bench(settings(store), now=200.0, wall_s=5.0)
    second.send(event(2, second.now))
    second.pass_time(20)
    assert begins(store) == [(-2.0, "ntp"), (98.0, "ntp")]
    second.end()
    another = Bench(settings(store), now=20.0, wall_s=TODAY_S + 86_400, boot="another")
    another.send(event(3, another.now, boot="another"))
    another.pass_time(20)
    assert [clock for _, clock in begins(store)] == ["ntp", "ntp", "none"]
    another.end()


def test_an_event_in_sight_is_stored_after_a_minute_and_ended_by_the_next_recorder(store: Path) -> None:
    first = Bench(settings(store))
    begin_s = first.now
    for _ in range(70):
        first.send(event(1, first.now, begin_mono_s=begin_s, ended=False))
        first.pass_time(1)
    assert stored(store) == []
    first.kill()
    second = Bench(settings(store), now=300.0)
    second.pass_time(20)
    assert stored(store) == []  # its supervisor may still have it
    second.pass_time(20)
    (left,) = stored(store)
    assert left.event.ended
    assert 160.0 <= left.event.end_mono_s < 170.0
    second.end()


def test_an_event_in_sight_that_is_heard_of_goes_on_in_the_next_recorder(store: Path) -> None:
    first = Bench(settings(store))
    for _ in range(70):
        first.send(event(1, first.now, begin_mono_s=100.0, ended=False))
        first.pass_time(1)
    first.kill()
    second = Bench(settings(store), now=200.0)
    for _ in range(60):
        second.send(event(1, second.now, begin_mono_s=100.0, ended=False))
        second.pass_time(1)
    assert stored(store) == []
    second.send(event(1, second.now, begin_mono_s=100.0))
    second.pass_time(20)
    (ended,) = stored(store)
    assert ended.event.end_mono_s == 260.0
    second.end()


def test_an_event_that_was_given_up_somewhere_ends(bench: Bench, store: Path) -> None:
    bench.send(event(1, bench.now, ended=False))
    bench.pass_time(620)
    assert [one.event.end_mono_s for one in stored(store)] == [100.0]


def test_without_a_store_in_the_settings_it_says_so() -> None:
    from edge.errors import ConfigError

    line, theirs = recorder_pair()
    with line.socket, theirs, pytest.raises(ConfigError, match=r"events\.store"):
        Recorder(RecorderChannel(theirs), RecorderBegin(Settings(bundle="none"), "garden", BOOT))


def test_more_than_it_may_hold_is_left_to_the_supervisor(store: Path) -> None:
    store.mkdir()  # so that nothing can be kept
    bench = Bench(settings(store))
    sent = 0
    try:
        while True:
            bench.line.send(KeepEvent(sent, event(sent, bench.now)), wait=False)
            sent += 1
            bench.recorder.turn()
    except BlockingIOError:
        assert 500 < sent < 20_000
    bench.pass_time(10)
    assert bench.kept == []
    assert bench.pulses[-1].fault is not None
    store.rmdir()
    bench.pass_time(70)
    assert len(set(bench.kept)) == sent
    bench.end()


def test_a_long_promise_is_used(store: Path) -> None:
    bench = Bench(settings(store, events=Events(store=str(store), durable_within_s=120.0)))
    ticket = bench.send(event(1, bench.now))
    bench.pass_time(80)
    assert bench.kept == []
    bench.pass_time(1)
    assert bench.kept == [ticket]
    bench.end()


def test_what_was_written_today_survives_a_recorder_that_is_killed(store: Path) -> None:
    first = Bench(settings(store), written=day_of_writing(200_000))
    first.send(event(1, first.now))
    first.pass_time(11)
    first.kill()
    second = Bench(settings(store), written=day_of_writing(5_000))
    second.pass_time(2)
    assert (second.pulses[-1].written_bytes, second.pulses[-1].written_total_bytes) == (205_000, 5_000)
    second.end()


def day_of_writing(total: int) -> WrittenToday:
    return WrittenToday(lambda: total, lambda: time.gmtime(TODAY_S))


def test_pictures_that_a_deleted_store_left_behind_are_found(bench: Bench, store: Path) -> None:
    bench.send(event(1, bench.now), JPEG)
    bench.pass_time(80)
    for file in files_of(store):
        file.unlink()
    bench.send(event(2, bench.now), JPEG)
    bench.pass_time(80)
    found = list((store.parent / "pictures").rglob("*.jpg"))
    assert len(found) == 2
    assert bench.pulses[-1].pictures_mb == sum(file.stat().st_size for file in found) / 1e6


def test_a_disk_that_fails_after_the_pictures_were_written_holds_no_event_up(
    bench: Bench, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(pictures, "_sync_folder", fail)
        tickets = [bench.send(event(1, bench.now), JPEG)]
        bench.pass_time(20)
    assert bench.kept == tickets
    assert "events are kept without pictures" in (bench.pulses[-1].notice or "")
    tickets.append(bench.send(event(2, bench.now), JPEG))
    bench.pass_time(20)
    assert bench.kept == tickets
    assert bench.pulses[-1].notice is None
    with StoreReader(store) as reader:
        assert [len(stored.pictures) for stored in reader.after(0, 9)] == [0, 1]


def test_a_store_that_must_lose_millions_of_events_is_trimmed_beside_the_keeping(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(50, -1, -1))
    monkeypatch.setattr(StoreWriter, "trim", lambda *_: Trimmed(events=1, more=next(left, 0) > 0))
    monkeypatch.setattr(archive, "_TRIMMING_S", 0.0)
    bench.pass_time(5)
    ticket = bench.send(event(1, bench.now))
    bench.pass_time(15)
    assert bench.kept == [ticket]
    assert next(left) > 20
    bench.pass_time(60)
    assert next(left, None) is None
