"""A USB stick that holds the store, pulled out while it is written, and plugged in again."""

import subprocess
from pathlib import Path

import host
from virtual.machine import Machine
from virtual.service import Service
from virtual.steps import Say
from virtual.troubles import BACK_S

_MOUNTED = "/media/stick"
_STORE = Path(_MOUNTED) / "fieldfare" / "events.db"
_RIGHTS = f"[Service]\nReadWritePaths=-{_MOUNTED}\n"
_MOUNT = f"""
set -e
for _ in $(seq 100); do [ -e /dev/disk/by-label/stick ] && break; sleep 0.2; done
mkdir -p {_MOUNTED}
mount -o noatime /dev/disk/by-label/stick {_MOUNTED}
install -d -o fieldfare -g fieldfare {_STORE.parent}
"""
_SETTINGS = "/etc/fieldfare/fieldfare.toml"


class Stick:
    """The step."""

    def __init__(self, machine: Machine, service: Service, folder: Path) -> None:
        """folder: for the file that is the stick."""
        self._machine, self._service, self._image = machine, service, folder / "stick.img"

    def pull(self, say: Say) -> None:
        """Move the store to a stick, pull it, plug it in again, and move the store back."""
        self._make()
        self._machine.plug_in(self._image)
        self._machine.run(_MOUNT, timeout_s=120)
        for unit in ("fieldfare", "fieldfare-outputs"):
            self._service.drop_in("stick", _RIGHTS, unit)
        home = self._service.store
        self._move(_STORE)
        try:
            say(f"store on the stick: events after {self._service.wait_for_events(BACK_S, more=5):.1f} s")
            self._pull_and_return(say)
        finally:
            self._move(home)
            self._machine.ask(f"umount {_MOUNTED} && rmdir {_MOUNTED}", timeout_s=120)
            self._machine.pull_out()
        say(f"store on the disk again: events after {self._service.wait_for_events(BACK_S):.1f} s")

    def _pull_and_return(self, say: Say) -> None:
        before = self._service.parts().get("supervisor")
        self._machine.pull_out()
        said_s = self._service.wait_for_state(
            lambda status: status.get("state") == "degraded", BACK_S, "a missing stick is reported"
        )
        status = self._service.status()
        say(f"pulled: reported after {said_s:.1f} s: {status.get('why')}")
        results = status["counts"]["results"]
        self._service.wait_until(
            lambda: self._service.status()["counts"]["results"] > results + 5, BACK_S, "it goes on to classify"
        )
        self._machine.plug_in(self._image)
        self._machine.run(f"umount -l {_MOUNTED}; {_MOUNT}", timeout_s=120)
        say(f"plugged in and mounted: events after {self._service.wait_for_events(BACK_S):.1f} s")
        if self._service.parts().get("supervisor") != before:
            say("the supervisor was started anew")
        verdict = self._service.verdict()
        say(f"{verdict['acknowledged']} events acknowledged, 0 lost, {verdict['stored']} on the stick")

    def _make(self) -> None:
        with self._image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "stick", self._image], check=True)

    def _move(self, store: Path) -> None:
        """Let the service keep its events there, judged by notes of its own."""
        self._machine.run(f"sed -i 's|^store = .*|store = \"{store}\"|' {_SETTINGS}")
        self._service.moved(store)
        answer = self._machine.ask("systemctl restart fieldfare fieldfare-outputs", timeout_s=240)
        if answer.status:
            raise host.Failed(f"no start with the store at {store}: {answer.errors}\n{self._service.report()}")
