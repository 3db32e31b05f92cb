"""fieldfare device: what concerns the machine that the service runs on."""

import importlib
from typing import Any

import click

# Each is imported when it is needed.
_TARGETS = {
    "budget": "edge.cli.device.budget:budget",
}


class DeviceCommands(click.Group):
    """The sub-commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List their names, as click.Group does."""
        return sorted(_TARGETS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one, as click.Group does; None if there is no such command."""
        if cmd_name not in _TARGETS:
            return None
        module, _, attribute = _TARGETS[cmd_name].partition(":")
        command: Any = getattr(importlib.import_module(module), attribute)
        return command if isinstance(command, click.Command) else None


@click.group(cls=DeviceCommands, short_help="The machine itself: how long battery and card last.")
def device() -> None:
    """What concerns the machine that the service runs on."""
