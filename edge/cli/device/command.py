"""fieldfare device: what concerns the machine that the service runs on."""

import importlib
from typing import Any

import click

# Each is imported when it is needed.
_TARGETS = {
    "budget": "edge.cli.device.budget:budget",
    "check": "edge.cli.device.check:check",
    "install": "edge.cli.device.installing:install",
    "sleep": "edge.cli.device.sleep:sleep",
    "status": "edge.cli.device.installing:status",
    "uninstall": "edge.cli.device.installing:uninstall",
    "wake": "edge.cli.device.sleep:wake",
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


@click.group(cls=DeviceCommands, short_help="Install the program on this device, and look after it.")
def device() -> None:
    """Install Fieldfare on the device that this runs on, look at what is installed, have it rest, or remove it.

    See docs/raspberry-pi.md.
    """
