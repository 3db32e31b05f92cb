"""Whatever happens to the file, the store is whole, is set aside, or is tried again; never does a reader or the writer
crash or hang."""

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_events import BOOT, OFFSET_S, event, everything, full_event, new, picture, sample

from edge.errors import DamagedStoreError, DataError, StorageError, StoreGoneError, UnavailableError
from edge.store import writing
from edge.store.aside import damaged_stores, set_aside
from edge.store.files import files_of, inode
from edge.store.reading import StoreReader
from edge.store.records import Filter, Mark
from edge.store.writes import checking
from edge.store.writing import StoreWriter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.db"


# Damage


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of everything a store can hold."""
    path = tmp_path_factory.mktemp("whole") / "events.db"
    with pytest.MonkeyPatch.context() as patch, StoreWriter(path) as writer:
        patch.setattr(writing, "SETTLED_AT_ONCE", 200)
        for begin in range(0, 600, 300):
            events = (full_event(n * 1000, label=f"label {n % 7}") for n in range(begin + 1, begin + 301))
            writer.add_events(
                new(one, "none" if one.sequence % 5000 == 0 else "ntp", pictures=[picture(path.with_name("a.jpg"))])
                for one in events
            )
        writer.add_events([new(event(9_999_999, ended=False))])
        writer.add_events(new(event(n * 1000 + 700_000)) for n in range(1, 50))
        writer.add_samples([sample(n, path.with_name("b.jpg")) for n in range(20)])
        writer.mark(range(1, 100, 3), Mark(verdict="other", label="lynx", by="Ana"))
        writer.note_exported(range(50, 200))
    return path


def use(path: Path) -> None:
    """Do everything that can be done with a store."""
    with StoreWriter(path) as writer:
        writer.check_some()
        writer.end_left_open()
        more = [new(event(5_000_000)), new(event(1000, end_mono_s=99.0)), new(event(2000, frames=99))]
        writer.mark([number for number in writer.add_events(more) if number], Mark(verdict="wrong"))
        while writer.mend(BOOT, OFFSET_S, "ntp"):
            pass
        list(writer.picture_groups())
        list(writer.sample_gists())
        with StoreReader(path) as reader:
            list(reader.events(Filter()))
            list(reader.events(Filter(labels=("label 1",), least_score=0.5)))
            list(reader.events(Filter(least_score=0.123)))
            list(reader.samples())
            reader.count(Filter(exported=True))
            reader.hours(Filter())
            reader.labels()
            reader.after(0, 2000)
        while writer.trim(150_000).more:
            pass


def outcome(path: Path) -> str:
    try:
        use(path)
    except DamagedStoreError:
        set_aside(path)
        use(path)
        return "set aside"
    except DataError as error:
        # One byte of the header is the version: it may be a newer one.
        assert "newer Fieldfare" in str(error), error
        return "refused"
    return "whole"


def flip(whole: Path, path: Path, places: random.Random, ours: bool) -> None:
    """Copy the store with a few bits of one byte changed. ours: the writer has been there before."""
    data = bytearray(whole.read_bytes())
    # Every fifth is in the first two pages, which hold the header and the definitions of the tables.
    place = places.randrange(2048 if places.random() < 0.2 else len(data))
    data[place] ^= places.randrange(1, 256)
    path.write_bytes(data)
    if ours:
        shutil.copy(whole.with_name(whole.name + ".lock"), path.with_name(path.name + ".lock"))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("large", [False, True])
def test_a_flipped_byte_is_no_crash(
    whole: Path, tmp_path: Path, seed: int, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large store not all is checked when it is opened."""
    if large:
        monkeypatch.setattr(checking, "_LARGE_BYTES", 0)
    flip_many(whole, tmp_path, random.Random(seed), 8)


@pytest.mark.slow
def test_500_flipped_bytes_are_no_crash(whole: Path, tmp_path: Path) -> None:
    found = flip_many(whole, tmp_path, random.Random(500), 500)
    assert found.count("whole") > 50
    assert found.count("set aside") > 50
    assert found.count("refused") < 10


def flip_many(whole: Path, folder: Path, places: random.Random, many: int) -> list[str]:
    found = []
    for number in range(many):
        path = folder / str(number) / "events.db"
        path.parent.mkdir()
        flip(whole, path, places, ours=number % 2 == 0)
        found.append(outcome(path))
        shutil.rmtree(path.parent)
    return found


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:700],
        lambda data: data[:18] + b"\x07" + data[19:],  # the version that SQLite writes
        lambda data: data[:19] + b"\x07" + data[20:],  # the version that SQLite reads
        lambda data: bytes(len(data)),
        lambda data: b"\xff" * 4096 + data[4096:],
        lambda data: data[:1024] + random.Random(1).randbytes(20_000) + data[21_024:],
        lambda data: random.Random(2).randbytes(len(data)),
    ],
)
def test_a_store_that_is_half_destroyed_is_set_aside(
    whole: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "events.db"
    shutil.copy(whole.with_name("events.db.lock"), tmp_path)
    path.write_bytes(damage(whole.read_bytes()))
    assert outcome(path) == "set aside"


def test_a_file_of_another_program_is_refused_and_left_as_it_was(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (name)")
    connection.close()
    for data in (path.read_bytes(), b"holiday notes\n" * 500):
        path.write_bytes(data)
        for _ in range(2):
            with pytest.raises(DataError, match="no store of Fieldfare's") as raised:
                StoreWriter(path)
            assert not isinstance(raised.value, DamagedStoreError)
        assert path.read_bytes() == data
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="is a folder, so it cannot be a store: name a file, such as"):
        StoreWriter(path)


def test_an_empty_file_is_a_new_store(path: Path) -> None:
    """What a crash leaves between the making of the file and its first page, or of its tables."""
    path.touch()
    StoreWriter(path).close()
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event())]) == [1]


def test_a_damaged_store_is_kept_under_another_name(path: Path) -> None:
    for number in range(1, 6):
        for file in files_of(path):
            file.write_text(f"{file.name[9:]} {number}")
        assert set_aside(path) == path.with_name(f"events.db.damaged-{number}")
        assert not path.exists()
    assert [kept.name[-1] for kept in damaged_stores(path)] == ["3", "4", "5"]
    assert path.with_name("events.db.damaged-5-wal").read_text() == "-wal 5"
    assert not path.with_name("events.db.damaged-1-wal").exists()


def test_a_store_that_is_written_is_not_set_aside(path: Path) -> None:
    with StoreWriter(path), pytest.raises(UnavailableError):
        set_aside(path)
    with pytest.raises(StorageError):
        set_aside(path.parent / "missing" / "events.db")


KEEP = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from store_events import event, new
from edge.store.writing import StoreWriter
with StoreWriter(Path(sys.argv[1])) as writer:
    first = writer.count() + 1
    for n in range(first, first + 100_000):
        print(*writer.add_events([new(event(n))]), flush=True)
"""


@pytest.mark.process
def test_what_was_acknowledged_survives_a_killed_writer(path: Path) -> None:
    moments, last = random.Random(3), 0
    for _ in range(8):
        command = [sys.executable, "-c", KEEP, path, Path(__file__).parent, Path.cwd()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(moments.randrange(1, 60)):
                last = int(process.stdout.readline())
            process.kill()
            last = max(last, *(int(line) for line in process.stdout if line.endswith("\n")), 0)
        numbers = [one.number for one in everything(path)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert last <= len(numbers) <= last + 1


# Files that go


def test_a_store_that_is_deleted_while_it_is_open_is_noticed_before_anything_is_acknowledged(path: Path) -> None:
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000))])
        for file in files_of(path):
            file.unlink()
        with pytest.raises(StoreGoneError, match="was deleted or replaced"):
            writer.add_events([new(event(2000))])
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event(2000))]) == [1]


def test_a_store_that_is_replaced_while_it_is_open_is_noticed(path: Path, whole: Path) -> None:
    with StoreWriter(path) as writer:
        shutil.copy(whole, path.with_name("other"))
        path.with_name("other").replace(path)
        with pytest.raises(StoreGoneError):
            writer.add_events([new(event(2000))])


@pytest.mark.parametrize("which", [1, 2])
def test_what_a_deleted_log_held_is_saved(path: Path, which: int) -> None:
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1000))])
        files_of(path)[which].unlink()
        with pytest.raises(StoreGoneError):
            writer.add_events([new(event(2000))])
    assert [one.event.sequence for one in everything(path)] == [1000]
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event(2000))]) == [2]


def test_a_store_that_goes_in_the_middle_of_a_transaction_is_noticed(path: Path) -> None:
    with StoreWriter(path) as writer, pytest.raises(StoreGoneError), writer.transaction():
        writer.add_events([new(event(1000))])
        path.unlink()


def test_files_of_two_disks_are_never_the_same() -> None:
    """Such as a stick that is mounted over the store's folder: it may give the same number to another file."""
    proc, sys_ = Path("/proc"), Path("/sys")
    if proc.stat().st_ino != sys_.stat().st_ino:
        pytest.skip("no two files here have the same number")
    assert inode(proc) != inode(sys_)
    assert inode(proc) == inode(Path("/proc/"))
    assert inode(proc / "no such file") is None


# Disks that are full or read-only

FULL = """
import resource, sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from store_events import event, new
from edge.errors import StorageError
from edge.store.writes import checking
from edge.store.writing import StoreWriter
kept = []
with StoreWriter(Path(sys.argv[1])) as writer:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    faults = 0
    for n in range(1, 5000):
        try:
            kept += writer.add_events([new(event(n))])
        except StorageError as error:
            faults += 1
            if faults == 3:
                print(error)
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
                kept += writer.add_events([new(event(n))])
                break
print(len(kept), writer.path.exists())
"""


def test_a_full_disk_is_reported_and_the_store_goes_on_afterwards(path: Path) -> None:
    """A limit on the size of files replaces the full disk: the kernel refuses the write halfway."""
    command = [sys.executable, "-c", FULL, path, Path(__file__).parent, Path.cwd()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "cannot read or write the store" in done.stdout, done.stderr
    kept = int(done.stdout.splitlines()[-1].split()[0])
    assert kept > 20
    assert [one.number for one in everything(path)] == list(range(1, kept + 1))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB of our own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "fieldfare-test", folder]
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_disk_that_fills_up_and_is_cleared(disk: Path) -> None:
    path, filler = disk / "events.db", disk / "filler"
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1))])
        fill(filler)
        numbers = range(2, 3000)
        for n in numbers:
            try:
                writer.add_events([new(event(n))])
            except StorageError as error:
                assert "free some space" in str(error)
                break
        for _ in range(3):
            with pytest.raises(StorageError):
                writer.add_events([new(event(n))])
        assert len(everything(path)) == n - 1
        filler.unlink()
        assert writer.add_events([new(event(n))]) == [n]
    assert len(everything(path)) == n


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(bytes(4096))


def test_a_disk_that_is_full_from_the_start(disk: Path) -> None:
    filler = disk / "filler"
    fill(filler)
    with pytest.raises(StorageError):
        StoreWriter(disk / "events.db")
    filler.unlink()
    with StoreWriter(disk / "events.db") as writer:
        assert writer.add_events([new(event(1))]) == [1]


def test_a_disk_that_becomes_read_only(disk: Path) -> None:
    path = disk / "events.db"
    with StoreWriter(path) as writer:
        writer.add_events([new(event(1))])
    # With an open file the kernel refuses this remount, so an error of the disk is the case that remains.
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StorageError):
        StoreWriter(path)
    assert len(everything(path)) == 1
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    with StoreWriter(path) as writer:
        assert writer.add_events([new(event(2))]) == [2]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match=r"[Pp]ermission"):
        StoreWriter(tmp_path / "events.db")
    tmp_path.chmod(0o700)
