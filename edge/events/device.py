"""Name this device, as part of every event's identity."""

import re
import socket
from pathlib import Path

from edge.config.keeping import Device

# As config.keeping.Name allows.
_LONGEST = 64
_SERVICE = "fieldfare"


def device_name(device: Device, state_directory: Path | None) -> str:
    """Return the name from the settings, else the host's name, with that of the instance if there are several.

    state_directory: what systemd gives the service, such as /var/lib/fieldfare/front for its instance `front`; None
        if it gives none.

    The name fits file names and MQTT topics: it matches config.keeping.Name.
    """
    if device.name is not None:
        return device.name
    host = _fit(socket.gethostname()) or _SERVICE
    instance = _instance(state_directory)
    if not instance:
        return host[:_LONGEST]
    # Of the two the instance distinguishes cameras of one host, so it is the host that is cut.
    instance = instance[: _LONGEST // 2]
    return f"{host[: _LONGEST - 1 - len(instance)]}-{instance}"


def _instance(state_directory: Path | None) -> str:
    if state_directory is None or state_directory.parent.name != _SERVICE:
        return ""
    return _fit(state_directory.name)


def _fit(name: str) -> str:
    """Replace what a name must not hold, and cut what it must not begin with."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip("-_.")
