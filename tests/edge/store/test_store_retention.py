"""The store stays within its size: the oldest exported events go first, then the oldest; no number is given twice."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_events import event, everything, new, picture

from edge.store import schema, writing
from edge.store.counting import events_after
from edge.store.reading import StoreReader
from edge.store.records import Filter
from edge.store.writing import StoreWriter

MANY = 3000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of 3,000 events, of which 1,000 in the middle were exported."""
    path = tmp_path / "events.db"
    with pytest.MonkeyPatch.context() as patch, StoreWriter(path) as writer:
        patch.setattr(writing, "SETTLED_AT_ONCE", 1000)
        writer.add_events(new(event(n * 60_000)) for n in range(1, MANY + 1))
        writer.note_exported(range(1001, 2001))
    return path


def trim(writer: StoreWriter, max_bytes: int) -> list[int]:
    """Trim to the end. Return how many events each piece dropped."""
    dropped = []
    while (piece := writer.trim(max_bytes, most=200)).more:
        dropped.append(piece.events)
    return dropped


def test_a_store_within_its_size_is_left_alone(path: Path) -> None:
    with StoreWriter(path) as writer:
        assert trim(writer, 10_000_000) == []
        assert writer.count() == MANY


def test_the_oldest_exported_events_go_first(path: Path) -> None:
    with StoreWriter(path) as writer:
        assert max(trim(writer, path.stat().st_size * 9 // 10)) <= 200
    left = {stored.number for stored in everything(path)}
    gone = sorted({*range(1, MANY + 1)} - left)
    assert gone == list(range(1001, 1001 + len(gone)))
    assert 200 < len(gone) < 1000


def test_then_the_oldest_go_and_the_file_shrinks(path: Path) -> None:
    with StoreWriter(path) as writer:
        trim(writer, 200_000)
        writer.check_some()
        count = writer.count()
    numbers = [stored.number for stored in everything(path)]
    assert path.stat().st_size <= 200_000
    assert numbers == list(range(MANY - count + 1, MANY + 1))
    with StoreReader(path) as reader:
        assert reader.count(Filter()) == sum(hour.events for hour in reader.hours(Filter())) == count


def test_the_files_of_dropped_events_are_returned(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "events.db") as writer:
        writer.add_events(
            new(event(n * 1000, label=f"{n}" * 50), pictures=[picture(tmp_path / f"{n}.jpg")]) for n in range(1, 1001)
        )
        piece = writer.trim(50_000, most=2)
    assert (piece.events, piece.pictures) == (2, (tmp_path / "1.jpg", tmp_path / "2.jpg"))


def test_numbers_go_on_after_all_events_are_gone(path: Path) -> None:
    """A cursor of an output stands at the last number that it saw."""
    with StoreWriter(path) as writer:
        trim(writer, 1)
        assert writer.count() == 0
    with StoreWriter(path) as writer, StoreReader(path) as reader:
        assert (reader.numbers(), reader.count_after(MANY), list(reader.events(Filter()))) == ((0, 0), 0, [])
        assert writer.add_events([new(event(1))]) == [MANY + 1]
        assert reader.count_after(0) == reader.count_after(MANY) == 1


def test_a_store_that_holds_no_more_than_its_tables_is_left_alone(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "events.db") as writer:
        assert not writer.trim(1).more


@settings(max_examples=40)
@given(dropped=st.lists(st.integers(1, 3 * schema.BLOCK), max_size=30), after=st.integers(-5, 3 * schema.BLOCK + 5))
def test_how_many_come_after_a_number_is_known_without_counting(store: Path, dropped: list[int], after: int) -> None:
    with StoreWriter(store, check_s=0) as writer, StoreReader(store) as reader:
        with pytest.raises(StopIteration), writer.transaction():
            writer._counts.delete(dropped)
            rows = writer._connection.execute("SELECT count(*) FROM events WHERE number > ?", (after,))
            (expected,) = rows.fetchone()

            found = events_after(writer._connection, after)
            raise StopIteration  # rolled back, so that the next example finds the whole store
        assert reader.count_after(0) == 3 * schema.BLOCK
    assert found == expected


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three blocks of numbers."""
    path = tmp_path_factory.mktemp("store") / "events.db"
    with StoreWriter(path) as writer:
        writer.add_events(new(event(n)) for n in range(1, 3 * schema.BLOCK + 1))
    return path
