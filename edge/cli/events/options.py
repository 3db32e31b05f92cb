"""The options that choose a store and its events. They may stand before or after a sub-command."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edge.cli.events.moments import begin_of, end_of
from edge.cli.given import refuse_unknown_before
from edge.cli.numbers import FloatRange
from edge.cli.streams import complain
from edge.errors import ConfigError
from edge.printable import printable

if TYPE_CHECKING:
    from edge.config.settings import Settings
    from edge.store.reading import StoreReader
    from edge.store.records import Filter

SETTINGS = Path("/etc/fieldfare/fieldfare.toml")
_Command = TypeVar("_Command", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)


def store_options(command: _Command) -> _Command:
    """Add --store and --config."""
    command = click.option("--config", type=_PATH, help=f"Settings that name the store.  [default: {SETTINGS}]")(
        command
    )
    return click.option("--store", type=_PATH, help="The store of events.  [default: that of the settings]")(command)


def time_options(command: _Command) -> _Command:
    """Add --label, --since and --until."""
    command = click.option(
        "--until", callback=end_of, metavar="WHEN", help="Only those that began before; a day counts whole."
    )(command)
    command = click.option(
        "--since", callback=begin_of, metavar="WHEN", help="Only those that began since: 2026-11-28, 05:30, 2h."
    )(command)
    return click.option(
        "--label",
        "labels",
        multiple=True,
        callback=_labels_of,
        help="Only this label; may be given several times.",
    )(command)


def _labels_of(_context: click.Context, _option: click.Parameter, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels of an option. Raises BadParameter for one that no event can have."""
    for label in labels:
        if not label or not is_utf8(label):
            raise click.BadParameter(f"{label[:80]!r}: must be the text of a label, in UTF-8")
    return labels


def is_utf8(word: str) -> bool:
    """Return whether a word of the command line, which may be any bytes, is UTF-8, as all texts of a store are."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def filter_options(command: _Command) -> _Command:
    """Add all options that choose events."""
    command = click.option("--checked/--unchecked", default=None, help="Only those that a person marked, or did not.")(
        command
    )
    share = FloatRange(0, 1)
    command = click.option("--max-score", type=share, help="Only those whose best score is at most this.")(command)
    command = click.option("--min-score", type=share, help="Only those whose best score is at least this.")(command)
    return time_options(command)


json_option = click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")


def values_of(context: click.Context) -> dict[str, Any]:
    """Return the options of a sub-command, put over those that stand before it.

    Raises UsageError if one of those means nothing to it.
    """
    refuse_unknown_before(context)
    before = context.parent.params if context.parent is not None else {}
    default = click.core.ParameterSource.DEFAULT
    given = {name: v for name, v in context.params.items() if context.get_parameter_source(name) is not default}
    return {**context.params, **before, **given}


def store_of(values: dict[str, Any]) -> Path:
    """Return the store that the options name, or that of the settings.

    Raises UsageError if nothing names one, ConfigError if the settings are wrong or keep no events.
    """
    return store_and_settings(values)[0]


def store_and_settings(values: dict[str, Any]) -> "tuple[Path, Settings | None]":
    """Return the store, as store_of does, and the settings that name it, read once; None if --store names it."""
    store, config = values["store"], values["config"]
    if store is not None and config is not None:
        raise click.UsageError("--store and --config exclude each other")
    if store is not None:
        return Path(store), None
    if config is None and not SETTINGS.exists():
        raise click.UsageError(f"give --store FILE or --config FILE: there is no {SETTINGS}")
    from edge.config.loading import load_settings

    path = config or SETTINGS
    settings = load_settings(path)
    found = settings.events.store
    if found is None:
        raise ConfigError(f"{path}: [events] store is not set, so no events are kept: set it, or give --store FILE")
    return Path(found), settings


def note_missing_log(reader: "StoreReader") -> None:
    """Complain if the newest events may be missing from a copy of a store."""
    from edge.store.files import files_of

    if reader.lacks_log():
        store, log = printable(reader.path.name), printable(files_of(reader.path)[1].name)
        complain(
            f"fieldfare: note: {store} was copied or moved from a running service without {log}: its newest events may "
            "be missing; copy both, or after the service has stopped, or use fieldfare export there"
        )


def filter_of(values: dict[str, Any]) -> "Filter":
    """Return the filter that the options make. Raises UsageError if nothing can pass it."""
    from edge.store.records import Filter

    since, until = values["since"], values["until"]
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since is not before --until: no event can lie between: swap them, or leave one out")
    least, most = values.get("min_score"), values.get("max_score")
    if least is not None and most is not None and least > most:
        raise click.UsageError(f"--min-score {least:g} is over --max-score {most:g}: swap them, or leave one out")
    return Filter(
        labels=tuple(values["labels"]),
        since_wall_s=since,
        until_wall_s=until,
        least_score=least,
        most_score=most,
        checked=values.get("checked"),
    )


def note_strange_labels(reader: "StoreReader", wanted: "Filter") -> None:
    """Complain of labels that no event in the store has, with the nearest that one has: most likely a slip."""
    if not wanted.labels:
        return
    from edge.events.labels import nearest_label

    known = reader.labels()
    for label in wanted.labels:
        if label not in known:
            near = nearest_label(label, known)
            hint = f": did you mean {near!r}?" if near is not None else ""
            complain(f"fieldfare: note: no event has the label {label[:80]!r}{hint}")
