"""Read small files within bounds, and write files and directories atomically.

They are written into a hidden folder beside the target, synced, then renamed. Unless they may replace something, the
rename itself refuses what was made under that name meanwhile (renameat2 with RENAME_NOREPLACE, a hard link elsewhere).

A directory replaces another one in one step on Linux (renameat2 with RENAME_EXCHANGE), in two renames elsewhere. Each
process locks its hidden folder. The next process that writes to the same target removes the folders that nobody locks,
left by killed processes.
"""

import contextlib
import ctypes
import errno
import glob
import os
import select
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from edge.errors import FieldfareError, OutputExistsError, StorageError
from edge.portable.locks import locked
from edge.portable.renames import NameTakenError, exchange, move_new
from edge.portable.system import libc, open_flags, set_mode

PARTIAL = ".partial"  # what names of unfinished files and folders end in: they are removed
# For whoever writes into a pipe, such as the shell's <(...), to do so.
_PIPE_S = 5.0


def read_bounded(path: Path, most: int, *, pipe: bool = False, follow: bool = True) -> bytes:
    """Read a file of at most `most` bytes.

    pipe: also take a pipe, if it is written to its end within five seconds.
    follow: take what a link leads to; False for folders that another user may write to.

    Raises OSError with the reason: not there, larger, no plain file (a device never ends), a pipe that nobody writes
    into.
    """
    # O_NONBLOCK: opening a pipe without a writer would wait for ever.
    unfollowed = () if follow else ("O_NOFOLLOW",)
    handle = os.open(path, open_flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", *unfollowed))
    with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        kind = os.fstat(handle).st_mode
        if pipe and stat.S_ISFIFO(kind):
            data = _read_pipe(handle, most + 1)
        elif stat.S_ISREG(kind):
            data = _read_up_to(file, most + 1)
        elif stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        else:
            raise OSError(errno.EINVAL, "not a plain file")
    if len(data) > most:
        raise OSError(errno.EFBIG, f"larger than {most} bytes")
    return data


def _read_up_to(file: IO[bytes], size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return bytes(data)


def _read_pipe(handle: int, size: int) -> bytes:
    data, ends_s = bytearray(), time.monotonic() + _PIPE_S
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while len(data) < size:
        if not poll.poll(max(0.0, ends_s - time.monotonic()) * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"a pipe that was not written to its end within {_PIPE_S:g} s")
        more = os.read(handle, size - len(data))
        if not more:
            break
        data += more
    return bytes(data)


def write_file(path: Path, data: bytes, *, overwrite: bool = False) -> None:
    """Write `data` to `path` atomically. Raises OutputExistsError or StorageError, and leaves nothing behind."""
    # A rename without fsync was torn in 5 of 5 simulated power cuts (measured for this project), so files and
    # directories are synced before and after it.
    with _new_file(path, overwrite=overwrite) as new:
        _write_synced(new, data)


@contextlib.contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[IO[bytes]]:
    """Make a file of any size in the open file that this yields; after the block it is at `path`, whole. If the block
    raises, nothing is left. Raises what write_file raises; an OSError in the block becomes StorageError."""
    with _new_file(path, overwrite=overwrite) as new:
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
            yield file
            file.flush()
            os.fsync(handle)


@contextlib.contextmanager
def _new_file(path: Path, *, overwrite: bool) -> Iterator[Path]:
    _refuse_existing(path, overwrite=overwrite)
    with _beside(path) as temporary:
        new = temporary / "new"
        yield new
        if overwrite:
            new.replace(path)
        else:
            move_new(new, path)
        _sync_directory(path.parent)


def replace_file(path: Path, data: bytes, mode: int, *, synced: bool) -> None:
    """Replace a small file at once in a folder that another program may write to. Raises OSError. Never blocks.

    synced: on the disk, with its new name, before this returns
    """
    # A pipe left under the name of the partial file would block whoever opens it, and a link would lead elsewhere. So
    # whatever is there goes, and the new file must not exist. The name is fixed: one file at most is left by a kill.
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        partial.unlink(missing_ok=True)
        handle = os.open(partial, open_flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW"), 0o600)
        try:
            _write_all(handle, data)
            # Whatever the umask. FAT has no modes, and refuses one that its mount does not show.
            with contextlib.suppress(PermissionError):
                set_mode(handle, mode)
            if synced:
                os.fsync(handle)
        finally:
            os.close(handle)
        partial.replace(path)
        if synced:
            _sync_directory(path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_directory(path: Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> None:
    """Write a flat directory of `files`, name -> bytes, to `path` atomically. Raises what write_file raises.

    overwrite: exchange it with the directory that exists, which is removed last.
    """
    with _new_directory(path, overwrite=overwrite) as new:
        for name, data in files.items():
            _write_synced(new / name, data)


@contextlib.contextmanager
def new_directory(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Make a directory, of any depth and size, in the place that this yields; after the block it is at `path`, whole.
    If the block raises, nothing is left. Raises what write_file raises; an OSError in the block becomes StorageError.

    overwrite: exchange it with the directory that exists, which is removed last.
    """
    with _new_directory(path, overwrite=overwrite) as new:
        yield new
        with _opened_directory(new) as handle:
            if handle is not None:
                sync_file_system(handle)


@contextlib.contextmanager
def _new_directory(path: Path, *, overwrite: bool) -> Iterator[Path]:
    _refuse_existing(path, overwrite=overwrite)
    with _beside(path) as temporary:
        new = temporary / "new"
        new.mkdir()
        yield new
        _sync_directory(new)
        if overwrite and path.exists():
            exchange(new, path)
        else:
            move_new(new, path)
        _sync_directory(path.parent)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Make a hidden folder beside `path`, on the same disk, and remove it after the block. An OSError in the block
    becomes StorageError, unless it is a FieldfareError."""
    refuse_partial(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clear(path)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent))
        with locked(temporary):
            yield temporary
    except FieldfareError:  # some are OSErrors, and have their own words
        raise
    except NameTakenError:
        raise _exists(path) from None
    except OSError as error:
        raise _storage_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def clear(path: Path) -> None:
    """Remove what killed processes left beside `path`; what living ones write there is locked, and stays."""
    for entry in path.parent.glob(f".{glob.escape(path.name)}.*{PARTIAL}"):
        with contextlib.suppress(OSError), locked(entry):  # locked, gone meanwhile, or another user's
            shutil.rmtree(entry)


def refuse_inputs(target: Path, inputs: Iterable[Path | None], *, option: str = "--out") -> None:
    """Raise OutputExistsError if `target` is one of the files that a command reads, by whatever name, lies among those
    of a folder, or is a folder that holds one: writing it would destroy or change them."""
    real = Path(os.path.realpath(target))
    for given in inputs:
        if given is None:
            continue
        read = Path(os.path.realpath(given))
        if real == read or _is_one_file(real, read):
            raise OutputExistsError(f"{option} {target} is {given}, which is read: choose another name")
        if real in read.parents:
            raise OutputExistsError(f"{option} {target} holds {given}, which is read: choose another name")
        if read in real.parents:
            raise OutputExistsError(f"{option} {target} lies in {given}, which is read: choose a place outside")


def _is_one_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False


def refuse_partial(path: Path) -> None:
    """Raise OutputExistsError if `path` has the name of an unfinished file: the next one to write would remove it."""
    if path.name.lower().endswith(PARTIAL):
        raise OutputExistsError(f"{path} ends in {PARTIAL}, as files do that are not finished: choose another name")


def check_place(path: Path) -> None:
    """Check that `path` can be written later. Makes its parent folders. Raises StorageError."""
    # Called before long work, such as a training, which must not end in 'no permission'.
    with _beside(path):
        return


def _refuse_existing(path: Path, *, overwrite: bool) -> None:
    if os.path.lexists(path) and not overwrite:
        raise _exists(path)


def _exists(path: Path) -> OutputExistsError:
    return OutputExistsError(f"{path} exists: choose another name or add --overwrite")


def _write_synced(path: Path, data: bytes) -> None:
    handle = os.open(path, open_flags("O_WRONLY", "O_CREAT", "O_EXCL"), 0o644)
    try:
        _write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def sync_file_system(handle: int) -> None:
    """Write all that waits for the file system of this open file. Raises OSError."""
    # One call for a whole batch: a cheap stick takes 10 to 50 ms for each fsync, whatever the size of the file.
    sync = getattr(libc(), "syncfs", None)
    if sync is None:
        os.sync()
    elif sync(handle) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _sync_directory(path: Path) -> None:
    with _opened_directory(path) as handle:
        if handle is not None:
            os.fsync(handle)


@contextlib.contextmanager
def _opened_directory(path: Path) -> Iterator[int | None]:
    """Open a directory for the block, to sync it; None on Windows, which does not open any."""
    if not hasattr(os, "O_DIRECTORY"):
        yield None
        return
    handle = os.open(path, open_flags("O_RDONLY", "O_DIRECTORY"))
    try:
        yield handle
    finally:
        os.close(handle)


def _storage_error(path: Path, error: OSError) -> StorageError:
    reason, fix = trouble(path, error)
    return StorageError(f"cannot write {path}: {reason}; nothing was left behind: {fix}")


def trouble(path: Path, error: OSError) -> tuple[str, str]:
    """Return why a file could not be written to `path`, and what to do, in words."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return error.strerror or str(error), "free some space or choose another place"
    above = next((folder for folder in path.parents if os.path.lexists(folder)), None)
    if above is not None and not above.is_dir():
        return f"{above} is no folder", "choose another place"
    return error.strerror or str(error), "choose another place"
