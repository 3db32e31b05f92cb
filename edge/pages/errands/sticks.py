"""Find the sticks that are mounted below /media or /mnt: the only places that the pages write an export to."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PLACES = ("/media", "/mnt")
_MOST = 20
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Stick:
    """A mounted disk. id: its device's number, which no path is made of. free: bytes. fault: why it takes nothing."""

    id: str
    folder: Path
    free: int
    fault: str | None

    @property
    def name(self) -> str:
        """What people know it by."""
        return self.folder.name


def find_sticks(mountinfo: Path = Path("/proc/self/mountinfo"), places: tuple[str, ...] = PLACES) -> list[Stick]:
    """Return those that are mounted now, by their place."""
    found = sorted(_mounted(mountinfo, places))
    return [_stick(device, folder) for folder, device in found[:_MOST]]


def find_stick(wanted: str, sticks: list[Stick]) -> Stick | None:
    """Return the stick with this id, if it is still there."""
    return next((one for one in sticks if one.id == wanted), None)


def _mounted(mountinfo: Path, places: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield folder and number of each disk below the places; a disk that is mounted twice only once."""
    seen: dict[str, str] = {}
    for line in mountinfo.read_text(errors="surrogateescape").splitlines():
        words = line.split(" ")
        folder = _ESCAPED.sub(lambda code: chr(int(code[1], 8)), words[4])
        inside = any(PurePosixPath(folder).is_relative_to(place) and folder != place for place in places)
        # Not a network's: one that does not answer would hold up the pages.
        if inside and words[words.index("-") + 2].startswith("/dev/"):
            seen[words[2]] = folder
    for device, folder in seen.items():
        yield folder, device


def _stick(device: str, folder: str) -> Stick:
    path = Path(folder)
    try:
        about = os.statvfs(path)
    except OSError as error:  # pulled, and not unmounted yet
        return Stick(device, path, 0, error.strerror or str(error))
    fault = None
    if about.f_flag & os.ST_RDONLY:
        fault = "read-only"
    elif not os.access(path, os.W_OK | os.X_OK):
        fault = "not writable"
    return Stick(device, path, about.f_bavail * about.f_frsize, fault)
