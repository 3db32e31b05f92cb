"""What is done on systems that lack what Linux has."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.portable import system
from edge.portable.system import (
    lacking,
    libc,
    module_or_none,
    open_flags,
    refuses_links,
    reserve,
    set_mode,
    stopping_signals,
)


def test_a_module_that_is_not_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert module_or_none("fcntl") is None
    assert module_or_none("math").sqrt(4) == 2


def test_flags_that_the_system_lacks_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_flags("O_WRONLY", "O_CREAT", "O_NOFOLLOW") == os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    monkeypatch.delattr(os, "O_NOFOLLOW")
    monkeypatch.delattr(os, "O_CLOEXEC")
    monkeypatch.setattr(os, "O_BINARY", 0x8000, raising=False)
    assert open_flags("O_WRONLY", "O_CREAT", "O_NOFOLLOW") == os.O_WRONLY | os.O_CREAT | 0x8000


@pytest.mark.skipif(not hasattr(libc(), "malloc_info"), reason="this C library is not glibc")
@pytest.mark.parametrize("shared", [False, True])
def test_threads_share_a_heap_if_that_is_wanted(tmp_path: Path, shared: bool) -> None:
    """Heaps are counted as glibc lists them. Threads that are there at the same time have one each otherwise."""
    code = f"""
import ctypes
import threading
from edge.portable.system import libc, share_one_heap
if {shared}:
    share_one_heap()
library = libc()
library.malloc.restype = library.fopen.restype = ctypes.c_void_p
together = threading.Barrier(4)
def take():
    together.wait()
    library.malloc(5000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
file = ctypes.c_void_p(library.fopen({os.fsencode(tmp_path / "heaps.xml")!r}, b"w"))
library.malloc_info(0, file)
library.fclose(file)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    heaps = (tmp_path / "heaps.xml").read_text().count("<heap nr=")
    assert heaps == 1 if shared else heaps > 1


def test_a_terminal_that_closes_is_no_signal_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopping_signals() == (signal.SIGTERM, signal.SIGHUP)
    monkeypatch.delattr(signal, "SIGHUP")
    assert stopping_signals() == (signal.SIGTERM,)


@pytest.mark.parametrize("lacks", [False, True])
def test_space_is_reserved(lacks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if lacks:
        monkeypatch.delattr(os, "posix_fallocate")
    path = tmp_path / "file"
    with path.open("wb") as file:
        reserve(file.fileno(), 5000, tmp_path)
    assert path.stat().st_size == 5000


def test_space_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    with (tmp_path / "file").open("wb") as file, pytest.raises(OSError, match="No space left") as caught:
        reserve(file.fileno(), shutil.disk_usage(tmp_path).total + 1, tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "file").stat().st_size == 0


def test_permissions_are_set_if_the_system_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        set_mode(file.fileno(), 0o640)
        assert path.stat().st_mode & 0o777 == 0o640
        monkeypatch.delattr(os, "fchmod")
        set_mode(file.fileno(), 0o600)
        assert path.stat().st_mode & 0o777 == 0o640


def test_the_c_library_of_windows_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes

    assert libc().getpid() == os.getpid()

    def refuse(*_: object, **__: object) -> None:
        raise TypeError("LoadLibrary() argument 1 must be str, not None")

    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert libc() is None


def test_what_is_lacking_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lacking() == ()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert lacking() == ("no limit on memory",)
    monkeypatch.setattr(system, "module_or_none", lambda _: None)
    monkeypatch.delattr(os, "fork")
    monkeypatch.delattr(signal, "setitimer")
    assert lacking() == ("no limit on memory", "no process apart for models", "no alarm for what hangs")


def test_a_place_without_links_is_told_from_other_faults() -> None:
    assert refuses_links(PermissionError(errno.EPERM, "Operation not permitted"))
    assert refuses_links(OSError(errno.EOPNOTSUPP, "Operation not supported"))
    assert not refuses_links(OSError(errno.ENOSPC, "No space left on device"))
    windows = OSError(errno.EINVAL, "A required privilege is not held by the client")
    windows.winerror = 1314
    assert refuses_links(windows)
