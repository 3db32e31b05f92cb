"""The service in the machine, as the host sees it: its processes, its state, and what it has acknowledged.

An event is *acknowledged* when the supervisor forgets it, since the recorder reported it as kept (docs/reliability.md).
tools/reliability/observed.py notes that in a file outside of the machine, so a note outlasts whatever happens in it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import host
from virtual.machine import Machine

_NONE = "none of "  # how the judge begins if an event has no picture, though one was sent
PARTS = ("supervisor", "worker", "recorder", "outputs")
STORE = Path("/var/lib/fieldfare/events.db")
_BIN = "/opt/fieldfare/bin"
_OBSERVED = """\
[Service]
ExecStart=
ExecStart=/usr/bin/env python3 -P /bench/guest/observed.py run --service --no-outputs --config \
/etc/fieldfare/fieldfare.toml
Environment=RELIABILITY_NOTES=/bench/{notes}
ReadWritePaths=/bench
"""
# Name and process id of each part, of those that run.
_LIST_PARTS = """
name() { tr '\\0' ' ' 2>/dev/null </proc/$1/cmdline; }
set -- $(systemctl show fieldfare fieldfare-outputs -p MainPID --value)
main=$1 outputs=$2
[ "$main" = 0 ] || echo supervisor $main
for child in $(cat /proc/$main/task/$main/children 2>/dev/null); do
    case "$(name $child)" in
    *edge.worker.main*) echo worker $child ;;
    *edge.recorder.main*) echo recorder $child ;;
    esac
done
[ "$outputs" = 0 ] || echo outputs $outputs
"""


class Service:
    """fieldfare.service and fieldfare-outputs.service in one machine."""

    def __init__(self, machine: Machine) -> None:
        """Nothing is started. store: where the judged store is, in the machine."""
        self._machine = machine
        self.notes = machine.share / "notes"
        self.store = STORE
        self._without_picture: set[str] = set()

    def observe(self) -> None:
        """Run the service so that it notes outside what it acknowledges. Started anew."""
        self._note_in("notes")
        self._machine.run("systemctl enable --quiet --now fieldfare-outputs", timeout_s=240)
        self._machine.run("systemctl restart fieldfare", timeout_s=240)

    def moved(self, store: Path) -> None:
        """Judge another store from now on; what was acknowledged for each is noted in a file of its own."""
        self.store = store
        self._note_in("notes" if store == STORE else "notes-elsewhere")

    def _note_in(self, name: str) -> None:
        self.notes = self._machine.share / name
        self.notes.touch()
        self.notes.chmod(0o666)
        self.drop_in("bench", _OBSERVED.format(notes=name))

    def drop_in(self, name: str, text: str, unit: str = "fieldfare") -> None:
        """Write a drop-in of the service's unit, to the disk itself: the power may fail in the next moment."""
        folder = f"/etc/systemd/system/{unit}.service.d"
        self._machine.run(
            f"mkdir -p {folder} && cat >{folder}/{name}.conf <<'END'\n{text}END\nsync\nsystemctl daemon-reload"
        )

    def parts(self) -> dict[str, int]:
        """Return the process id of each part that runs."""
        words = [line.split() for line in self._machine.run(_LIST_PARTS).splitlines()]
        return {name: int(pid) for name, pid in words}

    def status(self) -> dict[str, Any]:
        """Return what the status file holds; empty if there is none."""
        text = self._machine.run("cat /run/fieldfare/status.json 2>/dev/null || echo {}")
        return dict(json.loads(text or "{}"))

    def acknowledged(self) -> int:
        """Return how many events were acknowledged since the machine was made."""
        return sum(b'"what": "kept"' in line for line in self.notes.read_bytes().splitlines())

    def wait_for_events(self, within_s: float, more: int = 2) -> float:
        """Wait for so many more acknowledged events. Return how long that took, in seconds of the machine."""
        begin = self.acknowledged()
        return self.wait_until(lambda: self.acknowledged() >= begin + more, within_s, f"{more} acknowledged events")

    def wait_for_state(self, fits: Callable[[dict[str, Any]], bool], within_s: float, what: str) -> float:
        """Wait until the status fits. Return how long that took, in seconds of the machine."""
        return self.wait_until(lambda: fits(self.status()), within_s, what)

    def wait_until(self, holds: Callable[[], bool], within_s: float, what: str) -> float:
        """As Machine.wait_until; a failure comes with the state of the units and the journal."""
        try:
            return self._machine.wait_until(holds, within_s, what)
        except host.Failed as error:
            raise host.Failed(f"{error}\n{self.report()}") from error

    def verdict(self) -> dict[str, Any]:
        """Compare the store with what was acknowledged so far. Raises host.Failed if a promise was broken."""
        found = self._judged()
        if found["broken"]:
            raise host.Failed(f"events were lost: {found['broken']}")
        return found

    def pictures_settle(self) -> bool:
        """Return whether all pictures that the store lists are there, as they were stored."""
        return all(one.startswith(_NONE) for one in self._judged()["bad_pictures"])

    def forgive_pictures(self) -> int:
        """Take it that events of now lack their picture, as after a full disk. Return how many."""
        bad = self._judged()["bad_pictures"]
        self._without_picture.update(one for one in bad if one.startswith(_NONE))
        return len(self._without_picture)

    def _judged(self) -> dict[str, Any]:
        judge = f"runuser -u fieldfare -- {_BIN}/python3 -P /bench/guest/judge.py {self.store} /bench/{self.notes.name}"
        found = dict(json.loads(self._machine.run(judge, timeout_s=300)))
        found["bad_pictures"] = [one for one in found["bad_pictures"] if one not in self._without_picture]
        wrong = {name: found[name] for name in ("missing", "shorter", "twice", "bad_pictures") if found[name]}
        if found["whole"] != "ok":
            wrong["whole"] = found["whole"]
        found["broken"] = "; ".join(f"{name}: {str(all_)[:300]}" for name, all_ in wrong.items())
        return found

    def report(self) -> str:
        """Return the state of the units and the end of the journal, for who looks for a fault."""
        show = "systemctl --no-pager --full status fieldfare fieldfare-outputs; journalctl -b --no-pager -n 60 -o short"
        return self._machine.ask(show, timeout_s=120).output
