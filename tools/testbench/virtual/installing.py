"""The kit in a bare system: installed by one command without a network, seen to work, and removed."""

import json
import time
from pathlib import Path

import host
from virtual import kit
from virtual.machine import Machine
from virtual.service import Service
from virtual.steps import Say

# From the command to the first event in the store.
FIRST_EVENT_S = 300.0
_PARTS = ("packages", "users", "groups", "units", "rules", "tree")
# What an installation may add to the file tree or change in it.
_OURS = (
    *("/opt/fieldfare", "/etc/fieldfare", "/var/lib/fieldfare", "/etc/sysusers.d/fieldfare.conf"),
    *("/etc/systemd/system/fieldfare", "/etc/udev/rules.d/60-fieldfare", "/etc/udev/rules.d/61-fieldfare"),
)
# Links of enabled units, what systemd-sysusers writes, and a folder of its that a bare Debian lacks.
_SHARED = (
    *("/etc/systemd/system/multi-user.target.wants/fieldfare", "/etc/passwd", "/etc/group", "/etc/shadow"),
    *("/etc/gshadow", "/etc/sysusers.d"),
)
_DATA = "/var/lib/fieldfare"
State = dict[str, list[str]]
# Plugged in at each boot. It plays a webcam.
_CAMERA = """
echo vivid >/etc/modules-load.d/bench-camera.conf
echo options vivid n_devs=1 node_types=0x1 >/etc/modprobe.d/bench-camera.conf
modprobe vivid
udevadm settle
"""
_SCENERY = """
cat >/etc/systemd/system/bench-scenery.service <<'END'
[Unit]
RequiresMountsFor=/bench
[Service]
ExecStart=/usr/bin/python3 -I /bench/guest/scenery.py 0.8 /dev/video0
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
END
systemctl enable --quiet --now bench-scenery
"""


class Installing:
    """Steps around the installation. The cameras are there, and show one colour after another."""

    def __init__(self, machine: Machine, service: Service, folder: Path) -> None:
        """folder: for the kit, and the recorded states."""
        self._machine, self._service, self._folder = machine, service, folder
        self._before: State = {}

    def prepare(self, say: Say) -> None:
        """Record what a bare system has, and plug a camera in."""
        say(self._machine.run(". /etc/os-release; echo $PRETTY_NAME, $(uname -r), $(systemctl --version | head -1)"))
        networks = self._machine.run("ls /sys/class/net")
        say(f"networks: {networks}")
        if networks.split() != ["lo"]:
            raise host.Failed(f"the machine has a network: {networks}")
        words = 'import picamera2, numpy; print("the system has picamera2, and NumPy", numpy.__version__)'
        say(self._machine.ask(f"cd / && python3 -B -c '{words}'").output.strip() or "the system has no picamera2")
        self._machine.run(f"{_CAMERA}\n{_SCENERY}", timeout_s=240)
        self._before = self._state("before")
        say(f"{len(self._before['packages'])} packages, {len(self._before['tree'])} files and folders")

    def install(self, say: Say) -> None:
        """Install the kit by one command, and wait for the first event."""
        began_s, began_mono_s = self._machine.uptime_s, time.monotonic()
        say(kit.install(self._machine))
        say(f"installed after {self._machine.uptime_s - began_s:.0f} s")
        self._service.wait_until(self._has_event, FIRST_EVENT_S, "the first event")
        took_s = self._machine.uptime_s - began_s
        say(f"first event after {took_s:.0f} s; emulated here in {time.monotonic() - began_mono_s:.0f} s")
        say(self._machine.run("/opt/fieldfare/bin/fieldfare events -n 1 --store /var/lib/fieldfare/events.db"))
        if took_s > FIRST_EVENT_S:
            raise host.Failed(f"first event after {took_s:.0f} s: at most {FIRST_EVENT_S:g} s are promised")

    def _has_event(self) -> bool:
        return bool((self._service.status().get("events") or {}).get("stored"))

    def compare(self, say: Say) -> None:
        """Compare what the system has now with what it had before; nothing foreign may be changed."""
        after = self._state("after")
        gone, new = _differences(self._before, after)
        _report(say, gone, new)
        foreign = [line for line in gone["tree"] + new["tree"] if not _path(line).startswith(_OURS + _SHARED)]
        if foreign or gone["packages"] or new["packages"]:
            raise host.Failed(f"changed elsewhere: {'; '.join(foreign + gone['packages'] + new['packages'])}")

    def uninstall(self, say: Say) -> None:
        """Uninstall; nothing but the data may stay."""
        say(kit.uninstall(self._machine))
        gone, new = _differences(self._before, self._state("uninstalled"))
        _report(say, gone, new)
        left = [line for line in new["tree"] + gone["tree"] if not _path(line).startswith((_DATA, *_SHARED[1:]))]
        if left or new["packages"] or new["units"] or new["rules"]:
            raise host.Failed(f"left behind: {'; '.join(left + new['packages'] + new['units'] + new['rules'])}")
        if not any(_path(line).endswith("/events.db") for line in new["tree"]):
            raise host.Failed("the data is gone")

    def _state(self, name: str) -> State:
        text = self._machine.run("python3 -I -B /bench/guest/state.py", timeout_s=240)
        (self._folder / f"state-{name}.json").write_text(text + "\n")
        return dict(json.loads(text))


def _path(line: str) -> str:
    return line.split(" ", 1)[0]


def _differences(before: State, after: State) -> tuple[State, State]:
    """Return what is there no more, and what is new or changed, of each part."""
    had, has = ({part: set(lines) for part, lines in state.items()} for state in (before, after))
    gone = {part: [line for line in before[part] if line not in has[part]] for part in _PARTS}
    new = {part: [line for line in after[part] if line not in had[part]] for part in _PARTS}
    return gone, new


def _report(say: Say, gone: State, new: State) -> None:
    for part in _PARTS[:-1]:
        changes = [f"+{line}" for line in new[part]] + [f"-{line}" for line in gone[part]]
        say(f"{part}: {', '.join(changes) or 'as before'}")
    paths = sorted(_path(line) for line in new["tree"])
    say(f"file tree, new or changed: {len(paths)}: {', '.join(_folders(paths))}; gone or changed: {len(gone['tree'])}")


def _folders(paths: list[str]) -> list[str]:
    """Return the topmost of the paths, each with how many are below it."""
    tops: dict[str, int] = {}
    for path in paths:
        top = next((top for top in tops if path.startswith(top + "/")), None)
        if top is None:
            tops[path] = 0
        else:
            tops[top] += 1
    return [f"{top} ({below})" if below else top for top, below in tops.items()]
