"""Check what events need beside places: room for their budgets, packages, a clock, and folders that no other uses."""

import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

from edge.config.loading import load_settings
from edge.config.settings import Settings
from edge.doctor.case import Case
from edge.doctor.events.places import has_outputs
from edge.doctor.findings import Finding
from edge.doctor.sandbox import SERVICE
from edge.errors import INSTALL_DEVICE, FieldfareError

INSTALL_OUTPUTS = "pip install '.[device,outputs]' in the clone of Fieldfare"


def space(case: Case) -> list[Finding]:
    """Compare the budgets of events, pictures and harvest with their disks."""
    settings = case.settings
    if settings is None or settings.events.store is None:
        return [Finding("space", "space", "not here", "the settings keep no events ([events] store)")]
    budgets: dict[int, tuple[Path, int]] = {}
    for place, budget_mb in _budgets(settings):
        folder = next(above for above in (place, *place.parents) if os.path.lexists(above))
        device = folder.stat().st_dev
        first, before = budgets.get(device, (folder, 0))
        budgets[device] = first, before + budget_mb * 10**6
    reserve = settings.pictures.reserve_mb * 10**6
    return [judge_space(folder, shutil.disk_usage(folder), wanted, reserve) for folder, wanted in budgets.values()]


def _budgets(settings: Settings) -> Iterator[tuple[Path, int]]:
    """Yield where something is kept, and what it may take, in megabytes."""
    events, store = settings.events, Path(settings.events.store or "").absolute()
    yield store.parent, events.max_mb
    for folder, name, budget_mb in (
        (settings.pictures.folder, "pictures", settings.pictures.max_mb),
        (settings.harvest.folder, "harvest", settings.harvest.max_mb),
    ):
        yield Path(folder).absolute() if folder is not None else store.with_name(name), budget_mb
    if events.scores is not None:
        yield Path(events.scores).absolute().parent, events.scores_max_mb
    if settings.event_lines is not None:
        yield (
            Path(settings.event_lines.file).absolute().parent,
            settings.event_lines.max_mb * (settings.event_lines.keep + 1),
        )


def judge_space(folder: Path, disk: "shutil._ntuple_diskusage", wanted: int, reserve: int) -> Finding:
    """Judge a disk. folder: on it. wanted: bytes of all budgets there. reserve: bytes that must stay free."""
    seen = f"{folder}: {_gb(disk.free)} of {_gb(disk.total)} free; budgets {_gb(wanted)}, reserve {_gb(reserve)}"
    if disk.free < reserve:
        mend = "make room: below [pictures] reserve_mb no more pictures are kept"
        return Finding("space", "space", "problem", seen, mend)
    if wanted + reserve > disk.total:
        mend = "lower max_mb in [events], [pictures] or [harvest], or take a larger disk"
        return Finding("space", "space", "warning", f"{seen}: more than the disk holds", mend)
    return Finding("space", "space", "ok", seen)


def _gb(size: int) -> str:
    return f"{size / 10**9:.1f} GB"


def schedule(case: Case) -> list[Finding]:
    """Check that the clock can be trusted, if a schedule needs it."""
    if case.settings is None or not case.settings.schedule.awake:
        return [Finding("schedule", "schedule", "not here", "the settings name none ([[schedule.awake]])")]
    quality = case.clock_quality()
    if quality == "none":
        mend = "connect it to a network once, or fit a clock module: until then the camera stays awake"
        return [Finding("schedule", "schedule", "warning", "it is not followed: nothing has set the clock", mend)]
    return [Finding("schedule", "schedule", "ok", f"{len(case.settings.schedule.awake)} windows, clock: {quality}")]


def packages(case: Case, *, find: Callable[[str], object] = find_spec) -> list[Finding]:
    """Check that the packages are installed that outputs and schedule need. find: tests pass their own."""
    settings = case.settings
    if settings is None or not (has_outputs(settings) or any(one.needs_sun for one in settings.schedule.awake)):
        return [Finding("outputs", "outputs", "not here", "the settings name none")]
    findings, needed = [], list(_needed(settings))
    for section, package, module, mend in needed:
        if not _is_there(module, find):
            findings.append(Finding("outputs", "outputs", "problem", f"{section} needs {package}: not installed", mend))
    names = ", ".join(package for _, package, _, _ in needed)
    return findings or [Finding("outputs", "outputs", "ok", f"installed: {names}" if names else "none needs a package")]


def _needed(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    if settings.mqtt is not None:
        # Version 1 has no such module.
        yield "[mqtt]", "paho-mqtt 2", "paho.mqtt.enums", INSTALL_OUTPUTS
    if settings.metrics is not None:
        yield "[metrics]", "prometheus-client", "prometheus_client", INSTALL_OUTPUTS
    if settings.gpio is not None:
        yield "[gpio]", "gpiozero", "gpiozero", "sudo apt install python3-gpiozero"
    if any(one.needs_sun for one in settings.schedule.awake):
        yield "[schedule] with sunrise or sunset", "astral", "astral", INSTALL_DEVICE


def _is_there(module: str, find: Callable[[str], object]) -> bool:
    try:
        return find(module) is not None
    except ImportError:  # its package is not there
        return False


def neighbours(case: Case) -> list[Finding]:
    """Look for settings of other instances that write to the same places."""
    if case.settings is None or case.settings_from is None:
        return [Finding("instances", "instances", "not here", "no settings file was named")]
    own, base = Path(case.settings_from).resolve(), case.etc / SERVICE
    others = (
        [file for file in sorted(base.glob("*.toml")) if file.resolve() != own] if own.parent == base.resolve() else []
    )
    findings = []
    for file in others:
        try:
            theirs = written(load_settings(file))
        except FieldfareError:  # that is found when that one is examined
            theirs = {}
        home = Path("/var/lib", SERVICE, file.stem) if file.stem != SERVICE else None
        for what, path in written(case.settings).items():
            same = next((other for other, there in theirs.items() if there == path), None)
            if same is not None:
                seen = f"{what} {path}: also {same} of {file.name}"
            elif home is not None and path.is_relative_to(home):
                seen = f"{what} {path}: in the folder of the instance {file.stem}"
            else:
                continue
            findings.append(Finding("instances", "instances", "problem", seen, "give each instance places of its own"))
    return findings or [Finding("instances", "instances", "ok", "no other settings write to the same places")]


def written(settings: Settings) -> dict[str, Path]:
    """Return what is written with these settings, and where."""
    given = {
        "store": settings.events.store,
        "pictures": settings.pictures.folder,
        "harvest": settings.harvest.folder,
        "scores": settings.events.scores,
        "event lines": settings.event_lines.file if settings.event_lines is not None else None,
        "metrics": settings.metrics.file if settings.metrics is not None else None,
        "results": settings.output.jsonl,
    }
    # As the service sees relative paths.
    return {what: Path(os.path.realpath(Path("/", path))) for what, path in given.items() if path is not None}
