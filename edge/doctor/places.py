"""Check the places that the settings name: may the service, inside the sandbox of its unit, read or write them?

A bundle in /home, or results on a stick, work by hand and fail in the service.
"""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.config.settings import Settings
from edge.doctor.access import ENTER, READ, WRITE, changeable, refusal, status
from edge.doctor.events.places import (
    Place,
    Takes,
    absolute,
    has_outputs,
    kept_places,
    secret_places,
    sent_places,
    shown_places,
)
from edge.doctor.findings import Finding, Kind
from edge.doctor.sandbox import GIVEN, OUTPUTS, PAGES, SERVICE, Sandbox, sandbox
from edge.doctor.unit.judging import MEDIA, judge_by_unit, judge_relative, lies_in, unit_name
from edge.printable import counted, masked
from edge.source_kind import source_kind

if TYPE_CHECKING:  # `fieldfare kit` judges places on any desktop; these need Linux
    from edge.doctor.case import Case
    from edge.processes.process import Account

# File systems in memory.
_IN_MEMORY = ("tmpfs", "ramfs")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: its folder, its kind, such as ext4, and its options."""

    folder: str
    kind: str
    options: frozenset[str]


def places(case: "Case") -> list[Finding]:
    """Check every file and folder of the settings against the unit, the mounts and the permissions."""
    if case.settings is None and case.bundle is None and case.settings_from is None:
        return [Finding("places", "places", "not here", "nothing was named: give --config or --bundle")]
    box = sandbox(case)
    own = case.settings_from is not None and box.settings is not None and _same(case.settings_from, box.settings)
    start = box.folder if own else str(Path.cwd())
    needs = _needs(case, box, start)
    wanted = [place for place, where in needs if where is box]
    mounts = read_mounts(case.proc / "self/mountinfo")
    # Only the settings of an installed service make it fail; others are a trial by hand, or not installed yet.
    severity: Kind = "problem" if own and box.installed else "warning"
    findings = []
    for place, where in needs:
        found = (judge_relative(place) if own else None) or judge_place(place, where, mounts, case.account)
        # A store is named once, though the service and its outputs need it, unless the fault is the unit's.
        if found is not None and (finding := Finding("places", "places", severity, *found)) not in findings:
            findings.append(finding)
    findings += [Finding("places", "places", severity, *found) for found in _network(case, box)]
    if own and box.installed:
        findings += [Finding("places", "places", "problem", *found) for found in _outputs(case, sandbox(case, OUTPUTS))]
    findings += [Finding("places", "places", "warning", *found) for found in _doubtful(wanted, case.account)]
    count = len({place.path for place, _ in needs})
    beside = [word for word in ("outputs", "pages") if any(f"-{word}" in where.unit for _, where in needs)]
    who = " and its ".join([unit_name(box), *beside])
    seen = f"{counted(count, 'file or folder', 'files and folders')}, all open to {who}"
    return findings or [Finding("places", "places", "ok", seen)]


def _needs(case: "Case", box: Sandbox, start: str) -> list[tuple[Place, Sandbox]]:
    """Return each place with the unit that needs it."""
    needs = [(place, box) for place in _places(case, box, start)]
    if case.settings is not None:
        sender, viewer = sandbox(case, OUTPUTS), sandbox(case, PAGES)
        needs += [(one, sender) for one in sent_places(case.settings, start, sender)]
        needs += [(one, viewer) for one in shown_places(case.settings, start)]
    return needs


def _same(file: str, other: str) -> bool:
    return os.path.realpath(file) == os.path.realpath(other)


def _places(case: "Case", box: Sandbox, start: str) -> Iterator[Place]:
    """Yield what the service needs; relative paths count from `start`."""
    settings = case.settings
    if case.settings_from is not None:
        file = Path(case.settings_from).absolute()
        home = box.settings or f"/etc/{SERVICE}/{file.name}"
        yield Place("settings", str(file), file, READ, f"sudo install -m 644 {file} {home}")
    found = next((folder for folder in box.programs if box.installed and status(Path(folder, SERVICE))), None)
    if found is not None:
        yield from _program(Path(found, SERVICE))
    if case.bundle is not None:
        yield _moved(start, "bundle", case.bundle, f"/etc/{SERVICE}/{Path(case.bundle).name}", "bundle", takes="either")
    if settings is not None:
        yield from running_places(settings, start, box)


def running_places(settings: Settings, start: str, box: Sandbox) -> Iterator[Place]:
    """Yield what the service needs by its settings, beside the bundle. start: of relative paths. box: its unit's."""
    state, source, script = box.state, settings.camera.source, settings.camera.script or ""
    kind = source_kind(source)
    # What a program puts into /dev/shm need not be there yet, and looks like a device then.
    if kind == "v4l2" and not lies_in(absolute(start, source), "/dev/shm"):
        better = "name a camera: /dev/video0, or the like, or a link to one in /dev/v4l/by-id"
        yield Place("source", source, absolute(start, source), READ, better, takes="camera")
    elif kind in ("v4l2", "replay"):
        yield _moved(start, "source", source, f"{state}/{Path(source).name}", "camera.source", takes="either")
    if script.startswith("@"):
        yield _moved(start, "script", script[1:], f"{state}/{Path(script[1:]).name}", "camera.script")
    if settings.locate.method == "model" and settings.locate.model is not None:
        model = settings.locate.model
        yield _moved(start, "detector", model, f"/etc/{SERVICE}/{Path(model).name}", "locate.model", takes="either")
    library = settings.engine.edgetpu_library
    if "/" in library:
        yield _moved(start, "library", library, f"/usr/local/lib/{Path(library).name}", "edgetpu_library", runs=True)
    if settings.output.jsonl is not None:
        given = settings.output.jsonl
        path = absolute(start, given)
        better = f'jsonl = "{state}/{path.name}" in the settings'
        yield Place("results", given, path, WRITE, better, takes="lines", lasts=True)
    power = settings.power
    if power is not None and power.file is not None:
        better = "name a file in /sys or /run, which the service sees, in power.file"
        path, needed = absolute(start, power.file), power.value is not None
        yield Place("power.file", power.file, path, READ, better, needed=needed, takes="kernel")
    yield from secret_places(settings, start, box)
    yield from kept_places(settings, start, state)


def _moved(
    start: str, what: str, given: str, home: str, key: str, *, runs: bool = False, takes: Takes = "file"
) -> Place:
    """Return a place to read, which may be moved to `home`."""
    path = absolute(start, given)
    copy = "cp -rT --no-preserve=mode" if _is_folder(path) else "install -m 644"
    better = f'sudo {copy} {path} {home}, and {key} = "{home}" in the settings'
    return Place(what, given, path, READ, better, runs=runs, takes=takes)


def _program(command: Path) -> Iterator[Place]:
    """Yield the program that the unit starts, and its Python, which may be elsewhere."""
    better = "install again, from a kit or a clone: that puts it into /opt/fieldfare (docs/raspberry-pi.md)"
    for path in (command, command.with_name("python3")):
        if status(path) is not None:
            yield Place("program", str(path), path, READ, better, runs=True)


def judge_place(
    place: Place, box: Sandbox, mounts: Sequence[Mount], account: "Account | None"
) -> tuple[str, str] | None:
    """Return what keeps the service from a place, and what to do; None if nothing does, as far as can be seen."""
    real = Path(os.path.realpath(place.path))
    seen = f"{place.what} {place.path}" + ("" if real == place.path else f" (a link to {real})")
    # A device is judged by its number, wherever a link to it is.
    for path in (real,) if place.takes == "camera" else dict.fromkeys((place.path, real)):
        closed = judge_by_unit(place, path, box, seen)
        if closed is not None or place.takes == "camera":  # who may open it: `devices`, `groups`
            return closed
    over = [mount for mount in mounts if real.is_relative_to(mount.folder)]
    mount = max(over, key=lambda one: len(one.folder), default=None)
    if mount is not None and place.wanted == WRITE and "ro" in mount.options:
        mend = f"sudo mount -o remount,rw {mount.folder}, and the same in /etc/fstab"
        return f"{seen}: {mount.folder} is mounted read-only", mend
    if mount is not None and place.lasts and mount.kind in _IN_MEMORY:
        return f"{seen}: {mount.folder} is in memory ({mount.kind}), and this must last", place.better
    if mount is not None and place.runs and "noexec" in mount.options:
        return f"{seen}: {mount.folder} is mounted noexec: nothing there may be run", place.better
    fault = _fault_of_file(place, seen)
    if fault is not None:
        return fault
    rule = box.rule(real)
    # What systemd makes, it gives to the service's user; only /etc stays root's.
    made = place.wanted == WRITE and rule is not None and rule.why in GIVEN
    return None if account is None or made else _judge_permissions(place, seen, account)


def _judge_permissions(place: Place, seen: str, account: "Account") -> tuple[str, str] | None:
    path, wanted = place.path, READ
    if place.wanted == WRITE:
        # The file is made, and renamed when it is full, so its folder counts. A missing folder is made, too.
        above = (folder for folder in place.path.parents if os.path.lexists(folder))
        path, wanted = place.path if _is_folder(place.path) else next(above), WRITE | ENTER
        closed = refusal(place.path, account, WRITE) if status(place.path) else None
        closed = closed or refusal(path, account, wanted)
        grant = f"sudo chown {account.name}: {closed}"
    else:
        enters = _is_folder(path) or (place.runs and place.needed)
        closed = refusal(path, account, READ | ENTER if enters else READ)
        grant = f"sudo chmod o+{'r' if closed == path and not enters else 'rx'} {closed}"
        if place.private and closed == path:  # its content is for the service alone
            grant = _for_the_service_only(path)
    return None if closed is None else (f"{seen}: {closed} is closed to {account.name}", f"{grant}; or {place.better}")


def _fault_of_file(place: Place, seen: str) -> tuple[str, str] | None:
    """Return what is wrong with a file itself: that it is not there, is no program, or is open to everybody."""
    if not place.needed:
        return None
    try:
        mode = place.path.stat().st_mode
    except FileNotFoundError:
        return f"{seen}: it is not there", f"put it there, or correct {place.what} in the settings"
    except OSError:  # out of this user's reach, which is judged by the permissions
        return None
    if not stat.S_ISREG(mode):
        return f"{seen}: it is no file", f"correct {place.what} in the settings"
    if place.runs and not mode & 0o111:
        return f"{seen}: it may not be run", f"sudo chmod a+rx {place.path}"
    if place.private and mode & 0o004:
        return f"{seen}: every user may read it", _for_the_service_only(place.path)
    return None


def _for_the_service_only(path: Path) -> str:
    return f"sudo chown root:{SERVICE} {path} && sudo chmod 640 {path}"


def _is_folder(path: Path) -> bool:
    there = status(path)
    return there is not None and stat.S_ISDIR(there.st_mode)


def _network(case: "Case", box: Sandbox) -> Iterator[tuple[str, str]]:
    if case.settings is not None and source_kind(case.settings.camera.source) == "stream" and not box.network:
        folder = f"/etc/systemd/system/{_drop_ins(box.unit)}"
        mend = f"sudo install -D -m 644 systemd/network-camera.conf {folder}/network-camera.conf (docs/cameras.md)"
        yield f"source {masked(case.settings.camera.source)}: {unit_name(box)} has no network", mend


def _outputs(case: "Case", box: Sandbox) -> Iterator[tuple[str, str]]:
    """Yield what keeps the unit of the outputs from sending. box: its sandbox."""
    settings = case.settings
    if settings is None or not has_outputs(settings):
        return
    if not box.installed:
        yield f"outputs: {box.unit} is not installed, so events reach none of them", "docs/outputs.md installs it"
    elif not box.network and (settings.mqtt is not None or (settings.metrics and settings.metrics.port)):
        folder = f"/etc/systemd/system/{_drop_ins(box.unit)}"
        mend = f"sudo install -D -m 644 systemd/outputs-network.conf {folder}/outputs-network.conf (docs/outputs.md)"
        yield f"outputs: {box.unit} has no network", mend


def _drop_ins(unit: str) -> str:
    return f"{unit.partition('@')[0]}{'@.service' if '@' in unit else ''}.d"


def _doubtful(wanted: Sequence[Place], account: "Account | None") -> Iterator[tuple[str, str]]:
    """Yield what is needed at every start, but may not be there, or could be replaced by the service itself, though
    root and other instances open it, too."""
    for place in wanted:
        if place.what not in ("bundle", "settings", "library", "program"):
            continue
        medium = next((folder for folder in MEDIA if place.path.is_relative_to(folder)), None)
        if medium is not None:
            yield f"{place.what} {place.path}: what is in {medium} may be missing when the service starts", place.better
        found = None if account is None else changeable(place.path, account)
        if account is not None and found is not None:
            seen = f"{place.what} {place.path}: the service could replace it, as {account.name} may write to {found}"
            yield seen, place.better


def read_mounts(file: Path) -> list[Mount]:
    """Return the mounted file systems from a mountinfo file (proc(5)); of two on one folder, the upper one."""
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    found = {}
    for line in lines:
        mounted, _, system = line.partition(" - ")
        fields, kinds = mounted.split(), system.split()
        if len(fields) > 5 and len(kinds) > 2:
            folder = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
            found[folder] = Mount(
                folder, kinds[0], frozenset({*fields[5].split(","), *({"ro"} & {*kinds[2].split(",")})})
            )
    return list(found.values())
