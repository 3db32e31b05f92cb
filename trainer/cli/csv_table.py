"""Print a table for other programs, which people may look at, too."""

import sys
from collections.abc import Iterable

import click

from edge.printable import printable, utf8_text


def echo_csv(rows: Iterable[Iterable[object]]) -> None:
    """Print rows, the head line first, as CSV to standard output. A pipe gets names of files byte by byte, as the files
    that commands write have them; a terminal gets them printable."""
    from edge.exports.tables import csv_bytes

    if sys.stdout.isatty():
        rows = ((printable(utf8_text(str(cell))) for cell in row) for row in rows)
    click.echo(csv_bytes(rows), nl=False)
