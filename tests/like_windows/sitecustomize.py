"""Make this Linux look to Fieldfare as Windows does, as far as one interpreter can: put its folder on PYTHONPATH.

Modules that Windows lacks cannot be imported. For modules of `edge` and `trainer`, os, signal and the like lack the
names that Windows lacks, folders cannot be opened, files that are open cannot be removed or renamed, and no pipe can
be selected on. Child processes inherit all of this. It is not Windows: paths, line ends and the kernel are Linux'.
"""

import builtins
import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

_GONE = ("fcntl", "resource", "pwd", "grp", "pty", "syslog")
_GONE_FOR_US = ("termios", "tty")  # click needs them for its bars, except on Windows
_OURS = ("edge", "trainer")
_OS_LACKS = """
    fork forkpty killpg getuid geteuid getgid getegid setuid seteuid setgid setegid setsid getsid getpgid setpgid
    getgroups getgrouplist initgroups fchmod fchown chown lchown chroot statvfs fstatvfs posix_fadvise posix_fallocate
    posix_spawn posix_spawnp pread preadv pwrite pwritev readv writev sendfile splice copy_file_range lockf fdatasync
    sync sysconf uname getloadavg memfd_create mkfifo mknod nice getpriority setpriority pipe2 eventfd wait wait3 wait4
    waitid WNOHANG sched_getaffinity sched_setaffinity sched_yield register_at_fork get_blocking set_blocking ctermid
    openpty ttyname pathconf fpathconf getxattr setxattr listxattr getrandom pidfd_open
    O_NONBLOCK O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NOCTTY O_SYNC O_DSYNC O_PATH O_TMPFILE O_NOATIME O_ACCMODE
""".split()  # noqa: SIM905
_SIGNAL_HAS = """
    SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN Handlers Signals default_int_handler getsignal
    raise_signal set_wakeup_fd signal strsignal valid_signals
""".split()  # noqa: SIM905
_SOCKET_LACKS = """
    AF_UNIX SOCK_SEQPACKET SOCK_CLOEXEC SOCK_NONBLOCK CMSG_LEN CMSG_SPACE MSG_DONTWAIT MSG_CMSG_CLOEXEC SCM_RIGHTS
    send_fds recv_fds
""".split()  # noqa: SIM905
# Between a module and the audit hook.
_BETWEEN = ("pathlib", "os", "io", "_io", "sitecustomize", "tempfile", "shutil")


class _Less(ModuleType):
    """A module without some of its names, and with others in place of its own."""

    def __init__(self, real: ModuleType, lacks: Callable[[str], bool], own: dict[str, Any]) -> None:
        super().__init__(real.__name__)
        self.__dict__.update({name: value for name, value in vars(real).items() if not lacks(name)}, **own)


def _open(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
    if not isinstance(path, int) and Path(os.fsdecode(path)).is_dir():
        raise PermissionError(13, "Permission denied", path)
    return os.open(path, flags, mode, **more)


def _cdll() -> Any:
    import ctypes

    class CDLL(ctypes.CDLL):
        def __init__(self, name: str | None, *words: Any, **options: Any) -> None:
            if name is None:
                raise TypeError("LoadLibrary() argument 1 must be str, not None")
            super().__init__(name, *words, **options)

    return CDLL


def _no_selector() -> Any:
    import selectors

    class SocketsOnly(selectors.SelectSelector):
        def register(self, fileobj: Any, *words: Any) -> Any:
            if not hasattr(fileobj, "recv"):
                raise OSError(10038, "An operation was attempted on something that is not a socket")
            return super().register(fileobj, *words)

    return SocketsOnly


def _popen() -> Any:
    import subprocess

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *words: Any, pass_fds: Any = (), **options: Any) -> None:
            assert not pass_fds, "pass_fds not supported on Windows."
            super().__init__(*words, **options)

    return Popen


_MAKERS: dict[str, Callable[[ModuleType], ModuleType]] = {
    "os": lambda real: _Less(
        real, lambda name: name in _OS_LACKS or name.startswith(("WIF", "SCHED_")), {"open": _open}
    ),
    "signal": lambda real: _Less(real, lambda name: not name.startswith("__") and name not in _SIGNAL_HAS, {}),
    "socket": lambda real: _Less(real, lambda name: name in _SOCKET_LACKS, {}),
    "select": lambda real: _Less(real, lambda name: name.lower().startswith(("poll", "epoll")), {}),
    "selectors": lambda real: _Less(real, lambda name: "poll" in name.lower(), {"DefaultSelector": _no_selector()}),
    "ctypes": lambda real: _Less(real, lambda name: name in ("CDLL", "PyDLL"), {"CDLL": _cdll()}),
    "subprocess": lambda real: _Less(real, lambda name: False, {"Popen": _popen()}),
}
_made: dict[str, ModuleType] = {}
_import = builtins.__import__


def _import_less(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    importer = str((globals or {}).get("__name__", ""))
    spec = (globals or {}).get("__spec__")  # `python -m` calls a module __main__
    ours = {importer.partition(".")[0], str(getattr(spec, "name", "")).partition(".")[0]} & set(_OURS)
    if ours and name in _GONE_FOR_US:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if ours and name in _MAKERS:
        if name not in _made:
            _made[name] = _MAKERS[name](importlib.import_module(name))
        return _made[name]
    return _import(name, globals, locals, fromlist, level)


def _is_open(path: Any, folder: int) -> bool:
    where = Path("" if folder in (-1, None) else f"/proc/self/fd/{folder}", os.fsdecode(path)).resolve()
    for number in Path("/proc/self/fd").iterdir():
        try:
            if number.readlink() == where and not where.is_dir():
                return True
        except OSError:  # the iterator's own
            continue
    return False


def _is_for_us() -> bool:
    """Return whether a module of ours opens the file."""
    frame = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in _OURS


def _refuse(event: str, words: tuple[Any, ...]) -> None:
    """Refuse what Windows does: an audit hook sees what every module does, pathlib and shutil too."""
    if event == "open" and isinstance(words[0], str) and words[0].startswith(("/proc/", "/sys/")) and _is_for_us():
        raise FileNotFoundError(2, "No such file or directory", words[0])
    if event in ("os.remove", "os.rename") and _is_open(words[0], words[1] if event == "os.remove" else words[2]):
        raise PermissionError(13, "The process cannot access the file because it is being used", str(words[0]))


for _name in _GONE:
    sys.modules[_name] = None  # type: ignore[assignment]
builtins.__import__ = _import_less
sys.addaudithook(_refuse)
