"""Files within their budget: what goes, also when no store knows it, or when the disk takes nothing any more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running_recorder import event, sample

from edge.errors import StorageError
from edge.recorder import stock as stock_module
from edge.recorder.filing import is_storable
from edge.recorder.pictures import PictureFolder
from edge.recorder.stock import EventPictures, Samples, Stock
from edge.store.records import NewSample, StoredPicture
from edge.store.writing import StoreWriter

SIZE = 100_000
FREE = 1 << 40


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path / "events.db") as writer:
        yield writer


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    return PictureFolder(tmp_path / "pictures")


def make_stock(folder: PictureFolder, contents: Any = None, *, most_mb: int = 1, reserve_mb: int = 0) -> Stock:
    return Stock(folder, contents or EventPictures(), most_mb, reserve_mb, alive=lambda: None)


def add_events(store: StoreWriter, folder: PictureFolder, count: int, *, pictures: int = 1, **changes: Any) -> None:
    """Add events with pictures of SIZE each."""
    last = store.count()
    for number in range(last + 1, last + count + 1):
        images = []
        for index in range(pictures):
            file = folder.keep(f"boot/{number}-best-{index + 2}.jpg", bytes(SIZE))
            images.append(
                StoredPicture(
                    kind="best",
                    path=folder.root / file.name,
                    size=file.size,
                    width=64,
                    height=48,
                    captured_mono_s=1.0,
                    captured_wall_s=1.0,
                    sha256=file.sha256,
                )
            )
        store.add_events([(event(number, **changes), 1.0 * number, 1.0 * number, "ntp", images)])


def files(folder: PictureFolder) -> list[str]:
    return sorted(entry.name for entry, _ in folder.entries())


def test_the_oldest_of_equals_go_with_their_files_and_the_rows_of_their_pictures(
    store: StoreWriter, folder: PictureFolder
) -> None:
    add_events(store, folder, 5, pictures=2)
    stock = make_stock(folder)
    stock.measure(store)
    assert stock.used == 10 * SIZE
    assert stock.has_room(0)
    assert not stock.has_room(SIZE)
    assert stock.make_room(store, SIZE) == 2
    assert files(folder) == sorted(f"{number}-best-{index}.jpg" for number in (2, 3, 4, 5) for index in (2, 3))
    assert [group.event for group in store.picture_groups()] == [2, 3, 4, 5]
    assert store.count() == 5
    assert stock.has_room(SIZE)


def test_samples_go_by_the_same_rule_but_those_drawn_at_random_count_as_uncertain(
    store: StoreWriter, folder: PictureFolder
) -> None:
    for number, reasons in enumerate([("random",), ("smoothing",), ("smoothing",)]):
        file = folder.keep(f"boot/{number}-{reasons[0]}.jpg", bytes(400_000))
        new = NewSample(
            sample=sample(captured_mono_s=float(number), score=0.9, reasons=reasons),
            device="garden",
            boot="boot",
            engine="litert",
            bundle="abc",
            captured_wall_s=1.0,
            clock="ntp",
            path=folder.root / file.name,
            size=file.size,
            sha256=file.sha256,
        )
        store.add_samples([new])
    stock = make_stock(folder, Samples())
    stock.measure(store)
    assert stock.make_room(store) == 1
    assert files(folder) == ["0-random.jpg", "2-smoothing.jpg"]


def test_files_that_no_store_knows_count_and_go_first(store: StoreWriter, folder: PictureFolder) -> None:
    """As after a store that was damaged and set aside, with its pictures left."""
    add_events(store, folder, 5)
    for number in range(100, 105):
        folder.keep(f"old/{number}-best.jpg", bytes(SIZE))
    (folder.root / "boot" / ".9-best.jpg.partial").write_bytes(b"half")
    (folder.root / "boot" / "notes.txt").write_text("mine")
    stock = make_stock(folder)
    stock.measure(store)
    list(stock.find_strays(store))
    assert (stock.used, stock.strays) == (5 * SIZE, 5 * SIZE)
    assert not (folder.root / "boot" / ".9-best.jpg.partial").exists()
    assert stock.make_room(store, SIZE) == 0
    assert (stock.used, stock.strays) == (5 * SIZE, 3 * SIZE)
    assert len([name for name in files(folder) if name.startswith("10")]) == 3
    assert (folder.root / "boot" / "notes.txt").exists()


def test_many_files_are_compared_in_parts(
    store: StoreWriter, folder: PictureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_module, "_NAMES_AT_ONCE", 2)
    add_events(store, folder, 7)
    folder.keep("old/100-best.jpg", bytes(SIZE))
    stock = make_stock(folder)
    stock.measure(store)
    list(stock.find_strays(store))
    assert stock.strays == SIZE


def test_pictures_that_are_kept_during_the_search_are_no_strays(
    store: StoreWriter, folder: PictureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_module, "_NAMES_AT_ONCE", 2)
    add_events(store, folder, 7)
    folder.keep("old/100-best.jpg", bytes(SIZE))
    stock = make_stock(folder)
    stock.measure(store)
    pieces = 0
    for _ in stock.find_strays(store):
        pieces += 1
        add_events(store, folder, 1)
    assert pieces == 4
    assert stock.strays == SIZE


def test_the_pictures_of_another_store_are_no_strays(
    store: StoreWriter, folder: PictureFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_events(store, folder, 2)
    stock = make_stock(folder)
    list(stock.find_strays(store))
    with StoreWriter(tmp_path / "other.db") as other:
        others = make_stock(folder)
        list(others.find_strays(other))
        assert others.strays == 0
    assert "another store" in caplog.text


@pytest.mark.parametrize(("free", "left"), [(FREE, 5), (9_000_000, 5), (8_150_000, 5), (7_950_000, 4), (0, 0)])
def test_the_reserve_of_the_disk_is_kept_free(
    store: StoreWriter, folder: PictureFolder, monkeypatch: pytest.MonkeyPatch, free: int, left: int
) -> None:
    """8 MB at the least, whatever the settings allow."""
    add_events(store, folder, 5)
    stock = make_stock(folder)
    stock.measure(store)
    monkeypatch.setattr(PictureFolder, "free_bytes", lambda _: free)
    stock.make_room(store)
    assert len(files(folder)) == left


def test_a_disk_that_does_not_answer_loses_nothing(
    store: StoreWriter, folder: PictureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_events(store, folder, 5)
    stock = make_stock(folder)
    stock.measure(store)

    def fail(_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(PictureFolder, "free_bytes", fail)
    assert stock.has_room(SIZE)
    assert stock.make_room(store) == 0
    assert len(files(folder)) == 5


def test_on_a_disk_that_takes_nothing_any_more_the_files_go_first(
    store: StoreWriter, folder: PictureFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_events(store, folder, 5)
    stock = make_stock(folder)
    stock.measure(store)

    def full(*_: object) -> list[Path]:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "remove_pictures", full)
        with pytest.raises(StorageError):
            stock.make_room(store, 7 * SIZE)
    assert len(files(folder)) == 2
    stock.make_room(store)
    assert [group.event for group in store.picture_groups()] == [4, 5]


def test_rows_that_could_not_be_removed_are_not_looked_for_in_the_next_store(
    store: StoreWriter, folder: PictureFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_events(store, folder, 5)
    stock = make_stock(folder)
    stock.measure(store)

    def full(*_: object) -> list[Path]:
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, "remove_pictures", full)
        with pytest.raises(StorageError):
            stock.make_room(store, 7 * SIZE)
    with StoreWriter(tmp_path / "other.db") as other:
        add_events(other, folder, 5)
        stock.measure(other)
        stock.make_room(other)
        assert [group.event for group in other.picture_groups()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "changes",
    [{"sequence": 1 << 63}, {"frames": -(1 << 63)}, {"end_mono_s": float("inf")}, {"peak": float("nan")}],
    ids=str,
)
def test_numbers_that_no_store_holds(changes: dict[str, Any]) -> None:
    assert is_storable(event(1))
    assert not is_storable(event(**{"sequence": 1, **changes}))
