"""Fetch the wheels of a lock: from a folder that keeps them, and what it lacks by pip from the package index."""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from edge.errors import DataError, FieldfareError, MissingPackageError, StorageError, UnavailableError
from edge.kit.lock import Wheel, requirement
from edge.kit.targets import Target
from edge.printable import counted
from edge.storage import check_place, read_bounded, trouble, write_file

_WANTED = "requirements.txt"
# The largest, OpenCV's, has 40 MB.
MOST_BYTES = 256 << 20
_RETRIES = 2
_MOST_PRINTED = 1 << 20
# A full disk as pip prints it, and a quota that is used up.
_FULL = ("[Errno 28]", "OSError(28,", "[Errno 122]", "OSError(122,", "[WinError 112]")
# pip writes 256 KiB at a time, and half as much again beside it for its cache.
_LEAST_FREE = 1 << 20
# What pip adds for its own users: its options are none of ours.
_CROSS = "\N{MULTIPLICATION SIGN} "  # before what went wrong
_ADVICE = ("hint:", "note:", "warning:", "[notice]", "╰─>")
_NO_NETWORK = re.compile(
    r"connection broken|Connection interrupted|incomplete-download"
    r"|ConnectionError|ConnectTimeout|ReadTimeout|IncompleteRead|ProxyError|SSLError|Failed to resolve"
    r"|Name or service not known|timed out|Max retries exceeded",
    re.IGNORECASE,
)
_OTHER_HASH = re.compile(r"DO NOT MATCH THE HASHES.*?\n\s+(\S+)", re.DOTALL)
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")


@contextlib.contextmanager
def wheels_at_hand(
    target: Target, wheels: Sequence[Wheel], cache: Path | None, step: Callable[[str], None]
) -> Iterator[Mapping[str, Path]]:
    """Yield where each wheel is, by the name of its file; each has the hash of its lock.

    cache: a folder in which wheels are looked for, and what was fetched is kept; None to keep nothing.
    step: called for each wheel when it is found, or when pip begins with it, with what to show of it.

    Raises DataError (a wheel with another hash, one that the index lacks), UnavailableError (no network),
    MissingPackageError (no pip) or StorageError.
    """
    found = {} if cache is None else {wheel.file: cache / wheel.file for wheel in wheels if _is_kept(wheel, cache)}
    for name in found:
        step(name)
    missing = [wheel for wheel in wheels if wheel.file not in found]
    if missing and cache is not None:  # before anything is fetched
        _check_cache(cache, missing[0])
    with _scratch(missing) as scratch:
        if missing:
            _download(target, missing, scratch, cache, step)
        for wheel in missing:
            path = scratch / wheel.file
            data = read_wheel(path, wheel)
            if cache is not None:
                path = cache / wheel.file
                _keep(path, data)
            found[wheel.file] = path
        yield found


def _check_cache(cache: Path, wheel: Wheel) -> None:
    if os.path.lexists(cache) and not os.path.isdir(cache):  # noqa: PTH112 - as in _is_kept
        raise StorageError(f"--wheels {cache}: no folder: name one, or leave --wheels out")
    try:
        check_place(cache / wheel.file)
    except StorageError as error:
        raise _not_kept(cache / wheel.file, error, "nothing was fetched") from error


def _keep(path: Path, data: bytes) -> None:
    try:
        write_file(path, data, overwrite=True)  # another kit may be made at the same time
    except StorageError as error:
        raise _not_kept(path, error, "the wheels before it stay there, and no kit was made") from error


def _not_kept(path: Path, error: StorageError, left: str) -> StorageError:
    """Return the error in the words of --wheels. error: of edge.storage. left: what there is now."""
    cause = error.__cause__
    reason, fix = trouble(path, cause) if isinstance(cause, OSError) else (str(error), "choose another place")
    return StorageError(f"--wheels {path.parent}: cannot write {path.name}: {reason}; {left}: {fix}")


@contextlib.contextmanager
def _scratch(missing: Sequence[Wheel]) -> Iterator[Path]:
    """Make a folder with the list for pip, and remove it after the block. Raises StorageError."""
    with contextlib.ExitStack() as stack:
        try:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fieldfare-kit-")))
            text = "".join(f"{requirement(wheel)}\n" for wheel in missing)
            (folder / _WANTED).write_text(text, encoding="ascii")
        except OSError as error:
            place = os.environ.get("TMPDIR") or "the folder for temporary files"
            raise StorageError(f"no place for the wheels in {place}: {error.strerror or error}: set TMPDIR") from error
        yield folder


def read_wheel(path: Path, wheel: Wheel) -> bytes:
    """Return the bytes of a wheel. Raises DataError unless they are those of the lock."""
    try:
        data = read_bounded(path, MOST_BYTES)
    except OSError as error:
        raise DataError(f"wheel {path}: cannot read: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != wheel.sha256:
        raise DataError(f"wheel {path}: its SHA-256 is not that of the lock (damaged or changed): delete it")
    return data


def _is_kept(wheel: Wheel, cache: Path) -> bool:
    """Return whether the cache has a wheel. Raises DataError if it has one of that name with other bytes."""
    path = cache / wheel.file
    if not os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a folder that this user may not look into
        return False
    read_wheel(path, wheel)
    return True


def _download(
    target: Target, wheels: Sequence[Wheel], into: Path, cache: Path | None, step: Callable[[str], None]
) -> None:
    """Run pip, which checks the hashes, too."""
    if importlib.util.find_spec("pip") is None:
        raise MissingPackageError(f"pip is not installed, and fetches the wheels: {sys.executable} -m ensurepip")
    words = [*_pip(), "--disable-pip-version-check", "--no-input", "--no-color", "download"]
    words += ["--require-hashes", "--no-deps", "--progress-bar=off", f"--retries={_RETRIES}", *target.pip_words]
    words += [f"--dest={into}", f"--requirement={into / _WANTED}"]
    status, printed, free = _run(words, step, into)
    if status:
        raise _error_of(printed, free, wheels, cache)


def _pip() -> list[str]:
    # -P: a Python file in the current folder must not be imported in place of a part of pip.
    return [sys.executable, "-P", "-m", "pip"]


def _run(words: Sequence[str], step: Callable[[str], None], into: Path) -> tuple[int, str, int]:
    """Run pip to its end, or end it; return its exit status, what it printed, and how many bytes were free on the disk
    of `into` when that was least."""
    printed, free = bytearray(), shutil.disk_usage(into).free
    # Not edge.processes: that needs Linux, and this runs on every desktop. Nor a file for its messages: the disk may be
    # full of what it fetched.
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip:
        try:
            for line in pip.stdout or ():
                printed += line[: max(0, _MOST_PRINTED - len(printed))]
                # pip takes a full disk for a connection that broke, prints that, tries again, and removes all of it.
                free = min(free, shutil.disk_usage(into).free)
                if line.startswith((b"Collecting ", b"Processing ")):
                    step(Path(line.decode(errors="replace").split()[1]).name)
        except BaseException:  # Ctrl-C among them: nothing goes on behind our back
            pip.kill()
            raise
    return pip.returncode, printed.decode(errors="replace"), free


def _error_of(printed: str, free: int, wheels: Sequence[Wheel], cache: Path | None) -> FieldfareError:
    """Return what pip's messages come to, in one line."""
    if other := _OTHER_HASH.search(printed):
        return DataError(
            f"wheel {other[1]}: what was fetched has another SHA-256 than the lock: nothing of it was used; look where "
            "pip fetches from (`pip config list`), or update Fieldfare"
        )
    if free < _LEAST_FREE or any(sign in printed for sign in _FULL):
        return StorageError(f"no space for the wheels in {tempfile.gettempdir()}: free some, or set TMPDIR")
    if _NO_NETWORK.search(printed):
        kept = "a folder that has them" if cache is None else f"{cache} lacks {wheels[0].file}"
        return UnavailableError(
            f"{counted(len(wheels), 'wheel')} to fetch, and the package index does not answer: connect this computer, "
            f"or give --wheels FOLDER ({kept})"
        )
    if absent := _NOT_FOUND.search(printed):
        return DataError(f"wheel {absent[1]}: the package index has none for this target: update Fieldfare")
    return UnavailableError(f"pip could not fetch the wheels: {_reason(printed)}")


def _reason(printed: str) -> str:
    """Return the line that says what went wrong: the last one that is no advice."""
    lines = [line.strip() for line in printed.splitlines()]
    reasons = [line.removeprefix(_CROSS) for line in lines if line and not line.lower().startswith(_ADVICE)]
    return reasons[-1] if reasons else "it gave no reason"
