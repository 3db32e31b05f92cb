"""Marks and exported flags reach the one writer: through files if a recorder runs, else by the caller's own hand."""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_events import event, everything, new, sample

from edge.errors import DataError, MissingInputError, StorageError, UnavailableError
from edge.store import order_records, orders, taking
from edge.store.locking import WriterLock
from edge.store.orders import MarkEvents, NoteExported, carry_out, pending_orders, take_orders
from edge.store.records import Mark
from edge.store.writing import StoreWriter

RIGHT = Mark(verdict="right", by="Ana")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of three events and two samples."""
    path = tmp_path / "events.db"
    with StoreWriter(path) as writer:
        writer.add_events(new(event(n * 1000)) for n in (1, 2, 3))
        writer.add_samples([sample(float(n), tmp_path / f"{n}.jpg") for n in (1, 2)])
    return path


@pytest.fixture
def recorder(path: Path) -> Iterator[threading.Event]:
    """What a recorder does with orders, in a thread. Set the event to end it."""
    yield from in_thread(lambda stop: run_recorder(path, stop))


def in_thread(work: Callable[[threading.Event], None]) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=work, args=(stop,))
    thread.start()
    yield stop
    stop.set()
    thread.join()


def run_recorder(path: Path, stop: threading.Event, take: Callable[[StoreWriter], int] = take_orders) -> None:
    with opened(path) as writer:
        while not stop.wait(0.02):
            take(writer)


def opened(path: Path) -> StoreWriter:
    """Open the store as the recorder does; `locked` takes its lock for a moment, to try it."""
    while True:
        try:
            return StoreWriter(path)
        except UnavailableError:
            time.sleep(0.005)


def locked(path: Path) -> None:
    """Wait until a recorder has the store."""
    while True:
        try:
            WriterLock(path).close()
        except UnavailableError:
            return
        time.sleep(0.01)


def marks(path: Path) -> list[Mark | None]:
    return [one.mark for one in everything(path)]


def test_without_a_recorder_the_caller_writes(path: Path) -> None:
    carry_out(path, [MarkEvents((1, 3), RIGHT), NoteExported((1, 2), (2,))])
    assert marks(path) == [RIGHT, None, RIGHT]
    assert [one.exported for one in everything(path)] == [True, True, False]
    carry_out(path, [MarkEvents((1,), None)])
    assert marks(path) == [None, None, RIGHT]


def test_with_a_recorder_it_writes_and_answers(path: Path, recorder: threading.Event) -> None:
    locked(path)
    carry_out(path, [MarkEvents((1,), RIGHT), NoteExported((2,))])
    assert marks(path) == [RIGHT, None, None]
    with pytest.raises(DataError, match="no event of number 9"):
        carry_out(path, [MarkEvents((9,), RIGHT)])
    assert list(order_records.orders_folder(path).iterdir()) == []


def test_many_numbers_are_cut_into_files(
    path: Path, recorder: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "_NUMBERS_AT_ONCE", 2)
    locked(path)
    carry_out(path, [NoteExported(tuple(range(1, 8)), (1, 2, 3))])
    assert all(one.exported for one in everything(path))


def test_a_recorder_that_does_not_answer_is_reported_and_the_order_taken_back(path: Path) -> None:
    with StoreWriter(path):
        with pytest.raises(UnavailableError, match=r"did not answer within 0.2 s: `fieldfare status`"):
            carry_out(path, [MarkEvents((1,), RIGHT)], wait_s=0.2)
        assert pending_orders(path) == []
    assert marks(path) == [None] * 3


def test_a_recorder_that_ends_meanwhile_leaves_the_work_to_the_caller(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "_LOOK_FOR_RECORDER_S", 0.05)
    for stop in in_thread(lambda stop: run_recorder(path, stop, take=lambda writer: 0)):
        locked(path)
        threading.Timer(0.2, stop.set).start()
        carry_out(path, [MarkEvents((2,), RIGHT)], wait_s=60)
    assert marks(path) == [None, RIGHT, None]


def test_an_order_that_was_left_while_no_recorder_ran_is_not_forgotten(path: Path) -> None:
    leave(path, MarkEvents((3,), RIGHT))
    carry_out(path, [MarkEvents((1,), RIGHT)])
    assert marks(path) == [RIGHT, None, RIGHT]


def leave(path: Path, order: orders.Order, name: str = "0" * 32) -> Path:
    folder = order_records.orders_folder(path)
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.order"
    file.write_bytes(msgspec.json.encode(order))
    return file


def test_a_full_disk_is_answered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StorageError("disk full")

    monkeypatch.setattr(StoreWriter, "mark", full)
    with pytest.raises(StorageError, match="disk full"):
        carry_out(path, [MarkEvents((1,), RIGHT)])
    for _ in in_thread(lambda stop: run_recorder(path, stop)):
        locked(path)
        with pytest.raises(StorageError, match="disk full"):
            carry_out(path, [MarkEvents((1,), RIGHT)])


def test_no_store_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="there is no store"):
        carry_out(tmp_path / "events.db", [MarkEvents((1,), RIGHT)])
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_reached_by_a_link_has_the_same_writer(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with StoreWriter(path), pytest.raises(UnavailableError, match="another process writes"):
        StoreWriter(link)
    for stop in in_thread(lambda stop: run_recorder(path, stop)):
        locked(path)
        carry_out(link, [MarkEvents((2,), RIGHT)])
        stop.set()
    assert marks(link) == [None, RIGHT, None]
    assert list(link.parent.iterdir()) == [link]


# What else may lie in the folder


def test_what_is_no_order_is_removed_and_logged_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = order_records.orders_folder(path)
    folder.mkdir()
    names = ["0" * 32 + ".order", "1" * 32 + ".order", "2" * 32 + ".order", "note.txt", "empty", "full"]
    garbage, huge, link, note, empty, full = (folder / name for name in names)
    garbage.write_bytes(b'["MarkEvents"]\x00\xff')
    huge.write_bytes(bytes(order_records.LONGEST_ORDER + 1))
    link.symlink_to("/etc/passwd")
    os.mkfifo(folder / ("3" * 32 + ".order"))
    note.write_text("hello")
    empty.mkdir()
    full.mkdir()
    (full / "somebody's").touch()
    with caplog.at_level(logging.WARNING), StoreWriter(path) as writer:
        assert [take_orders(writer) for _ in range(3)] == [0, 0, 0]
    assert list(folder.iterdir()) == [full]
    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == len(set(logged)) == 8
    assert Path("/etc/passwd").exists()


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_in_an_order_are_a_crash(orders_folder: Path, data: bytes) -> None:
    file = orders_folder / ("0" * 32 + ".order")
    file.write_bytes(data)
    assert taking._read(file) is None
    assert not file.exists()


@pytest.fixture(scope="module")
def orders_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


def test_what_nobody_waited_for_does_not_pile_up(path: Path) -> None:
    folder = order_records.orders_folder(path)
    folder.mkdir()
    for number in range(150):
        (folder / f"{number:032x}.answer").touch()
        (folder / f".{number:032x}.order.partial").touch()
    with StoreWriter(path) as writer:
        take_orders(writer)
    assert len(list(folder.glob("*.answer"))) == len(list(folder.glob(".*.partial"))) == 100


def test_a_store_whose_folder_cannot_be_written_has_no_orders(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    order_records.orders_folder(path).write_text("a file in the way")
    with StoreWriter(path) as writer:
        assert take_orders(writer) == 0
    with StoreWriter(path), pytest.raises(StorageError, match="check its disk"):
        carry_out(path, [MarkEvents((1,), RIGHT)])


AS_ROOT = """
import os, sys
from pathlib import Path
from edge.store.orders import *
from edge.store.writing import StoreWriter
path = Path(sys.argv[1])
carry_out(path, [MarkEvents((1,), None)])
assert os.geteuid() == os.getegid() == 0
for file in path.parent.iterdir():
    assert (file.stat().st_uid, file.stat().st_gid) == (65534, 65534), file
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be the owner of a store for a while")
def test_root_leaves_no_files_that_the_service_cannot_write(path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(path, folder)
        for file in (folder, folder / path.name):
            os.chown(file, 65534, 65534)
        command = [sys.executable, "-c", AS_ROOT, folder / path.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


AS_A_READER = """
import os, sys
from pathlib import Path
from edge.errors import StorageError
from edge.store.orders import *
from edge.store.records import Mark
os.setegid(int(sys.argv[2]))
os.seteuid(65533)
try:
    carry_out(Path(sys.argv[1]), [MarkEvents((1,), Mark(verdict="right"))])
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a while")
@pytest.mark.parametrize(("mode", "writing"), [(0o750, False), (0o750, True), (0o770, True)])
def test_who_may_only_read_the_store_learns_what_to_do(path: Path, mode: int, *, writing: bool) -> None:
    """A member of the service's group, with and without a recorder; also one who may make files beside the store."""
    with tempfile.TemporaryDirectory() as name, StoreWriter(path):
        folder = Path(name)
        shutil.copy(path, folder)
        if writing:
            (folder / f"{path.name}.lock").touch(0o600)
        os.chown(folder, 65534, 65534)
        os.chown(folder / path.name, 65534, 65534)
        folder.chmod(mode)
        (folder / path.name).chmod(0o640)
        command = [sys.executable, "-c", AS_A_READER, folder / path.name, "65534"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "may not be written by this user: run this with sudo, or as the user nobody" in done.stdout, done.stderr
    assert "lock" not in done.stdout
