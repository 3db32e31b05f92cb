"""fieldfare device: install, look at and remove the program on the machine that it runs on."""

import importlib
from typing import Any

import click

# Each is imported when it is needed.
_TARGETS = {
    "check": "edge.cli.device.check:check",
    "install": "edge.cli.device.installing:install",
    "status": "edge.cli.device.installing:status",
    "uninstall": "edge.cli.device.installing:uninstall",
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


@click.group(cls=DeviceCommands, short_help="Install the program on this device.")
def device() -> None:
    """Install Fieldfare on the device that this runs on, look at what is installed, or remove it.

    See docs/raspberry-pi.md.
    """
