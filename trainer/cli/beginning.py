"""What commands that work for long do first."""

import signal
import sys

import click

from edge.portable.system import lacking, stopping_signals


def begin_long_work() -> None:
    """Let SIGTERM and SIGHUP end the command by an exception, so that child processes end and temporary files go. Print
    what this system does not guard against."""
    for number in stopping_signals():
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    if missing := lacking():
        click.echo(
            f"note: this system has {', '.join(missing)}: a damaged photo or model can end or hold up the command "
            "(docs/windows-and-mac.md)",
            err=True,
        )
