"""A store that is moved, copied or deleted while it is written keeps its log, or is reported to lack it."""

import re
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
from store_events import event, everything, new

from edge.errors import StoreGoneError
from edge.store.files import files_of
from edge.store.reading import StoreReader
from edge.store.writing import StoreWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


@pytest.mark.parametrize("inside", [False, True], ids=["between transactions", "in one"])
def test_a_store_that_is_moved_away_takes_its_log_along(path: Path, *, inside: bool) -> None:
    october = path.with_name("october.db")
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000)), new(event(2000))])
        with pytest.raises(StoreGoneError, match=r"was moved to .*october\.db"), ExitStack() as stack:
            if inside:
                stack.enter_context(writer.transaction())
                writer.add_events([new(event(3000))])
            path.rename(october)
            with StoreReader(october):
                pass  # which leaves an empty log there
            writer.add_events([new(event(4000))])
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event(5000))]) == [1]
    assert [one.event.sequence for one in everything(october)] == [1000, 2000]
    assert [one.event.sequence for one in everything(path)] == [5000]
    with StoreReader(october) as reader:
        assert not reader.lacks_log()


def test_the_log_of_a_store_that_was_copied_and_deleted_can_be_put_beside_the_copy(path: Path, tmp_path: Path) -> None:
    """As `mv` does it to another disk."""
    stick = tmp_path / "stick"
    stick.mkdir()
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000))])
        shutil.copy(path, stick / "october.db")
        path.unlink()
        with pytest.raises(StoreGoneError, match=r"its log is now .*\.moved-1-wal"):
            writer.add_events([new(event(2000))])
    with StoreReader(stick / "october.db") as reader:
        assert reader.lacks_log()
        assert reader.numbers() == (0, 0)
    path.with_name(path.name + ".moved-1-wal").rename(stick / "october.db-wal")
    assert [one.event.sequence for one in everything(stick / "october.db")] == [1000]


def test_the_log_of_another_store_never_gets_into_one_that_takes_its_place(path: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    with StoreWriter(whole) as writer:
        writer.add_events([new(event(number * 7000)) for number in range(1, 20)])
    before = [one.event.sequence for one in everything(whole)]
    with StoreWriter(path) as writer:
        writer.add_events([new(event(number * 1000)) for number in range(1, 50)])
        shutil.copy(whole, path.with_name("other"))
        path.with_name("other").replace(path)
        with pytest.raises(StoreGoneError, match=r"its log is now"):
            writer.add_events([new(event(2000))])
    with StoreWriter(path):
        assert [one.event.sequence for one in everything(path)] == before


def test_the_log_of_a_store_that_is_gone_at_the_start_is_set_aside(path: Path) -> None:
    log = files_of(path)[1]
    log.write_bytes(b"a log")
    with StoreWriter(path) as writer:
        assert writer.left is not None
        assert "its log is now" in writer.left
        assert writer.add_events([new(event(1000))]) == [1]
    assert path.with_name(path.name + ".moved-1-wal").read_bytes() == b"a log"


def test_three_logs_of_stores_that_are_gone_are_kept(path: Path) -> None:
    for number in range(5):
        files_of(path)[1].write_bytes(b"%d" % number)
        with StoreWriter(path):
            pass
        path.unlink()
    assert {file.name[len(path.name) :]: file.read_bytes() for file in path.parent.glob("*.moved-*")} == {
        ".moved-3-wal": b"2",
        ".moved-4-wal": b"3",
        ".moved-5-wal": b"4",
    }


def test_a_copy_without_its_log_is_found_out(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000))])
        shutil.copy(path, copy)
        with StoreReader(path) as reader:
            assert not reader.lacks_log()
        for _ in range(2):  # the first reader leaves an empty log
            with StoreReader(copy) as reader:
                assert reader.lacks_log()
        shutil.copy(files_of(path)[1], files_of(copy)[1])
        with StoreReader(copy) as reader:
            assert not reader.lacks_log()
            assert reader.numbers() == (1, 1)
    closed = tmp_path / "closed.db"
    shutil.copy(path, closed)
    with StoreReader(closed) as reader:
        assert not reader.lacks_log()


def kill_while_open(path: Path, sequences: Sequence[int]) -> None:
    """Leave a store and its log as a writer that is killed leaves them."""
    aside = path.with_name("aside")
    aside.mkdir()
    with StoreWriter(path) as writer:
        writer.add_events([new(event(sequence)) for sequence in sequences])
        for file in files_of(path)[:2]:
            shutil.copy(file, aside)
    for file in aside.iterdir():
        file.replace(path.with_name(file.name))
    aside.rmdir()


def test_a_store_that_is_put_where_another_was_does_not_get_its_log(path: Path, tmp_path: Path) -> None:
    kill_while_open(path, [1000, 2000])
    killed, stick = path.read_bytes(), tmp_path / "stick.db"
    with StoreWriter(stick) as writer:
        writer.add_events([new(event(sequence)) for sequence in range(3000, 3400)])
    shutil.copy(stick, path)
    with StoreWriter(path) as writer:
        assert writer.left is not None
        assert re.search(r"was put beside the log of another store; .* now events\.db\.moved-1-wal", writer.left)
        assert writer.loss is None
    assert everything(path) == everything(stick)
    path.write_bytes(killed)
    path.with_name(path.name + ".moved-1-wal").rename(files_of(path)[1])
    assert [one.event.sequence for one in everything(path)] == [1000, 2000]


def test_the_log_of_a_writer_that_was_killed_stays_its_store_s(path: Path) -> None:
    kill_while_open(path, [1000, 2000])
    with StoreWriter(path) as writer:
        assert writer.left is None
    assert [one.event.sequence for one in everything(path)] == [1000, 2000]


def test_a_store_that_was_copied_without_its_log_is_reported_when_it_is_written_on(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "card" / "events.db"
    copy.parent.mkdir()
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000))])
        shutil.copy(path, copy)
    with StoreWriter(copy) as writer:
        assert writer.left is not None
        assert "without events.db-wal: its newest events are not in it" in writer.left
    with StoreWriter(copy) as writer:
        assert writer.left is None, "once is enough"


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_log_that_was_deleted_while_it_was_written_is_missed_by_nobody(path: Path, ending: str) -> None:
    """What it held was saved."""
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000))])
        path.with_name(path.name + ending).unlink()
        with pytest.raises(StoreGoneError, match="deleted or replaced"):
            writer.add_events([new(event(2000))])
    for log in files_of(path)[1:]:
        log.unlink(missing_ok=True)
    with StoreWriter(path) as writer:
        assert writer.left is None
    assert [one.event.sequence for one in everything(path)] == [1000]
