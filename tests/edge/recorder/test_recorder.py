"""The recorder as a process: what it acknowledges is on the disk, whatever happens to it or to its disk."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from running_recorder import BOOT, JPEG, RunningRecorder, event, picture_info, sample, settings

from edge.config.keeping import Events, Harvest, Pictures
from edge.config.settings import Settings
from edge.events.log_clock import HEAD, unpacked
from edge.processes.recorder_messages import KeepScores
from edge.store.reading import StoreReader
from edge.store.records import Filter, StoredEvent

pytestmark = pytest.mark.process


def quick(store: Path, **sections: Any) -> Any:
    """Settings with a promise of one second, so that nothing is waited for."""
    return settings(store, **{"events": Events(store=str(store), durable_within_s=1.0), **sections})


def stored(store: Path) -> list[StoredEvent]:
    with StoreReader(store) as reader:
        return list(reader.events(Filter(), newest_first=False))


def sequences(store: Path) -> list[int]:
    return sorted(one.event.sequence for one in stored(store))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "new" / "events.db"


def test_events_with_their_pictures_are_kept_and_then_acknowledged(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        kinds = ("before", "best", "before")
        sent = event(5000, latitude=52.5, longitude=13.4)
        infos = [picture_info(kind=kind) for kind in kinds]
        recorder.wait_until_kept(recorder.keep(sent, infos, [JPEG] * 3))
        (kept,) = stored(store)
        assert kept.event == sent
        assert [one.path.relative_to(store.parent) for one in kept.pictures] == [
            Path("pictures/0123abcd/5000-before.jpg"),
            Path("pictures/0123abcd/5000-best.jpg"),
            Path("pictures/0123abcd/5000-before-2.jpg"),
        ]
        for one in kept.pictures:
            assert one.path.stat().st_size == one.size
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.events == 1)
        assert pulse.fault is None
        assert pulse.pictures_mb == sum(one.size for one in kept.pictures) / 1e6
        assert recorder.finish() == 0


def test_an_event_is_durable_within_the_promise_and_shares_its_commit(store: Path) -> None:
    with RunningRecorder(settings(store, events=Events(store=str(store), durable_within_s=6.0))) as recorder:
        recorder.wait_for_pulse(lambda pulse: pulse.fault is None)
        ended_s = time.monotonic()
        tickets = [recorder.keep(event(number)) for number in range(5)]
        recorder.wait_for(lambda: bool(recorder.kept))
        assert 2.0 < time.monotonic() - ended_s < 6.0
        assert recorder.kept == set(tickets)


def test_what_goes_on_is_acknowledged_at_once_and_stored_at_the_supervisors_end(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        for frames in (1, 2, 3):
            recorder.wait_until_kept(recorder.keep(event(1, ended=False, frames=frames)))
        ended = recorder.keep(event(2))
        recorder.wait_until_kept(ended)
        assert sequences(store) == [2]
        recorder.line.close()
        assert recorder.child.wait(10)
    assert {(one.event.sequence, one.event.frames, one.event.ended) for one in stored(store)} == {
        (1, 3, True),
        (2, 30, True),
    }


def test_what_was_sent_and_not_read_yet_is_kept_at_the_supervisors_end(store: Path) -> None:
    with RunningRecorder(settings(store)) as recorder:
        for number in range(300):
            recorder.keep(event(number), [picture_info()], [JPEG])
        recorder.line.close()
        assert recorder.child.wait(20)
    assert sequences(store) == list(range(300))
    assert all(len(one.pictures) == 1 for one in stored(store))


def test_finish_keeps_what_came(store: Path) -> None:
    with RunningRecorder(settings(store)) as recorder:
        tickets = [recorder.keep(event(number)) for number in range(3)]
        assert recorder.finish() == 0
        assert recorder.kept == set(tickets)
    assert sequences(store) == [0, 1, 2]


def test_a_long_event_survives_a_power_cut(store: Path) -> None:
    now = time.monotonic()
    long = event(1, ended=False, begin_mono_s=now - 61.0, end_mono_s=now)
    with RunningRecorder(quick(store)) as recorder:
        recorder.keep(long)
        recorder.wait_until_kept(recorder.keep(event(2)))
    assert sequences(store) == [2]  # killed, with its supervisor
    with RunningRecorder(quick(store), boot="another") as recorder:
        recorder.wait_for_pulse(lambda pulse: pulse.events == 1)
        assert recorder.finish() == 0
    assert sequences(store) == [1, 2]


def test_events_of_the_same_identity_are_one(store: Path) -> None:
    sent = event(1)
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(sent, [picture_info()], [JPEG]))
        (before,) = stored(store)
        recorder.wait_until_kept(recorder.keep(sent, [picture_info()], [JPEG]))
        assert stored(store) == [before]


@pytest.mark.parametrize("content", [b"", b"no picture", JPEG[:-2], b"\xff" * 100_000], ids=len)
def test_what_is_no_jpeg_is_left_out_and_its_event_kept(store: Path, content: bytes) -> None:
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1), [picture_info(), picture_info(kind="crop")], [content, JPEG]))
        (kept,) = stored(store)
        assert [one.kind for one in kept.pictures] == ["crop"]


LABELS = (
    "x" * 10_000,
    "\0\x1b[2J\n",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "'; DROP TABLE events; --",
    "",
)
NO_NUMBERS: list[dict[str, Any]] = [
    {"sequence": 1 << 63},
    {"sequence": 100, "end_mono_s": float("inf")},
    {"sequence": 101, "peak": float("nan")},
    {"sequence": 102, "frames": -(1 << 63)},
]


def test_hostile_labels_and_numbers_stop_nothing(store: Path) -> None:
    with RunningRecorder(quick(store)) as recorder:
        tickets = [
            recorder.keep(event(number, label=label), [picture_info()], [JPEG]) for number, label in enumerate(LABELS)
        ]
        tickets += [recorder.keep(event(**changes)) for changes in NO_NUMBERS]
        tickets.append(recorder.keep(event(200, boot="../../../../tmp/x"), [picture_info()], [JPEG]))
        recorder.wait_until_kept(*tickets)
        assert recorder.wait_for_pulse(lambda pulse: True).notice is None
    assert [one.label for one in sorted(stored(store), key=lambda one: one.event.sequence)[:-1]] == list(LABELS)
    assert {path.name for path in store.parent.parent.iterdir()} == {"new"}
    files = [path for path in (store.parent / "pictures").rglob("*") if path.is_file()]
    assert {path.parent.parent for path in files} == {store.parent / "pictures"}
    assert len(files) == len(LABELS) + 1


def test_samples_are_kept_under_their_own_folder(store: Path, tmp_path: Path) -> None:
    wanted = quick(store, harvest=Harvest(max_mb=1, folder=str(tmp_path / "training")))
    with RunningRecorder(wanted) as recorder:
        sent = sample(reasons=("engines", "uncertain"))
        recorder.wait_until_kept(recorder.keep_sample(sent))
        with StoreReader(store) as reader:
            (kept,) = reader.samples()
        assert (kept.sample, kept.device, kept.boot) == (sent, "garden", BOOT)
        assert kept.path.parent.parent == tmp_path / "training"
        assert kept.path.stat().st_size == kept.size


def test_without_a_budget_samples_and_pictures_are_acknowledged_and_dropped(store: Path) -> None:
    with RunningRecorder(quick(store, pictures=Pictures(max_mb=0))) as recorder:
        recorder.wait_until_kept(recorder.keep_sample(sample()), recorder.keep(event(1), [picture_info()], [JPEG]))
    assert not (store.parent / "pictures").exists()
    assert not (store.parent / "harvest").exists()


def test_scores_go_to_their_file_behind_what_the_clock_reads(store: Path, tmp_path: Path) -> None:
    events = Events(store=str(store), durable_within_s=1.0, scores=str(tmp_path / "scores"))
    with RunningRecorder(settings(store, events=events)) as recorder:
        recorder.line.send(KeepScores(b"one"))
        recorder.line.send(KeepScores(b"two"))
        assert recorder.finish() == 0
    data = (tmp_path / "scores").read_bytes()
    assert data.endswith(b"onetwo")
    clock = unpacked(data[HEAD.size : -len(b"onetwo")])
    assert clock is not None
    assert clock.boot == BOOT
    assert clock.mono_s + clock.reading.offset_s == pytest.approx(time.time(), abs=60)


def test_the_budget_is_kept_and_whole_bursts_go(store: Path) -> None:
    large = JPEG[:-2] + bytes(100_000) + JPEG[-2:]
    with RunningRecorder(quick(store, pictures=Pictures(max_mb=1, reserve_mb=0))) as recorder:
        for number in range(10):
            infos = [picture_info(), picture_info(kind="after")]
            recorder.wait_until_kept(recorder.keep(event(number, peak=0.99), infos, [large, large]))
            files = list((store.parent / "pictures").rglob("*.jpg"))
            assert sum(path.stat().st_size for path in files) <= 1_000_000
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.events == 10)
        assert pulse.dropped_pictures > 0
        assert pulse.pictures_mb <= 1.0
    kept = stored(store)
    assert {len(one.pictures) for one in kept} == {0, 2}
    assert [one.event.sequence for one in kept if one.pictures] == [6, 7, 8, 9]
    assert sum(len(one.pictures) for one in kept) == len(files)


def test_damage_that_is_found_while_it_runs_is_set_aside_though_a_new_start_would_not_see_it(store: Path) -> None:
    """At the opening only the newest events are looked at."""
    with RunningRecorder(quick(store)) as recorder:
        recorder.wait_until_kept(recorder.keep(event(1, label="first")))
        recorder.wait_until_kept(*(recorder.keep(event(number)) for number in range(2, 602)))
        recorder.finish()
    with sqlite3.connect(store) as damage:
        damage.execute("DELETE FROM labels WHERE text = 'first'")
    damage.close()
    with RunningRecorder(quick(store)) as recorder:
        pulse = recorder.wait_for_pulse(lambda pulse: pulse.notice is not None)
        assert pulse.notice == "the store was damaged and is now events.db.damaged-1; a fresh one was begun"
        recorder.wait_until_kept(recorder.keep(event(1000)))
        recorder.finish()
    assert sequences(store) == [1000]
    assert store.with_name("events.db.damaged-1").exists()


def test_what_it_cannot_run_with_is_its_last_word(store: Path) -> None:
    with RunningRecorder(Settings(bundle="none")) as recorder:
        assert recorder.wait_for_end() == 78
        assert recorder.failed is not None
        assert recorder.failed.status == 78
        assert "events.store" in recorder.failed.why


def test_without_a_supervisor_it_ends(store: Path) -> None:
    recorder = RunningRecorder(quick(store))
    recorder.line.close()
    assert recorder.child.wait(20)
    recorder.kill()
