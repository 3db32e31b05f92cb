"""Events on their way to recorders that keep them, hang, die, never read, or take their time."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from recorders import PICTURE, PREFACE, SAMPLE, STARTED, drive, noted, open_pictures, picture, pids, sighting, starting
from scripted import is_gone, wait_until

from edge.config.keeping import Events
from edge.config.settings import Settings
from edge.processes.listener import Listener
from edge.processes.messages import Sampled, Scored, Sighted
from edge.supervision.beside import attended
from edge.supervision.recording import checking
from edge.supervision.recording import recording as module
from edge.supervision.recording.recording import Recording
from edge.supervision.status import begin

pytestmark = pytest.mark.process

SETTINGS = Settings(bundle="none", events=Events(store="events.db"))
KEEPS = "receive(); keep()"


class Recorded:
    """A recording with its recorder, and the loop around it."""

    def __init__(self, settings: Settings) -> None:
        self.listener = Listener()
        self.status = begin()
        self.recording = Recording(settings, "pi", self.status, self.listener, starting("a_recorder"))
        self.longest_s = 0.0
        self.unkept: str | None = None

    def see(self, number: int = 1, label: str = "owl", *, ended: bool = True, size: int | None = None) -> None:
        """Take a sighting, perhaps with a picture of this size."""
        pictures, files = ((), []) if size is None else ((PICTURE,), [picture(size)])
        began_s = time.monotonic()
        message = Sighted(sighting(number, label, ended=ended, begin_mono_s=began_s), pictures)
        self.recording.heard(message, files, STARTED)
        self.longest_s = max(self.longest_s, time.monotonic() - began_s)
        assert files == [], "they were taken over"

    def tick(self, now: float) -> None:
        self.recording.tick(now)
        self.longest_s = max(self.longest_s, time.monotonic() - now)

    def drive(self, until: Callable[[], object], seconds: float = 30.0) -> bool:
        return drive(self.listener, self.tick, until, seconds)

    @property
    def waiting(self) -> int:
        assert self.status.events is not None
        return self.status.events.waiting

    def finish(self) -> float:
        """End it; return how long that took."""
        began_s = time.monotonic()
        self.unkept = self.recording.finish()
        self.listener.close()
        return time.monotonic() - began_s


Record = Callable[..., Recorded]


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """A recording whose recorders run the given code. Pauses are short, and so is the patience at the end."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(attended, "_PAUSES_S", (0.1,))
    monkeypatch.setattr(module, "FINISH_S", 3.0)
    running: list[Recorded] = []

    def start(code: str, settings: Settings = SETTINGS) -> Recorded:
        (tmp_path / "a_recorder.py").write_text(PREFACE + code)
        running.append(Recorded(settings))
        return running[-1]

    yield start
    for pid in pids(tmp_path):
        if not is_gone(pid, 0.0):
            os.kill(pid, signal.SIGKILL)
    for one in running:
        one.recording._process.close(0.0)
        one.recording._pending.close()
        one.listener.close()
    assert open_pictures() == 0


def events(folder: Path) -> list[str]:
    """The labels of the events that ended, in the order in which recorders got them."""
    words = [line.split() for line in noted(folder)]
    return [word[2] for word in words if word[0] == "event" and word[3] == "True"]


class TestAGoodRecorder:
    def test_what_is_seen_is_kept(self, record: Record, tmp_path: Path) -> None:
        one = record(KEEPS)
        one.see(1, "owl", ended=False)
        one.see(1, "owl", size=1234)
        one.recording.heard(Sampled(SAMPLE), [picture(77)], STARTED)
        one.recording.heard(Scored(b"piece"), [], STARTED)
        assert one.drive(lambda: len(noted(tmp_path)) == 3 and not one.waiting)
        assert [line.split()[0::2] for line in noted(tmp_path)[:1]] == [["event", "owl", "1234"]]
        assert noted(tmp_path)[1:] == ["sample owl 77", "scores piece"]
        assert open_pictures() == 0

    def test_the_status_has_it_all(self, record: Record) -> None:
        one = record(KEEPS)
        one.see(1, "owl", ended=False)
        assert one.drive(lambda: one.status.events and one.status.events.stored == 0)
        seen = one.status.events
        assert seen is not None
        assert seen.last is not None
        assert (seen.last.label, seen.last.peak, seen.last.ended, seen.heard) == ("owl", 0.9, False, 0)
        assert abs(seen.last.begin_wall_s - time.time()) < 20
        one.see(1, "owl")
        assert one.drive(lambda: seen.stored == 1)
        assert (seen.heard, seen.waiting, seen.fault, seen.written_bytes, seen.pictures_mb) == (1, 0, None, 7, 1.5)
        assert one.status.clock == "ntp"
        assert one.recording.reason is None

    def test_it_gets_all_and_ends_in_order(self, record: Record, tmp_path: Path) -> None:
        one = record(KEEPS)
        one.see(1, "owl", ended=False)
        one.see(2, "fox")
        assert one.drive(lambda: noted(tmp_path))
        assert one.finish() < 2.5
        assert noted(tmp_path)[-1] == "finish"
        assert events(tmp_path) == ["fox", "owl"], "what went on ends with the service"
        assert one.waiting == 0

    def test_it_is_started_for_what_came_last(self, record: Record, tmp_path: Path) -> None:
        one = record(KEEPS)
        one.see()
        one.finish()
        assert events(tmp_path) == ["owl"]
        assert noted(tmp_path)[-1] == "finish"


class TestOneThatDies:
    def test_the_next_gets_what_it_did_not_keep(self, record: Record, tmp_path: Path) -> None:
        code = "if not life: pulse(); receive(); receive(); receive(); os.abort()\n" + KEEPS
        one = record(code)
        for number, label in enumerate(["owl", "fox", "cat"]):
            one.see(number, label, size=100)
        assert one.drive(lambda: len(events(tmp_path)) == 3 and not one.waiting)
        assert events(tmp_path) == ["owl", "fox", "cat"]
        assert all(line.endswith(" 100") for line in noted(tmp_path))

    def test_each_time_at_once_and_events_wait_loudly(self, record: Record, tmp_path: Path) -> None:
        one = record("if not (HERE / 'mended').exists(): os.abort()\n" + KEEPS)
        one.see(size=10)
        assert one.drive(lambda: len(pids(tmp_path)) > 3)
        assert one.recording.reason == "events wait in memory: the recorder died of SIGABRT (1 waiting)"
        (tmp_path / "mended").touch()
        assert one.drive(lambda: one.recording.reason is None and not one.waiting)
        assert events(tmp_path) == ["owl"]

    def test_with_a_newer_store_its_words_are_shown(self, record: Record) -> None:
        one = record("line.send(RecorderFailed('events.db is of a newer version: update', 65)); sys.exit(65)")
        one.see()
        assert one.drive(lambda: one.recording.reason)
        assert one.recording.reason == "events wait in memory: events.db is of a newer version: update (1 waiting)"


class TestOneThatIsSlow:
    def test_one_that_never_reads_holds_nobody_up(self, record: Record) -> None:
        one = record("while True: pulse(); time.sleep(0.1)")
        assert one.drive(lambda: one.status.clock)
        for number in range(3000):
            one.see(number, size=3000)
            if not number % 100:
                one.tick(time.monotonic())
        assert one.drive(lambda: one.waiting == 3000)
        assert one.longest_s < 5.0, "waiting for it would never end"

    def test_when_it_reads_at_last_it_gets_everything(self, record: Record, tmp_path: Path) -> None:
        one = record("pulse(); receive()\nwhile not (HERE / 'go').exists(): time.sleep(0.02)\nkeep()")
        for number in range(1500):
            one.see(number, f"label{number}", size=10)
        (tmp_path / "go").touch()
        assert one.drive(lambda: len(events(tmp_path)) == 1500 and not one.waiting)
        assert events(tmp_path) == [f"label{number}" for number in range(1500)]
        assert all(line.endswith(" 10") for line in noted(tmp_path)), "each with its picture"

    def test_one_that_hangs_is_replaced_and_the_next_gets_all(
        self, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_KIND", replace(module._KIND, silence_s=1.0))
        one = record("if not life: pulse(); os.kill(os.getpid(), signal.SIGSTOP)\n" + KEEPS)
        assert one.drive(lambda: one.status.clock)
        one.see(size=10)
        assert one.drive(lambda: events(tmp_path) and not one.waiting)
        assert len(pids(tmp_path)) == 2

    def test_one_that_acknowledges_late_is_well(self, record: Record, tmp_path: Path) -> None:
        """As with a group commit."""
        code = (
            "pulse(); receive(); tickets = []\n"
            "while len(tickets) < 5:\n"
            "    tickets.append(receive().ticket)\n"
            "time.sleep(1.0); line.send(Kept(tuple(tickets))); pulse(events=5); time.sleep(60)"
        )
        one = record(code)
        for number in range(5):
            one.see(number, size=10)
        assert one.drive(lambda: one.status.clock and one.waiting == 5)
        assert one.recording.reason is None
        assert one.drive(lambda: not one.waiting)
        assert open_pictures() == 0

    def test_a_disk_that_hangs_is_reported_once_and_so_is_its_end(
        self, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        monkeypatch.setattr(module, "_LATE_S", 0.5)
        settings = msgspec.structs.replace(SETTINGS, events=Events(store="x", durable_within_s=1.0))
        one = record("while not (HERE / 'go').exists(): pulse(); time.sleep(0.1)\n" + KEEPS, settings)
        one.see()
        began_s = time.monotonic()
        assert one.drive(lambda: one.recording.reason)
        assert time.monotonic() - began_s > 1.5
        why = "the recorder wrote nothing for over 1.5 s: its disk is slow or hangs: check or replace the card"
        assert one.recording.reason == f"events wait in memory: {why} (1 waiting)"
        one.see(2)
        assert one.drive(lambda: one.waiting == 2)
        (tmp_path / "go").touch()
        assert one.drive(lambda: one.recording.reason is None and not one.waiting)
        assert caplog.messages == [why, "events are kept again"]
        assert len(pids(tmp_path)) == 1

    def test_one_that_reports_well_and_keeps_nothing_is_replaced(
        self, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_OVERDUE_S", 0.5)
        settings = msgspec.structs.replace(SETTINGS, events=Events(store="x", durable_within_s=1.0))
        one = record("if not life:\n    while True: receive(0.1); pulse()\n" + KEEPS, settings)
        one.see()
        assert one.drive(lambda: events(tmp_path))
        assert len(pids(tmp_path)) == 2

    def test_one_that_cannot_write_and_says_so_is_left_alone(
        self, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_OVERDUE_S", 0.2)
        settings = msgspec.structs.replace(SETTINGS, events=Events(store="x", durable_within_s=1.0))
        code = "while not (HERE / 'room').exists(): pulse('No space left on device'); time.sleep(0.1)\n" + KEEPS
        one = record(code, settings)
        one.see()
        began_s = time.monotonic()
        assert one.drive(lambda: time.monotonic() - began_s > 2.0)
        assert one.recording.reason == "events wait in memory: No space left on device (1 waiting)"
        (tmp_path / "room").touch()
        assert one.drive(lambda: one.recording.reason is None and not one.waiting)
        assert len(pids(tmp_path)) == 1


class TestTheEnd:
    def test_one_that_never_reads_gets_its_time_and_what_is_left_is_said(
        self, record: Record, caplog: pytest.LogCaptureFixture
    ) -> None:
        one = record("pulse(); time.sleep(60)")
        one.see(1, size=900)
        one.see(2, ended=False)
        assert one.drive(lambda: one.status.clock)
        assert 2.9 < one.finish() < 6.0
        assert one.unkept == "not kept: 2 events and 1 picture: the recorder did not report it as written"
        assert caplog.text.count("waiting for 2 events and 1 picture to be written, at most 3 s") == 1

    def test_what_it_has_received_it_may_still_write(self, record: Record, tmp_path: Path) -> None:
        one = record("pulse(); receive(); time.sleep(4); keep()")
        one.see()
        assert one.drive(lambda: one.status.clock)
        one.finish()
        assert wait_until(lambda: events(tmp_path) == ["owl"])

    def test_with_nothing_to_write_nobody_waits_for_one_that_hangs(self, record: Record) -> None:
        one = record("pulse(); time.sleep(60)")
        assert one.drive(lambda: one.status.clock)
        assert one.finish() < 2.9

    def test_one_that_dies_then_is_said_too(self, record: Record) -> None:
        one = record("pulse(); receive()\nwhile not isinstance(receive(), Finish): pass\nos.abort()")
        one.see()
        assert one.drive(lambda: one.status.clock)
        assert one.finish() < 2.9
        assert one.unkept is not None
        assert one.unkept.startswith("not kept: 1 event: ")


def test_too_much_that_waits_is_given_up_loudly(
    record: Record, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(module, "Pending", lambda files: module_pending(files, most_events=10, most_bytes=500))
    one = record("os.abort()")
    for number in range(20):
        one.see(number, size=100)
    assert one.drive(lambda: one.recording.reason and "lost" in one.recording.reason)
    seen = one.status.events
    assert seen is not None
    assert (seen.waiting, seen.lost_events, seen.lost_pictures) == (10, 10, 15)
    assert one.recording.reason == "events wait in memory: the recorder died of SIGABRT (10 waiting, 25 lost)"
    assert "too much waits for the recorder: 10 events and 15 pictures were given up so far" in caplog.text


module_pending = module.Pending


def test_pieces_of_the_score_log_do_not_pile_up(record: Record, tmp_path: Path) -> None:
    one = record("while not (HERE / 'go').exists(): time.sleep(0.02)\n" + KEEPS)
    for number in range(30):
        one.recording.heard(Scored(f"{number} ".encode() + b"x" * 99_990), [], STARTED)
    (tmp_path / "go").touch()
    assert one.drive(lambda: any(line.startswith("scores 29") for line in noted(tmp_path)))
    assert len(noted(tmp_path)) <= 11


def test_a_message_that_is_too_large_does_not_stop_the_others(
    record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "MOST_LABEL_BYTES", 1_000_000)  # as it is, nothing becomes so large
    one = record(KEEPS)
    one.see(1, "x" * 400_000)
    one.see(2, "owl")
    assert one.drive(lambda: events(tmp_path) == ["owl"] and not one.waiting)
    assert one.status.events is not None
    assert one.status.events.lost_events == 1


def test_what_no_right_worker_sends_is_dropped_with_one_line(
    record: Record, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = record(KEEPS)
    one.see(1, "owl", ended=False)
    for _ in range(100):
        wrong = msgspec.structs.replace(sighting(1, "owl"), mean=float("nan"))
        files = [picture(10)]
        one.recording.heard(Sighted(wrong, (PICTURE,)), files, STARTED)
        os.close(files[0])
    one.recording.heard(Sampled(msgspec.structs.replace(SAMPLE, captured_mono_s=float("inf"))), [], STARTED)
    one.see(2, "fox")
    assert one.drive(lambda: len(events(tmp_path)) == 2 and not one.waiting)
    assert events(tmp_path) == ["owl", "fox"], "what was in sight has ended as it was last heard of"
    logged = [record.getMessage() for record in caplog.records if "dropped" in record.getMessage()]
    assert logged == [
        "a sighting from the worker is dropped: a mean of nan",
        "a sample from the worker is dropped: a time of inf s",
    ]


def test_passwords_of_a_camera_are_no_part_of_an_event(record: Record, tmp_path: Path) -> None:
    camera = msgspec.structs.replace(SETTINGS.camera, source="rtsp://user:secret@10.0.0.9/stream")
    settings = msgspec.structs.replace(SETTINGS, camera=camera)
    one = record("pulse(); receive(); note(receive().event.camera); time.sleep(60)", settings)
    one.see()
    assert one.drive(lambda: noted(tmp_path))
    assert "secret" not in noted(tmp_path)[0]
    assert "10.0.0.9" in noted(tmp_path)[0]
