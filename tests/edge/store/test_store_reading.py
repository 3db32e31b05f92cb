"""A reader answers as if it had looked at every event, beside the writer or without one, and never writes."""

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from store_events import BOOT, OFFSET_S, OTHER_BOOT, event, everything, new, picture

from edge.errors import DamagedStoreError, DataError, MissingInputError, UnavailableError
from edge.events.records import ClockQuality
from edge.store import reading, writing
from edge.store.files import files_of
from edge.store.reading import StoreReader
from edge.store.reads import walking
from edge.store.records import Filter, HourCount, Labelled, Mark, Stay, StoredEvent
from edge.store.schema import BAND_BOUNDS
from edge.store.writing import StoreWriter

LABELS = ("fox", "cat", "badger", "unknown")
# Bounds of bands, scores just beside them, and others.
SCORES = sorted({0.0, 1.0, 0.123, 0.8999999999, 0.93712, *BAND_BOUNDS})
HOURS = 30


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 events over 30 hours, of all scores; some are marked or exported, some before 1970, 100 not settled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writing, "SETTLED_AT_ONCE", 500)
        path = tmp_path_factory.mktemp("store") / "events.db"
        with StoreWriter(path) as writer:
            for some in (range(500), range(500, 600)):
                writer.add_events(various(n) for n in some)
            writer.mark(range(1, 600, 17), Mark(verdict="other", label="lynx"))
            writer.mark(range(2, 600, 31), Mark(verdict="right"))
            writer.note_exported(range(1, 400, 3))
    return path


def various(number: int) -> Any:
    begin_s = number * 7919 % 600 * HOURS * 6.0
    changes = {"label": LABELS[number * 7 % 4 % (1 + number % 4)], "peak": SCORES[number * 5 % len(SCORES)]}
    # Several begin in the same millisecond; those of the other boot before 1970.
    made = event(number, begin_mono_s=begin_s - begin_s % 720, boot=OTHER_BOOT if number % 10 == 3 else BOOT, **changes)
    return new(made, offset_s=-7200.5 if number % 10 == 3 else OFFSET_S)


def test_a_stay_begins_with_the_first_event_at_another_place(tmp_path: Path) -> None:
    path, here, there = tmp_path / "events.db", {"latitude": 52.0, "longitude": 23.0}, {"latitude": 53.0}
    with StoreWriter(path) as writer:
        writer.add_events(new(event(n, **here, engine=f"engine {n}")) for n in (1, 2))
        with StoreReader(path) as reader:
            assert reader.stays() == [Stay(1, "trap-3", 52.0, 23.0)]
        writer.add_events([new(event(3, **here | there)), new(event(4, device="oak")), new(event(5, **here | there))])
        writer.add_events([new(event(6, **here))])
    with StoreReader(path) as reader:
        assert reader.stays() == [
            Stay(1, "trap-3", 52.0, 23.0),
            Stay(3, "trap-3", 53.0, 23.0),
            Stay(4, "oak", None, None),
            Stay(6, "trap-3", 52.0, 23.0),
        ]


def test_what_people_named_comes_with_its_pictures_oldest_first(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    best, crop = tmp_path / "pictures" / "a.jpg", tmp_path / "pictures" / "a-crop.jpg"
    with StoreWriter(path) as writer:
        pictures = [picture(crop, kind="crop"), picture(tmp_path / "before.jpg", kind="before"), picture(best)]
        writer.add_events([new(event(2000)), new(event(1000), pictures=pictures), new(event(3)), new(event(4))])
        writer.mark([1], Mark(verdict="other", label="lynx"))
        writer.mark([2], Mark(verdict="right"))
        writer.mark([3], Mark(verdict="wrong"))
    with StoreReader(path) as reader:
        bundle = "0123456789abcdef"
        assert list(reader.labelled()) == [
            Labelled("fox", bundle, best, crop),
            Labelled("lynx", bundle, None, None),
        ]


def test_what_people_named_is_what_all_events_show(path: Path) -> None:
    with StoreReader(path) as reader:
        marked = reader.events(Filter(checked=True), newest_first=False)
        named = [one.label for one in marked if one.mark is not None and one.mark.verdict != "wrong"]
        assert [one.label for one in reader.labelled()] == named


def matches(wanted: Filter, one: StoredEvent) -> bool:
    """What a Filter means."""
    return (
        (not wanted.labels or one.label in wanted.labels)
        and (wanted.since_wall_s is None or wanted.since_wall_s <= one.begin_wall_s)
        and (wanted.until_wall_s is None or one.begin_wall_s < wanted.until_wall_s)
        and (wanted.least_score is None or wanted.least_score <= one.event.peak)
        and (wanted.most_score is None or one.event.peak <= wanted.most_score)
        and (wanted.checked is None or wanted.checked == (one.mark is not None))
        and (wanted.exported is None or wanted.exported == one.exported)
    )


scores = st.one_of(st.none(), st.sampled_from(SCORES), st.floats(0, 1))
times = st.one_of(
    st.none(),
    st.sampled_from([-7200.5, 0.0, OFFSET_S, OFFSET_S + 720, OFFSET_S // 3600 * 3600, float("inf"), float("-inf")]),
    st.floats(-8000, HOURS * 3600 + 10).map(lambda s: OFFSET_S + s),
)
yes_or_no = st.one_of(st.none(), st.booleans())
filters = st.builds(
    Filter,
    labels=st.lists(st.sampled_from([*LABELS, "lynx", "unicorn"]), max_size=3).map(tuple),
    since_wall_s=times,
    until_wall_s=times,
    least_score=scores,
    most_score=scores,
    checked=yes_or_no,
    exported=yes_or_no,
)


@settings(max_examples=150)
@example(Filter(least_score=0.9))
@example(Filter(least_score=0.9, most_score=0.9))
@example(Filter(least_score=0.93712, most_score=0.93712))
@given(filters)
def test_every_question_is_answered_as_by_looking_at_each_event(path: Path, wanted: Filter) -> None:
    with StoreReader(path) as reader:
        expected = [one for one in all_events(path) if matches(wanted, one)]
        expected.sort(key=lambda one: (one.begin_wall_s, one.number))
        assert list(reader.events(wanted, newest_first=False)) == expected
        assert [one.number for one in reader.events(wanted, limit=7)] == [one.number for one in expected[:-8:-1]]
        assert reader.count(wanted) == len(expected)
        counted = Counter((int(one.begin_wall_s // 3600) * 3600, one.label) for one in expected)
        assert reader.hours(wanted) == [
            HourCount(label=label, hour_s=hour_s, events=counted[hour_s, label]) for hour_s, label in sorted(counted)
        ]


_all: dict[Path, list[StoredEvent]] = {}


def all_events(path: Path) -> list[StoredEvent]:
    """Read them once for all examples."""
    if path not in _all:
        _all[path] = everything(path)
    return _all[path]


def test_a_walk_of_many_pages_leaves_nothing_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_HOURS_AT_ONCE", 3)
    monkeypatch.setattr(reading.rows, "MOST_IN_ONE", 4)
    expected = sorted((one.begin_wall_s, one.number) for one in all_events(path))
    for wanted in (Filter(), Filter(least_score=0.0), Filter(least_score=0.05), Filter(exported=False)):
        right = [place for place in expected if matches(wanted, all_events(path)[place[1] - 1])]
        with StoreReader(path) as reader:
            for newest_first in (True, False):
                found = [(o.begin_wall_s, o.number) for o in reader.events(wanted, newest_first=newest_first)]
                assert found == sorted(right, reverse=newest_first)


def test_labels_are_those_of_events_and_marks(path: Path) -> None:
    with StoreReader(path) as reader:
        assert reader.labels() == sorted({label for one in all_events(path) for label in (one.label, one.event.label)})


def test_an_event_is_found_by_number_and_by_name(path: Path) -> None:
    with StoreReader(path) as reader:
        for one in all_events(path)[::50]:
            assert reader.find(str(one.number)) == reader.find(one.event.name) == one
        names = ("", "-", "601", "x", f"trap-3-{BOOT[:8]}-99999", f"trap-4-{BOOT[:8]}-1", "9" * 400, "--", "²")
        assert [reader.find(name) for name in names] == [None] * len(names)


def test_events_come_after_a_number_in_pieces(path: Path) -> None:
    with StoreReader(path) as reader:
        assert reader.numbers() == (1, 600)
        assert [one.number for one in reader.after(590, 6)] == list(range(591, 597))
        assert [one.number for one in reader.after(596, 6)] == [597, 598, 599, 600]
        assert [reader.count_after(number) for number in (-1, 0, 1, 599, 600, 601)] == [600, 600, 599, 1, 0, 0]


# Beside the writer


def test_a_walk_stays_with_one_state_of_the_store(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with StoreWriter(path) as writer:
        writer.add_events(new(event(n)) for n in range(1, 1001))
        with StoreReader(path) as reader:
            walk = reader.events(Filter(), newest_first=False)
            first = next(walk)
            writer.mark([2, 900], Mark(verdict="right"))
            writer.add_events([new(event(5000))])
            rest = list(walk)
            assert [one.number for one in (first, *rest)] == list(range(1, 1001))
            assert not any(one.mark for one in rest)
            assert reader.count(Filter(checked=True)) == 2


def test_a_long_walk_does_not_hold_the_writers_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with a newer state, without the events that came since it began."""
    monkeypatch.setattr(reading, "_STATE_S", 0.0)
    path = tmp_path / "events.db"
    with StoreWriter(path) as writer:
        writer.add_events(new(event(n)) for n in range(1, 2001))
        with StoreReader(path) as reader:
            walk = reader.events(Filter(), newest_first=False)
            found = [next(walk).number]
            writer.add_events([new(event(5000))])
            writer.mark([2000], Mark(verdict="right"))
            *rest, last = walk
            assert [*found, *(one.number for one in rest), last.number] == list(range(1, 2001))
            assert last.mark is not None


def test_an_abandoned_walk_is_no_harm(path: Path) -> None:
    reader = StoreReader(path)
    walk = reader.events(Filter())
    next(walk)
    assert reader.count(Filter()) == 600
    reader.close()
    del walk
    reader.close()


KILLED_WRITER = """
import os, signal, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from store_events import event, new
from edge.store.writing import StoreWriter
writer = StoreWriter(Path(sys.argv[1]))
writer.add_events(new(event(n)) for n in range(1, 101))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def killed() -> Iterator[Path]:
    """A store whose writer was killed, so that all is in the log only. In a folder that others can reach."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store", "events.db")
        path.parent.mkdir()
        path.parent.parent.chmod(0o755)
        command = [sys.executable, "-c", KILLED_WRITER, path, Path(__file__).parent, Path.cwd()]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        yield path
        path.parent.chmod(0o755)


def test_a_reader_never_checkpoints(killed: Path) -> None:
    """SQLite before 3.51.3 can damage a store that two connections checkpoint."""
    store, log, _ = files_of(killed)
    before = (store.read_bytes(), log.read_bytes())
    with StoreReader(killed) as reader:
        assert reader.count(Filter()) == 100
    assert (store.read_bytes(), log.read_bytes()) == before


AS_NOBODY = """
import os, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import edge.store.reading
from edge.store.records import Filter
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
with edge.store.reading.StoreReader(Path(sys.argv[1])) as reader:
    print(reader.count(Filter()), len(list(reader.events(Filter()))))
"""


@pytest.mark.parametrize("gone", [(), ("-shm",), ("-shm", "-wal")])
def test_a_store_is_read_by_who_cannot_write_its_folder(killed: Path, gone: tuple[str, ...]) -> None:
    """After a crash, after a crash and a copy, and at rest."""
    if gone == ("-shm", "-wal"):
        StoreWriter(killed).close()
    for ending in gone:
        killed.with_name(killed.name + ending).unlink(missing_ok=True)
    readable(killed)
    done = read_as_nobody(killed)
    assert (done.stdout, done.returncode) == ("100 100\n", 0), done.stderr


def test_who_cannot_write_the_folder_reads_beside_the_writer(killed: Path) -> None:
    with StoreWriter(killed):
        readable(killed)
        assert read_as_nobody(killed).stdout == "100 100\n"


def readable(path: Path) -> None:
    """Let everybody read the store, and nobody else write its folder."""
    path.parent.chmod(0o755)
    for file in files_of(path):
        if file.exists():
            file.chmod(0o644)
    if os.geteuid() != 0:
        path.parent.chmod(0o555)


def read_as_nobody(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AS_NOBODY, path, Path.cwd()]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"TMPDIR": "/tmp"})


def test_a_store_at_rest_that_is_written_meanwhile_is_not_trusted(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StoreWriter(killed).close()
    reader = StoreReader(killed)
    monkeypatch.setattr(reader._way, "at_rest", files_of(killed)[1])
    files_of(killed)[1].touch()
    with pytest.raises(UnavailableError, match="try again"):
        reader.count(Filter())
    reader.close()


# What is no store


def test_no_store_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="check the path"):
        StoreReader(tmp_path / "events.db")
    with pytest.raises(MissingInputError, match="check the path"):
        StoreReader(tmp_path / "events.db" / "events.db")


def test_what_is_no_file_is_reported_as_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is a folder, so it cannot be a store: name a file, such as .*/events.db$"):
        StoreReader(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="is a pipe, so"):
        StoreReader(tmp_path / "pipe")


def test_another_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (name)")
    connection.close()
    with pytest.raises(DataError, match="no store of Fieldfare's"):
        StoreReader(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DataError, match="no store of Fieldfare's: check the path") as raised:
        StoreReader(path)
    # Nothing sets such a file aside, and so that must not be promised.
    assert not isinstance(raised.value, DamagedStoreError)


def test_a_store_whose_first_pages_are_destroyed_is_damaged_and_no_strangers(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    StoreWriter(path).close()
    path.write_bytes(os.urandom(5000))
    with pytest.raises(DamagedStoreError, match="sets it aside"):
        StoreReader(path)


def test_a_store_that_is_just_being_made_is_not_there_yet(tmp_path: Path) -> None:
    """Else the outputs, which start beside its writer, would advise to move it away."""
    path = tmp_path / "events.db"
    path.write_bytes(b"")
    with pytest.raises(MissingInputError, match="makes the store when it starts"):
        StoreReader(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    with pytest.raises(MissingInputError):
        StoreReader(path)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (99, "newer Fieldfare; update this one"),
        *((never, rf"is damaged \(version {never}\): the service sets it aside") for never in (0, -1, 1000)),
    ],
)
def test_another_version_is_refused_in_words(killed: Path, version: int, words: str) -> None:
    StoreWriter(killed).close()
    with sqlite3.connect(killed) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(DataError, match=words):
        StoreReader(killed)


def test_rows_that_lead_nowhere_are_damage(killed: Path) -> None:
    StoreWriter(killed).close()
    with sqlite3.connect(killed) as connection:
        connection.execute("DELETE FROM labels")
    connection.close()
    with StoreReader(killed) as reader, pytest.raises(DamagedStoreError):
        reader.after(0, 10)


def test_the_qualities_of_a_clock_are_all_kept(tmp_path: Path) -> None:
    qualities: tuple[ClockQuality, ...] = ("none", "hand", "rtc", "ntp")
    with StoreWriter(tmp_path / "events.db") as writer:
        writer.add_events(new(event(n), quality) for n, quality in enumerate(qualities))
    assert [one.clock for one in everything(tmp_path / "events.db")] == list(qualities)
