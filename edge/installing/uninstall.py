"""Remove Fieldfare from a device, and leave nothing but the data, with the settings among it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edge.errors import OutputExistsError
from edge.installing.build import discard
from edge.installing.layout import SERVICE, Layout
from edge.installing.outside import Outside, differs, outside_of
from edge.installing.present import check_places, find, kit_of
from edge.installing.steps import Job, Step, reload_step, removal
from edge.installing.system import packages, services
from edge.installing.system.files import OLD, make_folder, partials_of, remove, sync_folder

_KEPT = "settings"


def steps(job: Job) -> list[Step]:
    """Return what is to be done; nothing if nothing is here. Raises OutputExistsError for what is not ours."""
    layout, programs = job.layout, job.programs
    present = find(layout)
    check_places(layout, job.owner)
    all_outside = {one.target: one for name in present.complete for one in outside_of(layout, kit_of(layout, name))}
    units = services.enabled(layout)
    ours = [one for one in all_outside.values() if one.kind == "unit"]
    found: list[Step] = []
    if present.complete or units:
        found.append(
            Step("stop the service, and have nothing start at boot", lambda: services.stop_all(programs, units))
        )
    own = [one for one in ours if os.path.lexists(one.target)]
    dropins = list(_dropins(layout))
    if layout.settings.exists() or dropins or _changed(job, own):
        kept = _free_name(layout.data / _KEPT)
        found.append(
            Step(
                f"move {layout.settings} and what was changed by hand to {kept}", lambda: _keep(job, own, dropins, kept)
            )
        )
    if own:
        found.append(Step("remove " + ", ".join(str(one.target) for one in own), lambda: _remove_units(own)))
        found.append(reload_step(job))
    gone = (layout.run, layout.run.with_name(f"{SERVICE}-outputs"), layout.reboots)
    found += [removal(folder) for folder in gone if folder.exists()]
    if programs.run(["getent", "passwd", SERVICE]).status == 0:
        found.append(Step(f"remove the user {SERVICE}; its data becomes root's", lambda: _remove_user(job)))
    if names := packages.noted(layout):
        found.append(Step(f"remove the packages {', '.join(names)}", lambda: _remove_packages(job, names)))
    if layout.home.exists():
        found.append(Step(f"remove {layout.home}", lambda: _remove_home(layout, present.complete)))
    return found


def _changed(job: Job, own: list[Outside]) -> list[Outside]:
    """Return those of the units and rules that a person has changed."""
    kits = [kit_of(job.layout, name) for name in find(job.layout).complete]
    return [
        one
        for one in own
        if one.target.is_file()
        and not one.target.is_symlink()
        and not any(one.source in kit.files and not differs(one, one.target.read_bytes(), kit) for kit in kits)
    ]


def _dropins(layout: Layout) -> Iterator[Path]:
    """Yield the folders of `systemctl edit`, and what the installer has put aside."""
    for pattern in (f"{SERVICE}*.d", f"{SERVICE}*{OLD}"):
        yield from sorted(layout.units.glob(pattern))


def _free_name(path: Path) -> Path:
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _keep(job: Job, own: list[Outside], dropins: list[Path], kept: Path) -> None:
    """Move what people have made below the data, for root's eyes only."""
    layout = job.layout
    make_folder(layout.data)
    _own_by_root(layout.data, job.owner)
    kept.mkdir(0o700)
    inside = sorted(layout.settings.iterdir()) if layout.settings.exists() else []
    changed = [one.target for one in _changed(job, own)]
    for path in [*dropins, *changed, *(entry for entry in inside if not entry.name.startswith("."))]:
        _copy(path, kept / path.name)
    if not any(kept.iterdir()):
        kept.rmdir()
    # All is on the disk before the first original goes: the data may be on another one.
    os.sync()
    for path in (*dropins, layout.settings):
        remove(path)


def _copy(path: Path, target: Path) -> None:
    """Copy a file, a link as such, or a folder; not a pipe or a device."""
    if path.is_symlink():
        target.symlink_to(path.readlink())
    elif path.is_dir():
        shutil.copytree(path, target, symlinks=True)
    elif path.is_file():
        shutil.copy2(path, target)


def _own_by_root(folder: Path, owner: int) -> None:
    """Give all data to root, from the top down: systemd gives it back to the service's user from the top, if there is
    one again, and looks at the top only."""
    if folder.is_symlink():
        raise OutputExistsError(f"{folder} is a link: move it away, or remove it")
    os.chown(folder, owner, owner if owner == 0 else -1, follow_symlinks=False)
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            os.chown(Path(place, name), owner, owner if owner == 0 else -1, follow_symlinks=False)


def _remove_units(own: list[Outside]) -> None:
    for one in own:
        for path in (one.target, *partials_of(one.target)):
            remove(path)
        sync_folder(one.target.parent)


def _remove_user(job: Job) -> None:
    if job.layout.data.exists():
        _own_by_root(job.layout.data, job.owner)
    outcome = job.programs.run(["userdel", SERVICE])
    if outcome.status:
        job.say(f"  the user {SERVICE} stays: {outcome.reason}: later: sudo userdel {SERVICE}")


def _remove_packages(job: Job, names: list[str]) -> None:
    if why := packages.remove(job.programs, names):
        job.say(f"  they stay, as dpkg reports: {why}")


def _remove_home(layout: Layout, versions: tuple[str, ...]) -> None:
    """Remove the program, last of all: this process may be a part of it, and has loaded all that it needs."""
    remove(layout.current)
    for name in versions:
        discard(layout.version(name))
    remove(layout.home)
    sync_folder(layout.opt)
