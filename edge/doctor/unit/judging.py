"""Judge a path by what the unit makes of it: hidden, read-only, a device, the kernel's own, gone at the next start."""

import re
from pathlib import PurePath

from edge.config.faults import shown
from edge.doctor.access import READ, WRITE
from edge.doctor.events.places import Place
from edge.doctor.sandbox import DIRECTORIES, Sandbox

MEDIA = ("/media", "/mnt", "/run/media")
# On every Linux these are in memory, or emptied when the system starts; /var/run and /var/lock are links into /run.
_GONE = ("/run", "/var/run", "/var/lock", "/tmp", "/dev/shm")
# As the kernel names cameras, and udev links them. Other names are a camera if the unit opens them by name.
_CAMERAS = re.compile(r"/dev/(video\d+|v4l/by-(id|path)/[^/]+)")
_OF_PROCESSES = re.compile(r"/proc/(\d+|self|thread-self)(/|\Z)")
# Two words, as a reason and as what to do.
Closed = tuple[str, str]


def unit_name(box: Sandbox) -> str:
    """Return the unit's name for messages; with a remark if it is not installed."""
    return box.unit if box.installed else f"{box.unit} (not installed: as delivered)"


def judge_relative(place: Place) -> Closed | None:
    """Return why a path that is not whole is no user's guess, and what to do; None for a whole one, and for a program's
    bare name, which the device looks for in its own PATH."""
    # Text, not pathlib's: on Windows no path of the device's is absolute.
    if place.given.startswith("/") or is_looked_for(place):
        return None
    path = place.path.as_posix()
    return f"{place.what} {shown(place.given)}: the service takes that for {path}", "write the whole path"


def is_looked_for(place: Place) -> bool:
    """Return whether a place is a program's bare name."""
    return place.runs and "/" not in place.given


def judge_by_unit(place: Place, path: PurePath, box: Sandbox, seen: str) -> Closed | None:
    """Return what in the unit keeps the service from `path`, and what to do. seen: the place, in words."""
    if place.takes == "camera":
        return _judge_camera(place, path, box, seen)
    rule = box.rule(path.as_posix())
    view = "write" if rule is None else rule.view
    if rule is not None and view in ("hidden", "own"):
        how = "does not see" if view == "hidden" else "has its own"
        return f"{seen}: {unit_name(box)} {how} {rule.folder} ({rule.why})", place.better
    strange = _no_file(place, path) or _judge_lasting(place, path) or _judge_folder(place, path, box)
    if strange is not None:
        return f"{seen}: {strange[0]}", strange[1]
    if rule is not None and view == "read" and place.wanted == WRITE:
        # Not the stick's own folder: systemd would bind what is there at the start over a stick that comes later.
        medium = next((folder for folder in MEDIA if path.is_relative_to(folder)), path.parent.as_posix())
        mend = f"{place.better}; or `sudo systemctl edit {box.unit}`: [Service] ReadWritePaths=-{medium}"
        return f"{seen}: {unit_name(box)} may only read there ({rule.why})", mend
    return None


def lies_in(path: PurePath, *folders: str) -> bool:
    """Return whether an absolute path is one of these folders, or in one."""
    return any(path.is_relative_to(folder) for folder in folders)


def _judge_camera(place: Place, path: PurePath, box: Sandbox, seen: str) -> Closed | None:
    names = {path.as_posix(), place.path.as_posix()}
    if box.devices is None or names & set(box.devices):
        return None
    camera = any(_CAMERAS.fullmatch(name) for name in names)
    if camera and box.opens("char-video4linux"):
        return None
    if camera:
        mend = f"`sudo systemctl edit {box.unit}`: [Service] DeviceAllow=char-video4linux rw"
        return f"{seen}: {unit_name(box)} does not open it (DevicePolicy, DeviceAllow)", mend
    # No line that opens it: it may be a disk.
    return f"{seen}: no camera that {unit_name(box)} opens (DevicePolicy, DeviceAllow)", place.better


def _no_file(place: Place, path: PurePath) -> Closed | None:
    """Return why no file or folder of the user's can be at `path`."""
    # Not to copy it: a disk's device would be copied whole.
    fix = f"correct {place.what} in the settings" if place.wanted == READ and place.takes != "kernel" else place.better
    if lies_in(path, "/dev") and not lies_in(path, "/dev/shm"):
        thrown = place.takes == "lines" and path.as_posix() == "/dev/null"
        return None if thrown else ("/dev holds devices, no files and folders", fix)
    if lies_in(path, "/proc", "/sys") and (place.takes != "kernel" or _OF_PROCESSES.match(path.as_posix())):
        return f"/{path.parts[1]} holds the kernel's own files", fix
    return None


def _judge_lasting(place: Place, path: PurePath) -> Closed | None:
    gone = next((folder for folder in _GONE if path.is_relative_to(folder)), None)
    if not place.lasts or gone is None or lies_in(path, *MEDIA):
        return None
    return f"{gone} is empty after each start of the board, and this must last", place.better


def _judge_folder(place: Place, path: PurePath, box: Sandbox) -> Closed | None:
    """Return why `path` cannot be a file: it is, or holds, a folder that systemd makes for the unit."""
    if place.takes in ("folder", "either"):
        return None
    made = (rule.folder for rule in box.rules if rule.why in DIRECTORIES)
    if path.as_posix() == "/" or any(PurePath(folder).is_relative_to(path) for folder in made):
        return "it is a folder", f"name a file in {box.state if place.wanted == WRITE else 'it'}"
    return None
