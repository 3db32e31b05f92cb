"""What was exported is known for each format by itself, in little space."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_events import event, new

from edge.errors import DamagedStoreError
from edge.store.orders import NoteExported, carry_out
from edge.store.reading import StoreReader
from edge.store.reads.runs import NumberSet
from edge.store.records import Filter
from edge.store.writing import StoreWriter

Numbers = st.sets(st.integers(1, 60) | st.integers(1, 1 << 40))


@given(Numbers, Numbers)
def test_a_set_of_runs_is_a_set(some: set[int], more: set[int]) -> None:
    found = NumberSet.of_words((NumberSet(some) | NumberSet(more)).words())
    for number in some | more | {one + 1 for one in some | more} | {0}:
        assert (number in found) == (number in some | more)
    assert bool(found) == bool(some | more)


def test_a_million_in_a_row_take_nothing() -> None:
    assert NumberSet(range(1, 1_000_001)).words() == "1 1000000"


@given(st.text(max_size=30) | st.lists(st.integers(), max_size=6).map(lambda numbers: " ".join(map(str, numbers))))
def test_any_words_of_a_damaged_store(words: str) -> None:
    try:
        found = NumberSet.of_words(words)
    except (ValueError, OverflowError):
        return
    assert NumberSet.of_words(found.words()).words() == found.words()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "events.db"
    with StoreWriter(path) as writer:
        writer.add_events(new(event(n * 1000)) for n in range(1, 6))
    return path


def test_each_format_by_itself(path: Path) -> None:
    carry_out(path, [NoteExported((1, 2, 3), format="csv"), NoteExported((5,), format="csv")])
    carry_out(path, [NoteExported((4,), format="camtrap-dp"), NoteExported((2,))])
    with StoreReader(path) as reader:
        for form, left in (("csv", [4]), ("camtrap-dp", [1, 2, 3, 5]), ("parquet", [1, 2, 3, 4, 5])):
            found = reader.events(Filter(), newest_first=False, without=reader.exported(form))
            assert [one.number for one in found] == left
        assert reader.count(Filter(exported=True)) == 5, "which the budget goes by"


def test_damage_is_found(path: Path) -> None:
    with StoreWriter(path) as writer:
        writer.set_value("exported csv", "5 -3")
        with pytest.raises(DamagedStoreError):
            writer.note_exported([1], [], "csv")
    with StoreReader(path) as reader, pytest.raises(DamagedStoreError, match="what was exported"):
        reader.exported("csv")
