"""Check an unpacked kit: every file is there, whole and the one that was meant, and no other."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from edge.errors import DataError, FieldfareError, MissingInputError
from edge.installing.origins.kit import KIT_FILE, NOT_LISTED, SCRIPT_NAME, SUMS_FILE, Entry, Kit, kit_id, read_kit
from edge.portable.system import open_flags
from edge.printable import counted, printable
from edge.storage import read_bounded

_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_PIECE = 1 << 20
MAX_SUMS = 1 << 20
_DROPPINGS = (".DS_Store", "Thumbs.db", "desktop.ini")
# What is copied over a kit leaves the other one's files.
_ANEW = "remove the folder fieldfare-kit and copy the kit again"
_AGAIN = f"{_ANEW}, and eject the stick before you pull it out"


def check_folder(folder: Path, progress: Callable[[str], None] = lambda _: None) -> Kit:
    """Check all of a kit and return it. Raises MissingInputError or DataError, which name the first file that is wrong.

    progress: called with each path before its hash is computed
    """
    kit = read_kit(folder)
    sums = _sums(folder)
    check_lists(kit, sums, folder)
    _refuse_others(folder, kit)
    for path, entry in {**_own(folder, sums), **kit.files}.items():
        progress(path)
        _check_file(folder, path, entry)
    return kit


def parse_sums(data: bytes, file: Path) -> dict[str, str]:
    """Return the hashes of SHA256SUMS by path; `file` is for messages. Raises DataError."""
    text = data.decode("ascii", "replace")
    found = [_LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    if not all(found) or not text.endswith("\n"):
        raise DataError(f"kit {_shown(file)}: not lines of hash and name: {_AGAIN}")
    return {match[2]: match[1] for match in found if match}


def check_lists(kit: Kit, sums: dict[str, str], place: Path) -> None:
    """Raise DataError unless both lists are of one kit, and it has the wheels that install it. place: for messages."""
    listed = {path: entry.sha256 for path, entry in kit.files.items()}
    listed |= {path: sums.get(path, "") for path in (KIT_FILE, SCRIPT_NAME)}
    for path in sorted({*listed, *sums}):
        if listed.get(path) != sums.get(path) or not sums.get(path):
            raise DataError(
                f"kit {_shown(place)}: {KIT_FILE} and {SUMS_FILE} differ in {printable(path[:200])}: they are not of "
                f"one kit: {_AGAIN}"
            )
    if kit.id != kit_id(kit.files):
        raise DataError(f"kit {_shown(place)}: {KIT_FILE} was changed by hand (id {kit.id}): build it again")
    for name in ("fieldfare", "pip"):
        wheels = sum(path.startswith(f"wheels/{name}-") and path.endswith(".whl") for path in kit.files)
        if wheels != 1:
            found = f"{wheels} wheels" if wheels else "no wheel"
            raise DataError(f"kit {_shown(place)}: it has {found} of {name}, must be 1: build it again")


def is_dropping(name: str) -> bool:
    """Return True for a file that a desktop leaves on every stick that it opens. Nothing reads it."""
    return name in _DROPPINGS or name.startswith("._")


def verified(folder: Path, path: str, entry: Entry) -> bytes:
    """Read a small file of the kit and return its bytes if they are the right ones. Raises DataError."""
    # The bytes that are used are the ones that are checked: a stick can fail at the second reading.
    try:
        data = read_bounded(folder / path, entry.size, follow=False)
    except OSError as error:
        raise _unreadable(folder, path, error) from error
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise _damaged(folder, path)
    return data


def _sums(folder: Path) -> dict[str, str]:
    try:
        return parse_sums(read_bounded(folder / SUMS_FILE, MAX_SUMS, follow=False), folder / SUMS_FILE)
    except OSError as error:
        raise _unreadable(folder, SUMS_FILE, error) from error


def _own(folder: Path, sums: dict[str, str]) -> dict[str, Entry]:
    """Return entries for kit.json and install.sh, whose sizes are not listed."""
    sizes = {}
    for path in (KIT_FILE, SCRIPT_NAME):
        try:
            sizes[path] = (folder / path).lstat().st_size
        except OSError as error:
            raise _unreadable(folder, path, error) from error
    return {path: Entry(size, sums[path]) for path, size in sizes.items()}


def _refuse_others(folder: Path, kit: Kit) -> None:
    known = {*kit.files, *NOT_LISTED}
    folders = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    first, number = "", 0
    for path, is_folder in _walk(folder, ""):
        if path not in (folders if is_folder else known):
            first, number = first or path, number + 1
    if number:
        more = f", and {counted(number - 1, 'more is not', 'more are not')}" if number > 1 else ""
        raise DataError(
            f"kit {_shown(folder)}: {printable(first[:200])} is not in its list{more}: two versions lie in this "
            f"folder: {_ANEW}"
        )


def _walk(folder: Path, inside: str) -> Iterator[tuple[str, bool]]:
    with os.scandir(folder / inside) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_dropping(entry.name) and entry.is_file(follow_symlinks=False):
                continue
            path = f"{inside}/{entry.name}" if inside else entry.name
            yield path, is_folder
            if is_folder and path.count("/") < 3:
                yield from _walk(folder, path)


def _check_file(folder: Path, path: str, entry: Entry) -> None:
    digest = hashlib.sha256()
    try:
        handle = os.open(folder / path, open_flags("O_NOFOLLOW", "O_NONBLOCK"))
        with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise DataError(f"kit {_shown(folder / path)}: not a plain file: {_AGAIN}")
            if found.st_size != entry.size:
                sizes = f"{found.st_size} bytes instead of {entry.size}"
                raise DataError(f"kit {_shown(folder / path)}: {sizes}: copied in part: {_AGAIN}")
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise _unreadable(folder, path, error) from error
    if digest.hexdigest() != entry.sha256:
        raise _damaged(folder, path)


def _unreadable(folder: Path, path: str, error: OSError) -> FieldfareError:
    where = f"kit {_shown(folder / path)}"
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return DataError(f"{where}: is missing: copied in part: {_AGAIN}")
    if error.errno == errno.ELOOP:
        return DataError(f"{where}: a link, not a plain file: {_AGAIN}")
    return MissingInputError(f"{where}: cannot read: {_why(error)}: {_AGAIN}")


def _damaged(folder: Path, path: str) -> DataError:
    return DataError(f"kit {_shown(folder / path)}: damaged (SHA-256 differs): {_AGAIN}")


def _shown(path: Path) -> str:
    return printable(str(path))


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
