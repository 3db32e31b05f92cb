"""The command line of the installer: install, status, uninstall."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge.errors import FieldfareError, MissingInputError, StorageError
from edge.installing import state, uninstall
from edge.installing.install import Installation
from edge.installing.layout import Layout
from edge.installing.origins.clone import Clone
from edge.installing.origins.kit_folder import Installed, KitFolder, Origin
from edge.installing.present import find, kit_of
from edge.installing.steps import Job, carry_out
from edge.installing.system import packages
from edge.installing.system.locking import locked
from edge.installing.system.machine import check_python, check_rights, look_at
from edge.installing.system.programs import SystemPrograms
from edge.printable import one_line

_INTERRUPTED, _UNAVAILABLE = 130, 69
_OVERLAY = "/ is an overlay: if its upper layer is in memory, what is installed is gone at the next boot"


def main(words: Sequence[str], kit: Path | None = None, prog: str = "fieldfare device") -> int:
    """Run it, and return the exit status; an error of ours is one line. kit: the folder of the kit that this is."""
    given = _parser(prog).parse_args(words)
    os.umask(0o022)  # the service's user must be able to read what root writes, whatever root's umask
    try:
        return int(_COMMANDS[given.command](given, kit))
    except FieldfareError as error:
        return _fail(str(error), error.exit_status)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        fix = "mend the cause, then do this again: it goes on from where it was"
        return _fail(f"{where}{error.strerror or error}: {fix}", StorageError.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted: do this again, and it goes on from where it was", _INTERRUPTED)


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Install Fieldfare on this device, or remove it.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="install | status | uninstall")
    install = commands.add_parser(
        "install",
        help="install a version beside the one that is there, and switch to it",
        description="Install a version, start its service, and wait for the first result. Settings and events stay.",
        epilog="Status 0 if results come, 69 if it is installed and none come, else as docs/settings.md lists them.",
    )
    origin = install.add_mutually_exclusive_group()
    origin.add_argument("--kit", type=Path, metavar="FOLDER", help="an unpacked kit; without a network")
    origin.add_argument("--clone", type=Path, metavar="FOLDER", help="a clone of the repository; with a network")
    origin.add_argument("--previous", action="store_true", help="go back to the version before this one")
    install.add_argument("--bundle", type=Path, metavar="FILE", help="with --clone: the packed bundle")
    install.add_argument("--config", type=Path, metavar="FILE", help="with --clone: settings, if there are none yet")
    remove = commands.add_parser("uninstall", help="remove everything but the data", description=uninstall.__doc__)
    commands.add_parser("status", help="what is installed, and whether results come")
    for one in (install, remove):
        one.add_argument("--dry-run", action="store_true", help="report all that it would do, and do nothing")
    return parser


def _install(given: argparse.Namespace, kit: Path | None) -> int:
    layout, machine = Layout(), look_at(Layout())
    check_python(machine)
    if not given.dry_run:
        check_rights(machine, f"sudo sh install.sh, or sudo {layout.home}/bin/fieldfare device install")
        with locked(layout) as lock:
            job = Job(layout, machine, SystemPrograms([lock]), _say)
            return install(job, _origin(job, given, kit), dry_run=False)
    job = Job(layout, machine, SystemPrograms(), _say)
    return install(job, _origin(job, given, kit), dry_run=True)


def install(job: Job, origin: Origin, *, dry_run: bool) -> int:
    """Install a version, report what is done, and return the exit status."""
    installation = Installation(job, origin)
    steps = installation.steps()
    carry_out(job, steps, dry_run=dry_run)
    if not steps:
        job.say(f"{installation.name} is installed already: nothing was changed")
    if dry_run:
        return 0
    if lacking := packages.missing(job.programs, origin.kit.needs):
        job.say(f"missing packages of the system: with a network, sudo apt install {' '.join(lacking)}")
    if _is_overlay(job.layout):
        job.say(_OVERLAY)
    answers = installation.answers()
    for answer in answers:
        job.say(f"{answer.unit}: {answer.text}")
    if not answers:
        job.say("no service starts at boot: sudo systemctl enable --now fieldfare")
    return 0 if answers and all(answer.serving for answer in answers) else _UNAVAILABLE


def _origin(job: Job, given: argparse.Namespace, kit: Path | None) -> Origin:
    if given.previous:
        previous = find(job.layout).previous
        if previous is None:
            raise MissingInputError("there is no version before this one: install its kit")
        return Installed(kit_of(job.layout, previous))
    if (given.bundle or given.config) and not given.clone:
        raise MissingInputError("--bundle and --config go with --clone: a kit has its own")
    if given.clone:
        bundle = given.bundle or job.layout.settings / "bundle.fieldfare"
        return Clone(given.clone.absolute(), bundle, given.config, job.machine)
    folder = given.kit or kit
    if folder is None:
        raise MissingInputError("name what to install: --kit FOLDER, --clone FOLDER or --previous")
    job.say(f"check {folder}")
    return KitFolder(folder.absolute())


def _status(_: argparse.Namespace, __: Path | None) -> int:
    layout = Layout()
    return state.report(Job(layout, look_at(layout), SystemPrograms(), _say))


def _uninstall(given: argparse.Namespace, _: Path | None) -> int:
    layout, machine = Layout(), look_at(Layout())
    if given.dry_run:
        return remove(Job(layout, machine, SystemPrograms(), _say), dry_run=True)
    check_rights(machine, f"sudo {layout.home}/bin/fieldfare device uninstall")
    with locked(layout) as lock:
        return remove(Job(layout, machine, SystemPrograms([lock]), _say), dry_run=False)


def remove(job: Job, *, dry_run: bool) -> int:
    """Remove everything but the data, report what is done, and return the exit status."""
    steps = uninstall.steps(job)
    carry_out(job, steps, dry_run=dry_run)
    data = job.layout.data
    if not steps:
        job.say("nothing of Fieldfare is installed here")
    elif not dry_run and data.exists():
        job.say(f"events, pictures and settings are in {data}, and root's; to remove them, too: sudo rm -r {data}")
    return 0


def _is_overlay(layout: Layout) -> bool:
    mounts = [line.split() for line in (layout.root / "proc/self/mounts").read_text(errors="replace").splitlines()]
    of_root = [mount[2] for mount in mounts if len(mount) > 2 and mount[1] == "/"]
    return of_root[-1:] == ["overlay"]


def _say(line: str) -> None:
    print("\n".join(one_line(part) for part in line.split("\n")), flush=True)  # noqa: T201 - click is not installed yet


def _fail(message: str, status: int) -> int:
    print(f"fieldfare: {one_line(message)}", file=sys.stderr, flush=True)  # noqa: T201
    return status


_COMMANDS: dict[str, Callable[[argparse.Namespace, Path | None], int]] = {
    "install": _install,
    "status": _status,
    "uninstall": _uninstall,
}
