"""What the unit lets in: cameras and the Coral, and nothing else (DeviceAllow, and the rights of the device nodes)."""

import json
import re

import host
from virtual.machine import Machine
from virtual.steps import Say

# As the unit's comment says: cameras, graphics and the memory that libcamera shares, USB for the Coral and resets.
_ALLOWED = ("/dev/video", "/dev/v4l-subdev", "/dev/media", "/dev/dma_heap/", "/dev/bus/usb/", "/dev/dri/", "/dev/apex_")
# What DevicePolicy=closed leaves to every service: no device, but null and its like, and terminals.
_HARMLESS = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts/")
_UNIT = "/run/systemd/system/bench-probe.service"
# What the unit starts and how it is watched; all else stays, its rules for devices too.
_OWN = re.compile(
    r"^(Exec\w+|Type|NotifyAccess|WatchdogSec|Restart\w*|TimeoutStartSec|SyslogIdentifier|\w+Directory\w*"
    r"|LoadCredential\w*|User|Group|SupplementaryGroups)=.*\n",
    re.MULTILINE,
)
_CONTINUED = re.compile(r"\\\n")


class Devices:
    """The step."""

    def __init__(self, machine: Machine) -> None:
        """The service is installed; cameras are there."""
        self._machine = machine

    def probe(self, say: Say) -> None:
        """Open every device as the unit does: with its user's rights, and as root, whom only the unit's rules hold."""
        coral = self._machine.run("sh /bench/guest/coral.sh", timeout_s=120)
        cameras = self._machine.run("ls /dev/video0 /dev/media0").split()
        say(f"the stand-in for a Coral is {coral}")
        users = self._tried("fieldfare", "fieldfare", "video plugdev")
        roots = self._tried("root", "root", "video plugdev")
        opened = sorted(node for node, answer in users.items() if answer == "open")
        say(f"{len(users)} device nodes; its user can open: {', '.join(opened)}")
        self._check(roots, "root under the unit's rules")
        self._check(users, "the service's user")
        closed = [node for node in (*cameras, coral) if users.get(node) not in ("open", "EBUSY")]
        if closed:
            raise host.Failed(f"not let in: {', '.join(f'{node} ({users.get(node)})' for node in closed)}")
        refused = [node for node, answer in roots.items() if answer == "EPERM"]
        say(f"{len(refused)} are refused to root as well, such as {', '.join(refused[:6])}")
        if "/dev/vda" not in refused:
            raise host.Failed(f"/dev/vda: {roots.get('/dev/vda')} for root: the unit's rules for devices do not hold")

    def _tried(self, user: str, group: str, groups: str) -> dict[str, str]:
        text = self._machine.run("cat $(systemctl show fieldfare -p FragmentPath --value)")
        text = _OWN.sub("", _CONTINUED.sub("", text))
        mine = (
            f"[Service]\nType=oneshot\nUser={user}\nGroup={group}\nSupplementaryGroups={groups}\n"
            "ExecStart=/usr/bin/python3 -I /bench/guest/open_devices.py /bench/devices.json\nReadWritePaths=/bench\n"
        )
        text = text.replace("[Service]\n", mine, 1)
        self._machine.run(f"cat >{_UNIT} <<'END'\n{text}END\nsystemctl daemon-reload")
        (self._machine.share / "devices.json").write_text("")
        (self._machine.share / "devices.json").chmod(0o666)
        started = "systemctl start bench-probe || { journalctl -u bench-probe -n 20 --no-pager; false; }"
        self._machine.run(started, timeout_s=120)
        self._machine.run(f"rm {_UNIT} && systemctl daemon-reload")
        return dict(json.loads((self._machine.share / "devices.json").read_text()))

    def _check(self, answers: dict[str, str], who: str) -> None:
        # A device that is let in may still be busy, or have nothing behind it. EPERM is the answer of the unit's rules,
        # EACCES that of the node's rights.
        wrong = [
            f"{node} ({answer})"
            for node, answer in answers.items()
            if answer not in ("EPERM", "EACCES") and not node.startswith(_ALLOWED + _HARMLESS)
        ]
        if wrong:
            raise host.Failed(f"{who} can open {', '.join(wrong)}")
