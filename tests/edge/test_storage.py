"""Files and directories are written whole, or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import storage
from edge.errors import MissingInputError, OutputExistsError, StorageError
from edge.portable import renames
from edge.storage import new_directory, new_file, read_bounded, replace_file, write_directory, write_file

FILES = {"a.bin": b"x" * 200_000, "b.txt": b"hello"}


def test_a_directory_appears_whole(tmp_path: Path) -> None:
    write_directory(tmp_path / "new" / "out", FILES)
    assert {f.name: f.read_bytes() for f in (tmp_path / "new" / "out").iterdir()} == FILES
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["out"]


def test_what_is_there_is_kept_unless_told(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_directory(out, {"old": b"1"})
    with pytest.raises(OutputExistsError, match="--overwrite"):
        write_directory(out, FILES)
    assert [p.name for p in out.iterdir()] == ["old"]
    write_directory(out, FILES, overwrite=True)
    assert sorted(p.name for p in out.iterdir()) == sorted(FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_directory_of_any_depth_appears_whole(tmp_path: Path) -> None:
    with new_directory(tmp_path / "new" / "out") as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "c.bin").write_bytes(b"c")
        assert not (tmp_path / "new" / "out").exists()
    assert (tmp_path / "new" / "out" / "a" / "b" / "c.bin").read_bytes() == b"c"
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["out"]


@pytest.mark.parametrize(("error", "raised"), [(ValueError("no"), ValueError), (OSError(28, "full"), StorageError)])
def test_a_directory_that_was_not_finished_leaves_the_old(
    tmp_path: Path, error: Exception, raised: type[Exception]
) -> None:
    out = tmp_path / "out"
    write_directory(out, {"old": b"1"})
    with pytest.raises(raised), new_directory(out, overwrite=True) as folder:
        (folder / "new").write_bytes(b"2")
        raise error
    assert [p.name for p in out.iterdir()] == ["old"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    with new_directory(out, overwrite=True) as folder:
        (folder / "new").write_bytes(b"2")
    assert [p.name for p in out.iterdir()] == ["new"]
    with pytest.raises(OutputExistsError, match="--overwrite"), new_directory(out):
        pass


@pytest.mark.parametrize("step", range(8))
def test_a_failure_at_any_step_leaves_the_old_and_no_litter(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up at the Nth write or sync."""
    out = tmp_path / "out"
    write_directory(out, {"old": b"1"})
    calls = iter(range(1000))

    def full(real: object, *arguments: object) -> object:
        if next(calls) == step:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)  # type: ignore[operator]

    real_write, real_sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda *a: full(real_write, *a))
    monkeypatch.setattr(os, "fsync", lambda *a: full(real_sync, *a))
    try:
        write_directory(out, FILES, overwrite=True)
    except StorageError as error:
        assert "No space left" in str(error)
    monkeypatch.undo()
    names = sorted(p.name for p in out.iterdir())
    assert names in (["old"], sorted(FILES))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on file size replaces the full disk: the kernel refuses the write halfway."""
    script = (
        "import resource, sys; from pathlib import Path; from edge.storage import *\n"
        "from edge.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "for write in (lambda p: write_file(p, b'x' * 200_000), lambda p: write_directory(p, {'a': b'x' * 200_000})):\n"
        "    try: write(Path(sys.argv[1]) / 'out')\n"
        "    except StorageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.count("nothing was left behind") == 2
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_place_is_reported(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    for path in (blocker / "out", blocker / "deeper" / "out"):
        with pytest.raises(
            StorageError, match=f"cannot write {path}: {blocker} is no folder; .*: choose another place"
        ):
            write_file(path, b"data")


def test_two_directories_change_places_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one is not renamed, so there is no moment without a directory."""
    out = tmp_path / "out"
    write_directory(out, {"old": b"1"})
    monkeypatch.setattr(Path, "rename", lambda *_: pytest.fail("renamed"))
    write_directory(out, FILES, overwrite=True)
    assert {f.name: f.read_bytes() for f in out.iterdir()} == FILES


def _refused(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "no links here")


@pytest.fixture(params=["in one step", "with a link", "without links"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a file system has to refuse a name that is taken."""
    if request.param != "in one step":
        monkeypatch.setattr(renames, "libc", lambda: None)
    if request.param == "without links":
        monkeypatch.setattr(os, "link", _refused)
    return str(request.param)


@pytest.mark.usefixtures("disk")
def test_of_two_that_write_the_same_file_at_once_the_second_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputExistsError, match="--overwrite"), new_file(out) as second:
        second.write(b"second")
        with new_file(out) as first:
            first.write(b"first")
    assert out.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize("meanwhile", ["folder", "file"])
def test_of_two_that_make_the_same_directory_at_once_the_second_is_refused(tmp_path: Path, meanwhile: str) -> None:
    out = tmp_path / "out"
    with pytest.raises(OutputExistsError, match="--overwrite"), new_directory(out) as second:
        (second / "file").write_bytes(b"second")
        if meanwhile == "folder":
            write_directory(out, {"file": b"first"})
        else:
            write_file(out, b"first")
    assert (out / "file" if meanwhile == "folder" else out).read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(("error", "raised"), [(OSError(5, "I/O error"), StorageError), (KeyboardInterrupt(), None)])
def test_a_name_that_was_held_is_free_again_if_the_file_does_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: type[Exception] | None
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(renames, "libc", lambda: None)
    monkeypatch.setattr(os, "link", _refused)
    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(raised or KeyboardInterrupt):
        write_file(tmp_path / "out", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("disk")
def test_a_link_that_leads_nowhere_is_something_that_exists(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "nowhere")
    for write in (lambda: write_file(out, b"x"), lambda: write_directory(out, {"a": b"x"})):
        with pytest.raises(OutputExistsError):
            write()
    assert out.readlink() == tmp_path / "nowhere"


@pytest.mark.usefixtures("disk")
def test_a_new_file_or_directory_is_there_on_every_disk(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"x")
    write_directory(tmp_path / "folder", FILES)
    assert (tmp_path / "file").read_bytes() == b"x"
    assert {one.name for one in (tmp_path / "folder").iterdir()} == set(FILES)
    assert (tmp_path / "file").stat().st_nlink == 1
    assert len(list(tmp_path.iterdir())) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from edge import storage
storage._sync_directory = lambda path: os.kill(os.getpid(), signal.SIGKILL)
storage.write_directory(Path(sys.argv[1]), {"a": b"x"})
"""


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    out = tmp_path / "out"
    subprocess.run([sys.executable, "-c", KILLED, out], check=False)
    (litter,) = tmp_path.iterdir()
    assert litter.name.startswith(".out.")
    write_file(out, b"data")
    assert list(tmp_path.iterdir()) == [out]


def test_what_a_living_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with storage._beside(out) as other:
        write_file(out, b"data")
        assert other.is_dir()
    assert list(tmp_path.iterdir()) == [out]


def test_hidden_folders_of_other_names_are_left_alone(tmp_path: Path) -> None:
    for name in (".output.abc.partial", ".out", "out.partial"):
        (tmp_path / name).mkdir()
    write_file(tmp_path / "out", b"data")
    assert len(list(tmp_path.iterdir())) == 4


class TestReadBounded:
    def test_a_file_and_a_pipe_are_read_whole(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"x" * 100)
        assert read_bounded(tmp_path / "file", 100) == b"x" * 100
        reading, writing = os.pipe()
        os.write(writing, b"y" * 100)
        os.close(writing)
        assert read_bounded(Path(f"/dev/fd/{reading}"), 100, pipe=True) == b"y" * 100
        os.close(reading)

    def test_what_is_larger_is_refused_before_it_is_read(self, tmp_path: Path) -> None:
        with (tmp_path / "file").open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(OSError, match="larger than 100 bytes") as caught:
            read_bounded(tmp_path / "file", 100)
        assert caught.value.errno == errno.EFBIG

    @pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/tty", "/", "pipe"])
    def test_what_is_no_plain_file_is_refused(self, device: str, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(OSError, match=r"not a plain file|No such|Is a directory"):
            read_bounded(tmp_path / device, 100)

    @pytest.mark.parametrize("writer", [True, False], ids=["a writer that waits", "no writer"])
    def test_a_pipe_is_waited_for_but_not_for_ever(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: bool
    ) -> None:
        monkeypatch.setattr(storage, "_PIPE_S", 0.3)
        os.mkfifo(tmp_path / "pipe")
        held = os.open(tmp_path / "pipe", os.O_RDWR) if writer else None
        with pytest.raises(TimeoutError, match="a pipe that was not written to its end within"):
            read_bounded(tmp_path / "pipe", 100, pipe=True)
        if held is not None:
            os.close(held)

    def test_a_pipe_that_never_ends_is_refused(self) -> None:
        reading, writing = os.pipe()
        os.write(writing, b"z" * 200)
        with pytest.raises(OSError, match="larger than 100 bytes"):
            read_bounded(Path(f"/dev/fd/{reading}"), 100, pipe=True)
        os.close(reading)
        os.close(writing)


def put(path: Path, what: str) -> None:
    """Put something that is no plain file."""
    match what:
        case "pipe":
            os.mkfifo(path)
        case "link":
            (path.parent / "elsewhere").write_bytes(b"kept")
            path.symlink_to(path.parent / "elsewhere")
        case "dangling link":
            path.symlink_to(path.parent / "nowhere")
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()


def test_a_disk_without_modes_takes_files_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int, _mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    replace_file(tmp_path / "status.json", b"new", 0o644, synced=False)
    assert (tmp_path / "status.json").read_bytes() == b"new"


@pytest.mark.parametrize("what", ["pipe", "link", "dangling link", "device"])
@pytest.mark.parametrize("name", ["status.json", ".status.json.partial"])
@pytest.mark.parametrize("synced", [False, True])
def test_a_small_file_replaces_whatever_somebody_put_in_its_place(
    tmp_path: Path, what: str, name: str, synced: bool
) -> None:
    put(tmp_path / name, what)
    replace_file(tmp_path / "status.json", b"new", 0o644, synced=synced)
    assert read_bounded(tmp_path / "status.json", 10, follow=False) == b"new"
    assert (tmp_path / "status.json").lstat().st_mode & 0o777 == 0o644
    assert not (tmp_path / ".status.json.partial").exists()
    assert not (tmp_path / "nowhere").exists()
    if what == "link":
        assert (tmp_path / "elsewhere").read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["status.json", ".status.json.partial"])
def test_a_folder_in_its_place_is_an_error_that_names_the_file(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, "folder")
    with pytest.raises(OSError, match="directory") as raised:
        replace_file(tmp_path / "status.json", b"new", 0o644, synced=False)
    assert raised.value.filename == str(tmp_path / "status.json")


@pytest.mark.parametrize("what", ["pipe", "link", "dangling link", "device", "folder"])
def test_only_a_plain_file_is_read_and_nothing_waited_for(tmp_path: Path, what: str) -> None:
    put(tmp_path / "status.json", what)
    with pytest.raises(OSError, match=r"plain|symbolic|directory"):
        read_bounded(tmp_path / "status.json", 10, follow=False)


@given(st.binary(max_size=64), st.integers(0, 64))
def test_no_more_is_read_than_allowed(tmp_path_factory: pytest.TempPathFactory, data: bytes, limit: int) -> None:
    file = tmp_path_factory.mktemp("bounded") / "file"
    file.write_bytes(data)
    if len(data) <= limit:
        assert read_bounded(file, limit, follow=False) == data
    else:
        with pytest.raises(OSError, match=f"larger than {limit} bytes"):
            read_bounded(file, limit, follow=False)


def test_an_error_with_words_of_its_own_keeps_them(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="gone"), new_directory(tmp_path / "out") as folder:
        (folder / "file").write_bytes(b"1")
        raise MissingInputError("gone")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_any_size_is_whole_or_not_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with new_file(out) as file:
        file.write(b"first, ")
        file.write(b"then")
        assert not out.exists()
    assert out.read_bytes() == b"first, then"
    with pytest.raises(RuntimeError), new_file(out, overwrite=True) as file:
        file.write(b"half")
        raise RuntimeError
    assert out.read_bytes() == b"first, then"
    with pytest.raises(OutputExistsError), new_file(out):
        pass
    assert list(tmp_path.iterdir()) == [out]


def test_an_error_of_the_disk_while_a_file_is_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing was left behind"), new_file(tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
