"""Check the cameras: which are connected, may this user open them, does the configured one give a frame?"""

import grp
import os
import pwd
from collections.abc import Iterable
from pathlib import Path

import msgspec

from edge.config.running import Camera
from edge.doctor.case import Case
from edge.doctor.findings import Finding, Kind
from edge.doctor.sandbox import SERVICE
from edge.printable import masked
from edge.source_kind import source_kind

_GROUPS = "sudo usermod -aG video,plugdev $USER, then log in again"


def v4l2(case: Case) -> list[Finding]:
    """List the Video4Linux devices by name."""
    folder = case.sysfs / "class/video4linux"
    nodes = sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name)) if folder.is_dir() else []
    if not nodes:
        return [Finding("v4l2", "V4L2 devices", "not here", "no /dev/video*")]
    # By name: a Pi has more than ten nodes, and most of them belong to the video hardware, not to a camera.
    names: dict[str, list[str]] = {}
    for node in nodes:
        names.setdefault(_name(node), []).append(node.name.removeprefix("video"))
    seen = "; ".join(f"video{','.join(numbers)} {name}" for name, numbers in names.items())
    return [Finding("v4l2", "V4L2 devices", "ok", seen)]


def _name(node: Path) -> str:
    try:
        return (node / "name").read_bytes().decode(errors="replace").strip() or "unnamed"
    except OSError:
        return "unnamed"


def permissions(case: Case) -> list[Finding]:
    """Check the device files that a camera needs, and the groups of this user and of the service's."""
    nodes = [node for pattern in ("video*", "media*", "dma_heap/*") for node in sorted(case.dev.glob(pattern))]
    refused = [str(node) for node in nodes if not case.may_use(node)]
    findings = []
    if not nodes:
        findings.append(
            Finding("devices", "camera devices", "not here", "no /dev/video*, /dev/media*, /dev/dma_heap/*")
        )
    elif refused:
        seen = f"not open to {case.who}: {_few(refused)}"
        mend = _GROUPS if case.who == "this user" else f"sudo usermod -aG video,plugdev {case.who}"
        findings.append(Finding("devices", "camera devices", "warning", seen, mend))
    else:
        findings.append(Finding("devices", "camera devices", "ok", f"{len(nodes)} nodes, all open to {case.who}"))
    return [*findings, _groups()]


def _groups() -> Finding:
    user, mine = _user(), {_group(gid) for gid in (*os.getgroups(), os.getegid())}
    rows = [(user, mine)]
    try:
        account = pwd.getpwnam(SERVICE)
    except KeyError:
        account = None
    if account is not None and account.pw_name != user:
        rows.append((SERVICE, {_group(gid) for gid in os.getgrouplist(account.pw_name, account.pw_gid)}))
    return judge_groups(rows, root=os.geteuid() == 0)


def judge_groups(rows: Iterable[tuple[str, set[str]]], *, root: bool) -> Finding:
    """Judge users by their groups.

    rows: users with their groups, this one first
    root: this user is root, who needs none
    """
    seen, missing = [], []
    for number, (user, groups) in enumerate(rows):
        lacking = [name for name in ("video", "plugdev") if name not in groups]
        if number == 0 and root:
            lacking = []
        seen.append(f"{user}: {'root' if number == 0 and root else _have(lacking)}")
        missing += [f"sudo usermod -aG {','.join(lacking)} {user}"] if lacking else []
    if missing:
        return Finding("groups", "groups", "warning", "; ".join(seen), f"{'; '.join(missing)}; then log in again")
    return Finding("groups", "groups", "ok", "; ".join(seen))


def _have(lacking: list[str]) -> str:
    return f"not in {' and '.join(lacking)}" if lacking else "video, plugdev"


def pi_cameras(case: Case) -> list[Finding]:
    """List the cameras that picamera2 finds, in a child: it can hang, and its import can fail in several ways."""
    wanted = case.settings is not None and source_kind(case.settings.camera.source) == "picamera2"
    absent: Kind = "problem" if wanted else "not here"
    outcome = case.probe("pi_cameras", [], case.child_s)
    if outcome.ending == "answered":
        models = [f"{number} {model}" for number, model in enumerate(outcome.answer)]
        if models:
            return [Finding("picamera2", "Pi cameras", "ok", ", ".join(models))]
        mend = "power off, seat the ribbon cable again at both ends; `rpicam-hello --list-cameras` must show it"
        return [Finding("picamera2", "Pi cameras", absent, "none", mend if wanted else None)]
    if "No module named" in outcome.why and "picamera2" in outcome.why:
        mend = "sudo apt install python3-picamera2; make the virtual environment with --system-site-packages"
        seen = "picamera2 is not installed"
        return [Finding("picamera2", "Pi cameras", absent, seen, mend if wanted else None)]
    mend = "restart the board" if outcome.ending == "hung" else "sudo apt install --reinstall python3-picamera2"
    if "numpy.dtype size changed" in outcome.why:  # picamera2 issues 1088, 1211
        mend = "built for NumPy 1 (Bookworm): pip install 'numpy<2'"
    elif "kms" in outcome.why:
        mend = "sudo apt install python3-kms++; never the PyPI package kms"
    broken: Kind = "problem" if wanted else "warning"
    seen = f"picamera2 {outcome.ending}: {outcome.why}"
    return [Finding("picamera2", "Pi cameras", broken, seen, mend)]


def frame(case: Case) -> list[Finding]:
    """Read a frame from the configured source, in a child that gets as long as the settings give the camera."""
    if case.settings is None:
        return [Finding("frame", "a frame", "not here", "no source was named: give --config or --source")]
    camera = case.settings.camera
    in_use = case.camera_in_use(camera.source)
    return [Finding("frame", "a frame", "not here", in_use) if in_use else _frame(case, camera)]


def _frame(case: Case, camera: Camera) -> Finding:
    limit_s = case.child_s + min(camera.patience_s, case.patience_s)
    outcome = case.probe("frame", [msgspec.to_builtins(camera)], limit_s)
    if outcome.ending == "hung" and camera.patience_s > case.patience_s:
        seen = f"{masked(camera.source)}: {outcome.why}, but the settings allow {camera.patience_s:g} s for a frame"
        return Finding("frame", "a frame", "warning", seen, "`fieldfare run` waits for as long as the settings allow")
    if outcome.ending != "answered":
        mend = {
            "hung": "the camera stalls: check cable and power supply; another program may hold it",
            "crashed": "the driver or its library crashed: see `dmesg` and update the system",
            "refused": "see docs/raspberry-pi.md, Trouble",
        }[outcome.ending]
        seen = (
            outcome.why if outcome.ending == "refused" else f"{masked(camera.source)} {outcome.ending}: {outcome.why}"
        )
        return Finding("frame", "a frame", "problem", seen, mend)
    answer = outcome.answer
    width, height = answer["size"]
    seen = f"{answer['description']}: {width}x{height}"
    if answer["spread"] < 1:
        mend = "take the cap off, give it light, check the exposure"
        return Finding("frame", "a frame", "warning", f"{seen}, all of one colour ({answer['mean']:.0f} of 255)", mend)
    return Finding("frame", "a frame", "ok", seen)


def _few(names: list[str], limit: int = 4) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
