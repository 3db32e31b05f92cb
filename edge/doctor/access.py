"""Judge by owner, mode and access list what a user may do with a file, and who could have put it there.

Not by os.access: that answers for this process only, and root may do everything.
"""

import contextlib
import os
import stat
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # not needed to read the constants, on any desktop
    from edge.processes.process import Account

READ, WRITE, ENTER = 4, 2, 1  # the bits of a mode, of one of its three groups
_LINKS = 40  # as the kernel follows at most
# linux/posix_acl_xattr.h and linux/posix_acl.h
_ACL = "system.posix_acl_access"
_USER, _GROUP_OWNER, _GROUP, _MASK, _OTHER = 0x02, 0x04, 0x08, 0x10, 0x20


def permits(place: Path, account: "Account", wanted: int) -> bool:
    """Return whether `account` may do all of `wanted` with the file or folder itself. Raises OSError."""
    there = place.stat()
    if account.uid == 0:
        return True
    acl = b""
    with contextlib.suppress(OSError):  # a file system without such lists
        acl = os.getxattr(place, _ACL)
    return mode_permits(there.st_mode, there.st_uid, there.st_gid, account, wanted, acl)


def mode_permits(mode: int, uid: int, gid: int, account: "Account", wanted: int, acl: bytes = b"") -> bool:
    """Judge as the kernel does: the owner, then users of the access list, then groups, then all others.

    acl: the extended attribute with the access list, empty if there is none
    """
    groups = {account.gid, *account.groups}
    if account.uid == uid:
        return mode >> 6 & wanted == wanted
    # A version of 4 bytes, then entries of 8.
    entries: list[tuple[int, int, int]] = list(struct.iter_unpack("<HHI", acl[4 : 4 + max(0, len(acl) - 4) // 8 * 8]))
    if not entries:
        return mode >> (3 if gid in groups else 0) & wanted == wanted
    mask = next((bits for tag, bits, _ in entries if tag == _MASK), 7)
    for tag, bits, who in entries:
        if tag == _USER and who == account.uid:
            return bits & mask & wanted == wanted
    named: list[int] = [bits for tag, bits, who in entries if tag == _GROUP and who in groups]
    named += [bits for tag, bits, _ in entries if tag == _GROUP_OWNER and gid in groups]
    if named:
        return any(bits & mask & wanted == wanted for bits in named)
    return next((bits for tag, bits, _ in entries if tag == _OTHER), 0) & wanted == wanted


def status(path: Path) -> os.stat_result | None:
    """Return what is at `path`; None if nothing is, as far as this process may look."""
    try:
        return path.stat()
    except OSError:
        return None


def refusal(path: Path, account: "Account", wanted: int) -> Path | None:
    """Return the first folder on the way to `path` that `account` may not enter, or `path` itself if it may not do
    what is wanted there. None if nothing refuses; what is missing, or hidden from this process, refuses nothing."""
    for place in visited(path):
        try:
            if not permits(place, account, wanted if place == path else ENTER):
                return place
        except OSError:
            return None
    return None


def changeable(path: Path, account: "Account") -> Path | None:
    """Return where `account` could replace or change `path`: itself, or a folder on the way to it; None if nowhere."""
    for place in visited(path):
        try:
            there = place.stat()
            owns, kept = there.st_uid == account.uid, bool(there.st_mode & stat.S_ISVTX) and place != path
            if owns or (not kept and permits(place, account, WRITE)):
                return place
        except OSError:
            return None
    return None


def visited(path: Path) -> list[Path]:
    """Return the folders on the way to `path` and to where its links lead, outermost first; then `path` itself."""
    real = Path(os.path.realpath(path))
    return list(dict.fromkeys((*reversed(path.parents), *reversed(real.parents), path)))


def replaceable(path: Path) -> Path | None:
    """Return where another user than root could replace `path`, or what is in it; None if nowhere.

    What is missing counts as replaceable if another user could make it. Every link on the way is judged, too.
    """
    left, links = [part for part in path.absolute().parts[1:] if part != "."][::-1], 0
    place = Path("/")
    while left:
        part = left.pop()
        if part == "..":
            place = place.parent
            continue
        folder, place = place, place / part
        try:
            there = place.lstat()
        except OSError:
            return folder if _open_to_others(folder.stat()) else None
        if there.st_uid != 0 or (_open_to_others(folder.stat()) and not folder.stat().st_mode & stat.S_ISVTX):
            return place if there.st_uid != 0 else folder
        if stat.S_ISLNK(there.st_mode):
            links += 1
            target = place.readlink()
            if links > _LINKS:
                return place
            left += [part for part in target.parts if part not in ("/", ".")][::-1]
            place = Path("/") if target.is_absolute() else folder
    return _within(place)


def _within(place: Path) -> Path | None:
    """Return what another user than root could change in `place` or below it."""
    if _open_to_others(place.stat()):
        return place
    for folder, folders, files in os.walk(place, onerror=None):
        for name in (*folders, *files):
            below = Path(folder, name)
            there = below.lstat()
            if there.st_uid != 0 or stat.S_ISLNK(there.st_mode) or _open_to_others(there):
                return below
    return None


def _open_to_others(there: os.stat_result) -> bool:
    """Return whether others than root may write there. Group bits hold the mask of an access list."""
    return bool(there.st_uid != 0 or there.st_mode & 0o002 or (there.st_mode & 0o020 and there.st_gid != 0))
