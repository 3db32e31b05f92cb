"""Options that are numbers have an end, and "nan" is none of them."""

from collections.abc import Iterator

import click
import pytest

from edge import cli
from edge.cli.numbers import FloatRange

# Their ranges are those of the settings that they stand for, which are checked with them.
CHECKED_AS_SETTINGS = {"--fps", "--smoothing", "--threshold"}


def options(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Parameter]]:
    """Yield the options of all commands below one."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            found = command.get_command(context, word)
            assert found is not None
            yield from options(found, f"{name} {word}")
    yield from ((f"{name} {'/'.join(option.opts)}", option) for option in command.params)


def test_no_command_takes_nan() -> None:
    found = dict(options(cli.cli))
    ranges = [name for name, option in found.items() if isinstance(option.type, click.FloatRange)]
    assert " device sleep --wait" in ranges
    assert not [name for name in ranges if not isinstance(found[name].type, FloatRange)]
    plain = [option for option in found.values() if option.type is click.FLOAT]
    assert {name for option in plain for name in option.opts} <= CHECKED_AS_SETTINGS


@pytest.mark.parametrize("text", ["nan", "-nan", "NaN"])
def test_a_range_refuses_nan(text: str) -> None:
    with pytest.raises(click.BadParameter, match="nan is not in the range x>=0"):
        FloatRange(0).convert(text, None, None)
