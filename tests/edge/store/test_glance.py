"""At a glance: can a recorder ever keep events in this file?"""

import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from store_events import event, new

from edge.errors import DataError, FieldfareError, StorageError, UnavailableError
from edge.store.writes import glance
from edge.store.writes.glance import refuse_hopeless
from edge.store.writing import StoreWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


def made(path: Path) -> None:
    with StoreWriter(path) as writer:
        writer.add_events([new(event())])


def newer(path: Path) -> None:
    made(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


def of_an_impossible_version(path: Path) -> None:
    made(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = -1")
    connection.close()


def photos(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (name)")
    connection.close()


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))


def just_begun(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def destroyed(path: Path) -> None:
    made(path)
    path.write_bytes(os.urandom(5000))


HOPELESS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a newer store": (newer, "version 99.*update this one, or name another file$"),
    "another program's database": (photos, "no store of Fieldfare's and was left as it is: name another file"),
    "a text": (lambda path: path.write_text("notes\n" * 99), "no store of Fieldfare's"),
    "a folder": (Path.mkdir, "is a folder, so it cannot be a store: name a file, such as .*/events.db/events.db$"),
    "a pipe": (os.mkfifo, "is a pipe, so it cannot be a store: name a file$"),
    "a socket": (a_socket, "is a socket"),
}
FINE: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a store": made,
    "an empty file": Path.touch,
    "zeros, as a power cut leaves them": lambda path: path.write_bytes(bytes(4096)),
    "a store that was just begun": just_begun,
    "a store of a version that never was, which is set aside": of_an_impossible_version,
    "a store that is destroyed, which is set aside": destroyed,
}


@pytest.mark.parametrize("make", FINE.values(), ids=FINE)
def test_where_events_can_be_kept_nothing_is_refused(path: Path, make: Callable[[Path], object]) -> None:
    make(path)
    refuse_hopeless(path)


@pytest.mark.parametrize(("make", "words"), HOPELESS.values(), ids=HOPELESS)
def test_what_no_recorder_can_use_is_refused_and_left_as_it_is(
    path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(path)
    before = sorted(path.parent.iterdir()), path.read_bytes() if path.is_file() else None
    with pytest.raises(DataError, match=words) as raised:
        refuse_hopeless(path)
    assert "\n" not in str(raised.value)
    assert (sorted(path.parent.iterdir()), path.read_bytes() if path.is_file() else None) == before


def test_a_link_leads_to_the_store(path: Path, tmp_path: Path) -> None:
    newer(path)
    (tmp_path / "link.db").symlink_to(path)
    with pytest.raises(DataError, match="version 99"):
        refuse_hopeless(tmp_path / "link.db")


def test_a_folder_that_will_be_made(tmp_path: Path) -> None:
    refuse_hopeless(tmp_path / "a" / "b" / "events.db")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"/file: it is no folder: name another file in events.store"):
        refuse_hopeless(tmp_path / "file" / "events.db")


def as_nobody(path: Path) -> str:
    """What it reports to a user who is not root."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            refuse_hopeless(path)
        except FieldfareError as error:
            os.write(theirs, str(error).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with open(ours) as report:  # noqa: PTH123 - a descriptor
        words = report.read()
    os.waitpid(child, 0)
    return words


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("which", ["events.db", "events.db-wal", "events.db.lock", "."])
def test_no_permission(path: Path, which: str) -> None:
    made(path)
    (path.parent / "events.db-wal").touch()
    path.parent.chmod(0o777)
    # Way through, no more: other tests judge who may write to the folders around theirs.
    for folder in path.parents[1:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    for file in path.parent.iterdir():
        file.chmod(0o666)
    assert as_nobody(path) == ""
    (path.parent / which).chmod(0o755)
    words = as_nobody(path)
    assert f"cannot keep events in {path}: {(path.parent / which).resolve()}: no permission" in words
    assert words.endswith("name another file in events.store, or run this as its owner")


def test_a_store_that_another_process_writes(path: Path) -> None:
    with StoreWriter(path):
        words = rf"another process writes the store {path} \(it holds events.db.lock\): stop it first, or name another"
        with pytest.raises(UnavailableError, match=words):
            refuse_hopeless(path)
    refuse_hopeless(path)
    with StoreWriter(path):  # the look kept no lock
        pass


@pytest.mark.parametrize("make", [made, lambda path: None], ids=["a store", "a folder for it"])
def test_a_read_only_disk(path: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch) -> None:
    make(path)
    monkeypatch.setattr(glance, "_is_on_readonly_disk", lambda where: True)
    with pytest.raises(
        StorageError, match=r"its disk is read-only: name another file in events.store, or mount it writ"
    ):
        refuse_hopeless(path)
