"""fieldfare events mark: right, wrong, or what it really was."""

import time
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import store_of, store_options, values_of
from edge.cli.events.show import find
from edge.cli.streams import complain, echo

if TYPE_CHECKING:
    from edge.store.records import Mark

_VERDICTS = ("right", "wrong")
_LONGEST_LABEL = 1000  # bytes, as in a bundle


@click.command(epilog="Examples: fieldfare events mark 12 13 right, fieldfare events mark 14 badger")
@click.argument("words", nargs=-1, required=True, metavar="NUMBER... right|wrong|LABEL")
@store_options
@click.option("--as", "label", help="The label, if it looks like a number or a verdict.")
@click.option("--by", help="Who marks them.")
@click.option("--undo", is_flag=True, help="Take the marks back.")
@click.pass_context
def mark(
    context: click.Context, /, words: tuple[str, ...], label: str | None, by: str | None, undo: bool, **_: Any
) -> None:
    """Mark events as right, as wrong, or with the label that they should have.

    Pictures of wrong ones are kept longest, and `fieldfare export --format folders` makes training photos of all.
    """
    from edge.store.orders import MarkEvents, carry_out
    from edge.store.reading import StoreReader

    store = store_of(values_of(context))
    numbers, verdict = _split(words, label, undo=undo)
    made = None if undo else _mark(verdict, label, by)
    with StoreReader(store) as reader:
        found = [find(reader, number).number for number in numbers]
        if made is not None and made.label is not None and made.label not in reader.labels():
            complain(f"fieldfare: note: {made.label} is a new label here")
    carry_out(store, [MarkEvents(tuple(found), made)])
    done = "taken back" if made is None else made.label or made.verdict
    echo(f"{len(found)} event{'s' if len(found) > 1 else ''}: {done}")


def _split(words: tuple[str, ...], label: str | None, *, undo: bool) -> tuple[tuple[str, ...], str]:
    """Return the numbers and the verdict or label, "" if there is none among the words."""
    if undo and label is not None:
        raise click.UsageError("--undo and --as exclude each other")
    if undo or label is not None:
        return words, ""
    *numbers, last = words
    if last.isdecimal() or not numbers:
        raise click.UsageError("after the numbers give right, wrong or a label (one that is a number: --as 7)")
    return tuple(numbers), last


def _mark(verdict: str, label: str | None, by: str | None) -> "Mark":
    from edge.printable import printable
    from edge.store.records import Mark

    if label is None and verdict in _VERDICTS:
        return Mark(verdict="right" if verdict == "right" else "wrong", by=by, wall_s=time.time())
    text = verdict if label is None else label
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        size = 0
    if not text.strip() or text != text.strip() or printable(text) != text or not 0 < size <= _LONGEST_LABEL:
        raise click.UsageError(
            f"the label {text[:80]!r}: must be printable text of 1 to {_LONGEST_LABEL} bytes without blanks at its ends"
        )
    return Mark(verdict="other", label=text, by=by, wall_s=time.time())
