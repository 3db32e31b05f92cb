"""The whole trial of a virtual device: installed from a kit, in trouble, without power, uninstalled."""

from collections.abc import Sequence
from pathlib import Path

import host
from virtual import image, kit, material, steps
from virtual.cameras import Cameras
from virtual.changes import Changes
from virtual.devices import Devices
from virtual.installing import Installing
from virtual.machine import Machine
from virtual.power import Power
from virtual.service import Service
from virtual.steps import Say, Todo
from virtual.stick import Stick
from virtual.troubles import Troubles

# What the machine of another processor lacks: picamera2 and vimc are compiled for amd64.
_AMD64_ONLY = ("picamera2",)


def run(folder: Path, *, resets: int, architecture: str = "amd64", only: Sequence[str] = ()) -> bool:
    """Do it in `folder`, an empty one, which keeps `report.json`, `console`, the recorded states and the notes.

    resets: how often the power fails under load. only: the steps to do besides the needed ones; all if empty.
    Returns whether all was right.
    """
    place = image.build(architecture)
    folder.mkdir(parents=True, exist_ok=True)
    with Machine(place, folder, architecture) as machine:
        material.fill(folder, machine.share)
        todo = [
            one
            for one in _todo(machine, folder, resets, architecture)
            if architecture == "amd64" or one.name not in _AMD64_ONLY
        ]
        unknown = set(only) - {one.name for one in todo}
        if unknown:
            raise host.Failed(f"{', '.join(sorted(unknown))}: no step; there are {', '.join(one.name for one in todo)}")
        chosen = [one for one in todo if not only or one.needed or one.name in only]
        return steps.run(chosen, folder / "report.json")


def _todo(machine: Machine, folder: Path, resets: int, architecture: str) -> list[Todo]:
    service = Service(machine)
    installing = Installing(machine, service, folder)
    troubles = Troubles(machine, service)
    stick = Stick(machine, service, folder)

    def make_kit(say: Say) -> None:
        size = kit.build(folder, machine.share, f"trixie-{architecture}")
        say(f"trixie-{architecture}, {size / 1e6:.1f} MB")

    def boot(say: Say) -> None:
        say(f"{machine.power_on():.0f} s from power to orders; the kernel panicked {machine.panics} times meanwhile")

    def observe(say: Say) -> None:
        service.observe()
        say(f"events are acknowledged after {service.wait_for_events(120):.1f} s")

    return [
        Todo("kit", make_kit, needed=True),
        Todo("boot", boot, needed=True),
        Todo("prepare", installing.prepare, needed=True),
        Todo("install", installing.install, needed=True),
        Todo("compare", installing.compare),
        Todo("observe", observe, needed=True),
        Todo("devices", Devices(machine).probe),
        Todo("kill", troubles.kill),
        Todo("hang", troubles.hang),
        Todo("limit", troubles.limit),
        Todo("hog", troubles.hog),
        Todo("full", troubles.full),
        Todo("clock", troubles.clock),
        Todo("changes", Changes(machine, service).change),
        Todo("stick", stick.pull),
        Todo("pages", stick.pull_from_pages),
        Todo("picamera2", Cameras(machine, service).picamera2),
        Todo("power", Power(machine, service, resets).fail),
        Todo("uninstall", installing.uninstall),
    ]
