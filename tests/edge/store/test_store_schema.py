"""Older stores become newer ones with all their rows; newer ones are refused in words."""

import sqlite3
from pathlib import Path

import pytest
from store_events import BOOT, OFFSET_S, event, everything, full_event, new, picture

from edge.errors import DamagedStoreError, DataError
from edge.events.records import Event
from edge.store import schema
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark
from edge.store.writing import StoreWriter

VERSION_1 = Path(__file__).with_name("version_1.sql")
# A step as a later version may have it: a new column with a value from an old one, and a new index.
STEP_2 = """
ALTER TABLE events ADD COLUMN seconds REAL;
UPDATE events SET seconds = end_mono_s - begin_mono_s;
CREATE INDEX by_seconds ON events (seconds);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store that version 1 wrote."""
    path = tmp_path / "events.db"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1.read_text())
    connection.close()
    return path


def check_rows(path: Path) -> None:
    """Check all that version_1.sql holds."""
    first, second, third, fourth, fifth = everything(path)
    assert first.event == full_event(1000)
    assert (first.begin_wall_s, first.clock, first.exported) == (OFFSET_S + 1, "ntp", True)
    assert first.pictures == (picture(path.parent / "pictures" / "a.jpg"),)
    assert second.mark == Mark(verdict="other", label="lynx", by="Ana", wall_s=5.0)
    assert (third.clock, fourth.event.device, fifth.event.sequence) == ("none", "trap-4", 5000)
    with StoreReader(path) as reader:
        assert reader.labels() == ["cat", "fox", "lynx"]
        assert [one.number for one in reader.events(Filter(labels=("fox",)))] == [5, 4, 3, 1]
        assert sum(hour.events for hour in reader.hours(Filter(most_score=0.5))) == 1
        assert len(list(reader.samples())) == 1


def test_a_store_of_version_1_is_read_and_goes_on(old: Path) -> None:
    with StoreWriter(old) as writer:
        check_rows(old)
        assert writer.value("written_bytes", 0) == 123
        assert writer.mend(BOOT, OFFSET_S, "ntp") == 1
        assert writer.end_left_open() == 1
        assert writer.add_events([new(event(5000)), new(event(10_000))]) == [5, 7]
    assert [one.event.sequence for one in everything(old)] == [1000, 2000, 3000, 4000, 5000, 9000, 10_000]


def test_steps_that_were_released_stay_as_they_are(old: Path) -> None:
    """A store that was made by the present steps has the tables of version 1, if nothing was added since."""
    with sqlite3.connect(old) as connection:
        definitions = schema.definitions(connection)
    connection.close()
    with sqlite3.connect(":memory:", isolation_level=None) as first:
        for statement in schema.STEPS[0].split(";"):
            first.execute(statement)
        assert schema.definitions(first) == definitions
    first.close()


def test_an_older_store_goes_through_the_steps_that_it_lacks(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "STEPS", (schema.STEPS[0], STEP_2))
    with pytest.raises(DataError, match="has version 1, this Fieldfare reads version 2: start the service once"):
        StoreReader(old)
    with StoreWriter(old) as writer:
        store_id = writer.store_id
    check_rows(old)
    with sqlite3.connect(old) as connection:
        assert connection.execute("SELECT DISTINCT seconds FROM events").fetchall() == [(4.0,)]
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()
    with StoreWriter(old) as writer:
        assert writer.store_id == store_id


def test_a_new_store_goes_through_all_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "STEPS", (schema.STEPS[0], STEP_2))
    with StoreWriter(tmp_path / "events.db") as writer:
        assert writer.add_events([new(event())]) == [1]
    assert len(everything(tmp_path / "events.db")) == 1


def test_a_step_that_fails_leaves_the_older_store(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as in a power cut: the steps are one transaction."""
    monkeypatch.setattr(schema, "STEPS", (schema.STEPS[0], STEP_2 + "INSERT INTO nowhere VALUES (1);"))
    with pytest.raises(DamagedStoreError):
        StoreWriter(old)
    monkeypatch.undo()
    check_rows(old)


def test_a_newer_store_is_refused_in_words_and_left_as_it_was(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(schema, "STEPS", (schema.STEPS[0], STEP_2))
        StoreWriter(old).close()
    before = old.read_bytes()
    for opening in (StoreWriter, StoreReader):
        with pytest.raises(DataError, match=r"version 2, .* newer Fieldfare; update this one") as raised:
            opening(old)
        assert not isinstance(raised.value, DamagedStoreError)
    assert old.read_bytes() == before


def test_the_store_keeps_every_field_of_an_event() -> None:
    """Who adds a field to Event must add a column, in a step of its own."""
    kept = {
        "device",
        "boot",
        "sequence",
        "label",
        "begin_mono_s",
        "end_mono_s",
        "peak",
        "peak_mono_s",
        "mean",
        "frames",
    }
    kept |= {"engine", "bundle", "camera", "runner_up", "box", "fallback", "temperature_c", "latitude", "longitude"}
    assert set(Event.__struct_fields__) == kept | {"ended"}


def test_bands_are_those_that_the_tables_have() -> None:
    assert len(schema.BANDS) == 57
    assert list(schema.BAND_BOUNDS) == sorted(schema.BAND_BOUNDS)
    assert [schema.band_of(score) for score in (0.0, 0.0999, 0.1, 0.93, 1.0)] == [0, 0, 1, 48, 56]
