"""Let systemd and udev know what has changed, and start, stop and list the services."""

import contextlib
from pathlib import Path

from edge.installing.layout import SERVICE, Layout
from edge.installing.system.programs import Programs, must

_WANTS = "multi-user.target.wants"
_CAMERAS = (f"{SERVICE}.service", f"{SERVICE}@")
_ALL = tuple(
    f"{name}{ending}"
    for name in (SERVICE, f"{SERVICE}-outputs", f"{SERVICE}-pages")
    for ending in (".service", "@*.service")
)
# What reboots the board or switches it off, if that was allowed.
_REQUESTS = (f"{SERVICE}-reboot", f"{SERVICE}-poweroff")
_STOP_S = 120.0
_HELP = "`systemctl status fieldfare` and `journalctl -u fieldfare` show more"


def enabled(layout: Layout) -> list[str]:
    """List the units of ours that start at boot."""
    with contextlib.suppress(FileNotFoundError):
        return sorted(path.name for path in (layout.units / _WANTS).iterdir() if path.name.startswith(SERVICE))
    return []


def cameras(units: list[str]) -> list[str]:
    """Return those of `units` that classify a camera."""
    return [unit for unit in units if unit.startswith(_CAMERAS) and unit.endswith(".service")]


def settings_of(layout: Layout, unit: str) -> Path:
    """Return the settings file that the unit of a camera reads."""
    instance = unit.removesuffix(".service").partition("@")[2]
    return layout.settings / f"{instance or SERVICE}.toml"


def status_of(layout: Layout, unit: str) -> Path:
    """Return the status file that the unit of a camera writes."""
    return layout.run / unit.removesuffix(".service").partition("@")[2] / "status.json"


def make_user(programs: Programs, record: Path) -> None:
    """Make the user of the service, from a file for systemd-sysusers."""
    must(programs, ["systemd-sysusers", str(record)], "is the system's disk writable? then install again")


def reload(programs: Programs) -> str | None:
    """Let systemd read its units again, and udev its rules, also for what is plugged in. Return why udev did not: that
    matters for a Coral only, and until the next boot."""
    must(programs, ["systemctl", "daemon-reload"], _HELP)
    for words in (("control", "--reload"), ("trigger", "--subsystem-match=usb", "--subsystem-match=apex")):
        outcome = programs.run(["udevadm", *words])
        if outcome.status:
            return f"udevadm {words[0]}: {outcome.reason}"
    return None


def enable(programs: Programs, unit: str) -> None:
    """Have a unit start at each boot."""
    must(programs, ["systemctl", "enable", "--quiet", unit], _HELP)


def restart(programs: Programs, units: list[str]) -> None:
    """Start units, and let those that run already begin anew. Waits for nothing."""
    must(programs, ["systemctl", "try-restart", "--no-block", *_ALL], _HELP)
    services = [unit for unit in units if not unit.startswith(_REQUESTS)]
    if services:
        # One that has failed too often would be refused.
        programs.run(["systemctl", "reset-failed", *services])
        must(programs, ["systemctl", "start", "--no-block", *services], _HELP)


def stop_all(programs: Programs, units: list[str]) -> None:
    """Stop everything of ours, and have nothing start at boot."""
    requests = [f"{name}*.{kind}" for name in _REQUESTS for kind in ("path", "service")]
    must(programs, ["systemctl", "stop", *_ALL, *requests], _HELP, _STOP_S)
    if units:
        must(programs, ["systemctl", "disable", "--quiet", *units], _HELP)
