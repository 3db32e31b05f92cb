"""fieldfare events mark: right, wrong, or what it really was."""

import time
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import note_missing_log, store_of, store_options, values_of
from edge.cli.events.show import find
from edge.cli.given import refuse_together
from edge.cli.streams import complain, echo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.store.records import Mark

_VERDICTS = ("right", "wrong")
# Most new labels are none: a heron is no person.
_LIKE_A_SLIP = 0.75
_LONGEST_NAME = 200  # bytes, of a person


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

    refuse_together(context, "undo", "label")
    refuse_together(context, "undo", "by")
    store = store_of(values_of(context))
    numbers, verdict = _split(words, label, undo=undo)
    made = None if undo else _mark(verdict, label, by)
    with StoreReader(store) as reader:
        note_missing_log(reader)
        found = [find(reader, number).number for number in numbers]
        if made is not None and made.label is not None and made.label not in (known := reader.labels()):
            complain(f"fieldfare: note: {made.label} is a new label here{_instead(made.label, numbers, known)}")
    carry_out(store, [MarkEvents(tuple(found), made)])
    done = "taken back" if made is None else made.label or made.verdict
    echo(f"{len(found)} event{'s' if len(found) > 1 else ''}: {done}")


def _split(words: tuple[str, ...], label: str | None, *, undo: bool) -> tuple[tuple[str, ...], str]:
    """Return the numbers and the verdict or label, "" if there is none among the words."""
    if undo or label is not None:
        if words[-1] in _VERDICTS:  # no event is called so
            raise click.UsageError(f"{words[-1]!r} beside {'--undo' if undo else '--as'}: give numbers only")
        return words, ""
    *numbers, last = words
    if last.isdecimal() or not numbers:
        raise click.UsageError("after the numbers give right, wrong or a label (one that is a number: --as 7)")
    return tuple(numbers), last


def _instead(label: str, numbers: tuple[str, ...], known: "Sequence[str]") -> str:
    """Return what may have been meant by a new label; "" if nothing suggests itself."""
    from edge.events.labels import nearest_label

    if label not in _VERDICTS:
        near = nearest_label(label, [*known, *_VERDICTS], _LIKE_A_SLIP)
        return f": did you mean {near!r}?" if near is not None else ""
    return f"; for the verdict leave out --as: fieldfare events mark {' '.join(numbers[:3])} {label}"


def _mark(verdict: str, label: str | None, by: str | None) -> "Mark":
    from edge.store.records import Mark

    if by is not None:
        _check_name(by)
    if label is None and verdict in _VERDICTS:
        return Mark(verdict="right" if verdict == "right" else "wrong", by=by, wall_s=time.time())
    text = verdict if label is None else label
    _check_label(text)
    return Mark(verdict="other", label=text, by=by, wall_s=time.time())


def _check_label(label: str) -> None:
    """Raise UsageError unless an event may be given this label."""
    from edge.events.labels import mark_problem
    from edge.printable import printable

    if (problem := mark_problem(label)) is not None:
        raise click.UsageError(f"the label {printable(label[:80])!r} {problem}")


def _check_name(name: str) -> None:
    """Raise UsageError unless the name of a person may stand in the store, in tables and on a terminal."""
    from edge.printable import printable

    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not name.strip() or name != name.strip() or printable(name) != name or not 0 < size <= _LONGEST_NAME:
        raise click.UsageError(
            f"--by {name[:80]!r}: must be printable text of 1 to {_LONGEST_NAME} bytes without blanks at its ends"
        )
