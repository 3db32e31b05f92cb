"""What every long command does first: see that its inputs and its output fit together, and end in order on a signal."""

import os
import signal
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from edge.errors import OutputExistsError
from edge.portable.system import lacking, stopping_signals


def begin_long_work() -> None:
    """Let SIGTERM and SIGHUP end this process as an exception does: child processes end, temporary files go. Print what
    this system does not guard against."""
    for number in stopping_signals():
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    if missing := lacking():
        click.echo(
            f"note: this system has {', '.join(missing)}: a damaged photo or model can end or hold up the command "
            "(docs/windows-and-mac.md)",
            err=True,
        )


def check_new_folder(out: Path, read: Iterable[Path | None], *, overwrite: bool | None = None) -> None:
    """Raise OutputExistsError or StorageError if the folder `out` cannot be made, or would change what is read.

    read: what the command reads. overwrite: whether it may be replaced; None if the command has no such option.
    """
    from edge.bundle.write import check_outside
    from edge.storage import check_place, refuse_inputs

    if os.path.lexists(out) and not overwrite:
        way = "choose another name" + ("" if overwrite is None else " or add --overwrite")
        raise OutputExistsError(f"--out {out} exists: {way}")
    check_outside(out)
    refuse_inputs(out, read)
    check_place(out)


def weights_file(weights: str | None) -> Path | None:
    """Return the file that --weights names, if it names one."""
    return None if weights in (None, "imagenet", "none") else Path(weights)
