"""Run Fieldfare with a stick plugged in: a folder, found in a table of mounts such as the kernel has.

    python -m tests.pages_driven.plugged_in FOLDER serve ...

FOLDER: as made by `plug_in`. While it holds a file `slow`, what the pages have done beside them does not get going, as
on a device that is busy.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from unittest import mock

from edge.cli import main as fieldfare
from edge.pages.errands import download, errands
from edge.pages.errands.sticks import find_sticks
from edge.pages.views import exports
from edge.processes.process import Command

_MOUNTS, _PLACE, _SLOW = "mounts", "media", "slow"
_WAIT = 'while [ -e "$0" ]; do sleep 0.05; done; exec "$@"'


def plug_in(folder: Path) -> Path:
    """Make a stick in a folder, and one that takes nothing. Returns where it is mounted."""
    stick, gone = folder / _PLACE / "stick", folder / _PLACE / "pulled out"
    stick.mkdir(parents=True)
    lines = [
        f"{minor} 20 8:{minor} / {place} rw - vfat /dev/sd{minor} rw\n".replace("pulled out", "pulled\\040out")
        for minor, place in ((1, stick), (17, gone))
    ]
    (folder / _MOUNTS).write_text("".join(lines))
    return stick


def program(folder: Path) -> Sequence[str]:
    """Return what Python runs in place of Fieldfare itself."""
    return ("-m", __name__, str(folder))


def hold(folder: Path) -> None:
    """Let nothing get going from now on."""
    (folder / _SLOW).touch()


def let_go(folder: Path) -> None:
    """Let it."""
    (folder / _SLOW).unlink(missing_ok=True)


def main() -> None:
    """Do as the command line says."""
    folder = Path(sys.argv.pop(1))
    run = errands.bounded

    def held(words: Sequence[str], variables: dict[str, str] | None = None, **limits: int) -> Command:
        command = run(words, variables, **limits)
        return Command(("sh", "-c", _WAIT, str(folder / _SLOW), *command.words), command.variables)

    sticks = partial(find_sticks, folder / _MOUNTS, (str(folder / _PLACE),))
    with (
        mock.patch.object(exports, "find_sticks", sticks),
        mock.patch.object(errands, "bounded", held),
        mock.patch.object(download, "bounded", held),
    ):
        fieldfare()


if __name__ == "__main__":
    main()
