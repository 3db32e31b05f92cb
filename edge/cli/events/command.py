"""fieldfare events: list what the camera saw."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from edge.cli.events.options import (
    filter_of,
    filter_options,
    json_option,
    note_missing_log,
    note_strange_labels,
    store_of,
    store_options,
    values_of,
)
from edge.cli.streams import echo, echo_json
from edge.printable import counted

if TYPE_CHECKING:
    from edge.store.records import StoredEvent

_SHOWN = 20


class EventCommands(click.Group):
    """The sub-commands, each imported when it is needed."""

    _NAMES = ("count", "mark", "show", "tail")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List their names, as click.Group does."""
        return list(self._NAMES)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Split the name of the command off, as click.Group does. Raises UsageError, which lists the names."""
        if args[0] not in self._NAMES and not args[0].startswith("-"):
            near = f"; to see one event: fieldfare events show {args[0]}" if args[0].isdecimal() else ""
            raise click.UsageError(f"no command {args[0][:80]!r}: must be {', '.join(self._NAMES)}, or none{near}", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one, as click.Group does; None if there is no such command."""
        if cmd_name not in self._NAMES:
            return None
        import importlib

        command: Any = getattr(importlib.import_module(f"edge.cli.events.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=EventCommands, invoke_without_command=True, epilog="Example: fieldfare events --label fox --since yesterday"
)
@store_options
@filter_options
@click.option("-n", "most", type=click.IntRange(0), help="At most so many; 0: all.  [default: 20, with --json all]")
@click.option("--oldest-first", is_flag=True, help="Begin with the oldest one.")
@json_option
@click.pass_context
def events(context: click.Context, /, **_: Any) -> None:
    """List what the camera saw, newest first.

    A ~ before a time means that the device had no clock that it could trust. The label is the one that a
    person gave, if one did. See also: fieldfare events COMMAND --help.
    """
    if context.invoked_subcommand is not None:
        return
    from edge.store.reading import StoreReader

    values = values_of(context)
    wanted, as_json, most = filter_of(values), values["as_json"], values["most"]
    most = (0 if as_json else _SHOWN) if most is None else most
    with StoreReader(store_of(values)) as reader:
        note_missing_log(reader)
        note_strange_labels(reader, wanted)
        found = reader.events(wanted, limit=most or None, newest_first=not values["oldest_first"])
        shown = print_events(found, as_json=as_json)
        if not as_json:
            _print_rest(shown, reader.count(wanted))


def print_events(found: "Iterable[StoredEvent]", *, as_json: bool, head: bool = True) -> int:
    """Print events as JSON or as lines, with a line above them unless there are none; return how many."""
    shown = 0
    for shown, stored in enumerate(found, 1):
        if as_json:
            echo_json(to_json(stored))
            continue
        from edge.cli.events import table

        width = table.label_width()
        if head and shown == 1:
            echo(table.head(width))
        echo(table.line(stored, width))
    return shown


def to_json(stored: "StoredEvent") -> dict[str, Any]:
    """Return an event as programs get it. docs/exporting.md lists the keys."""
    from edge.exports.columns import as_json, flatten
    from edge.exports.taxa import no_taxa

    return as_json(flatten(stored, no_taxa, [str(picture.path) for picture in stored.pictures]))


def _print_rest(shown: int, all_of_them: int) -> None:
    if all_of_them == 0:
        echo("no events")
    elif shown < all_of_them:
        click.echo(f"{shown} of {counted(all_of_them, 'event', grouped=True)}; -n 0 lists all", err=True)
