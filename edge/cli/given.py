"""Refuse options that were given and would do nothing: a slip that is passed over quietly is found much later."""

from collections.abc import Iterator

import click


def is_given(context: click.Context, name: str) -> bool:
    """Return whether the option of this parameter stands on the command line."""
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def refuse_given(context: click.Context, *names: str, because: str) -> None:
    """Raise UsageError if an option of these parameters was given. because: why it would do nothing, and the fix."""
    for option in _given(context, names):
        raise click.UsageError(f"{_written(option, context)}: {because}", context)


def refuse_together(context: click.Context, *names: str) -> None:
    """Raise UsageError if more than one option of these parameters was given."""
    given = [_written(option, context) for option in _given(context, names)]
    if len(given) > 1:
        raise click.UsageError(f"{given[0]} and {given[1]} exclude each other: leave one out", context)


def refuse_unknown_before(context: click.Context) -> None:
    """Raise UsageError if an option stands before a sub-command that has no such option. context: the sub-command's."""
    before = context.parent
    if before is None:
        return
    unknown = [name for name in before.params if name not in context.params]
    refuse_given(before, *unknown, because=f"does nothing for `{context.command_path}`: leave it out")


def _given(context: click.Context, names: tuple[str, ...]) -> Iterator[click.Parameter]:
    for option in context.command.params:
        if option.name in names and is_given(context, option.name):
            yield option


def _written(option: click.Parameter, context: click.Context) -> str:
    """Return an option as it was written; of one such as --checked/--unchecked, the half that was."""
    if option.secondary_opts and context.params[option.name or ""] is False:
        return option.secondary_opts[0]
    return option.opts[0]
