"""A USB stick, pulled out while the store on it is written, or while the pages show it."""

import re
import shlex
import subprocess
from dataclasses import dataclass
from html import unescape
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
_PAGES = ("/", "/live", "/live/now", "/events", "/counts", "/exports", "/status", "/settings", "/problems", "/teach")
_PAGES_UNIT = "fieldfare-pages"
_USABLE_STICK = re.compile(r'name="stick" value="([0-9:]+)" checked')
_SAID = re.compile(r"(?:Not written whole|Stick|The stick)[^.:]*[.:].{0,240}")
_EVENT = re.compile(r'name="event" value="([0-9]+)"')


@dataclass(frozen=True)
class _Answer:
    """What the pages answered. location: where it leads on, or "-"."""

    status: int
    location: str
    text: str


class Stick:
    """The steps."""

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

    def pull_from_pages(self, say: Say) -> None:
        """Start the pages' unit, mark an event, write an export to a stick, and pull that while the pages show it."""
        before = self._service.parts().get("supervisor")
        self._make()
        try:
            self._machine.run(f"systemctl enable --quiet --now {_PAGES_UNIT}", timeout_s=240)
            took_s = self._service.wait_until(self._answers, BACK_S, "the pages answer")
            say(f"the pages answer after {took_s:.1f} s")
            for path in _PAGES:
                self._page(path, 303 if path == "/" else 200)
            self._mark(say)
            self._machine.plug_in(self._image)
            self._machine.run(_MOUNT.replace(str(_STORE.parent), _MOUNTED), timeout_s=120)
            self._export(say)
            self._pull_while_shown(say)
            self._kill(say)
        finally:
            self._machine.ask(f"systemctl disable --quiet --now {_PAGES_UNIT}", timeout_s=120)
            self._machine.ask(f"umount -l {_MOUNTED}; rmdir {_MOUNTED}", timeout_s=120)
        if self._service.parts().get("supervisor") != before:
            raise host.Failed("the service was started anew")
        verdict = self._service.verdict()
        say(f"{verdict['acknowledged']} events acknowledged, 0 lost, {verdict['stored']} in the store")

    def _mark(self, say: Say) -> None:
        """Mark the newest event as right: the unit must be able to leave it beside the store."""
        newest = _found(_EVENT, self._page("/events").text, "an event")
        fields = (f"event={newest}", "verdict=right", f"seen-{newest}=-")
        location = self._page("/events/marks", 303, *fields).location
        if newest not in _EVENT.findall(self._page("/events?checked=yes").text):
            raise host.Failed(f"event {newest} was marked, and is not among those that were checked")
        say(f"event {newest} is marked ({location.partition('?')[0]})")

    def _export(self, say: Say) -> None:
        stick = _found(_USABLE_STICK, self._page("/exports").text, "a stick that takes an export")
        self._page("/exports/stick", 303, f"stick={stick}", "format=csv")
        self._service.wait_until(
            lambda: "read back" in self._page("/exports").text, BACK_S, "an export is written to the stick"
        )
        say(f"on the stick: {self._machine.run(f'cd {_MOUNTED} && du -sk fieldfare-csv-*')}")

    def _pull_while_shown(self, say: Say) -> None:
        """The page that was open offers a stick that is gone: what is sent from there is refused in words."""
        stick = _found(_USABLE_STICK, self._page("/exports").text, "the stick")
        self._machine.pull_out()
        answer = self._ask("/exports/stick", f"stick={stick}", "format=csv")
        if answer.status == 303:  # begun, as a stick that is pulled stays mounted
            self._service.wait_until(
                lambda: "Not written whole" in self._page("/exports").text, BACK_S, "a pulled stick is reported"
            )
        elif answer.status != 409:
            raise host.Failed(f"an export to a pulled stick: {answer.status}, {answer.text[-500:]}")
        shown = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text + self._page("/exports").text)))
        if "<3>" in shown:
            raise host.Failed(f"a page shows a priority that is for the journal: {shown[-800:]}")
        say(f"pulled: {answer.status}; {' '.join(_SAID.findall(shown))[:300]}")
        say(f"events go on: {self._service.wait_for_events(BACK_S):.1f} s")

    def _kill(self, say: Say) -> None:
        """The pages die; the camera does not notice, and they come back by themselves."""
        memory = self._machine.run(f"systemctl show {_PAGES_UNIT} -p MemoryCurrent -p MemoryPeak")
        say(", ".join(f"{name} {int(value) >> 20} MiB" for name, value in re.findall(r"(\w+)=(\d+)", memory)))
        self._machine.run(f"systemctl kill -s KILL {_PAGES_UNIT}")
        say(f"killed: events after {self._service.wait_for_events(BACK_S):.1f} s")
        say(f"the pages are back after {self._service.wait_until(self._answers, BACK_S, 'the pages are back'):.1f} s")

    def _answers(self) -> bool:
        return self._machine.ask("python3 -I /bench/guest/ask_pages.py /status", timeout_s=300).status == 0

    def _page(self, path: str, wanted: int = 200, *fields: str) -> _Answer:
        """Return an answer. Raises host.Failed if it has another status."""
        answer = self._ask(path, *fields)
        if answer.status != wanted:
            raise host.Failed(f"{path}: {answer.status}, wanted {wanted}\n{answer.text[-800:]}")
        return answer

    def _ask(self, path: str, *fields: str) -> _Answer:
        words = shlex.join([path, *fields])
        printed = self._machine.run(f"python3 -I /bench/guest/ask_pages.py {words}", timeout_s=300)
        head, _, text = printed.partition("\n")
        status, location = head.split(" ", 1)
        return _Answer(int(status), location, text)

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


def _found(pattern: re.Pattern[str], text: str, what: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise host.Failed(f"no page shows {what}:\n{text[-1500:]}")
    return found[1]
