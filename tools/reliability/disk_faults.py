"""Fill the disk, make it read-only, delete the database: the service goes on, reports it, and is back in time.

    python -m tools.reliability.disk_faults [--only WORD ...] [--seconds 20]

Needs root, to mount a small tmpfs. `told` is the time until the status reports the fault; `back` the time from its end
until events are kept again and none waits. `up` is the time from a start until frames are classified.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge.supervision.status import Status
from tools.reliability.disk import Disk
from tools.reliability.judging import identity_of, integrity, read_notes, stored_events
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import Service, keeps, kill, prepare, write_settings

UP_S, BACK_S, TOLD_S = 10.0, 60.0, 60.0
_PATIENCE_S = 120.0
_TMPFS = "16m"
# A second, of 30. On a machine that others use, a third of that still shows that classification went on.
_LEAST_RESULTS = 10


@dataclass
class Outcome:
    """Of one fault. Seconds are None if it took too long, NaN if it does not apply.

    told: in which words, at the end of the fault. results: a second, while the fault lasted. lost: events that ended
    after the fault began and are not in the store at the end; lost_pictures: those of them whose picture is not.
    """

    name: str
    up_s: float | None = float("nan")
    told_s: float | None = None
    told: str = ""
    back_s: float | None = None
    results: float = 0.0
    lost: int = 0
    lost_pictures: int = 0
    whole: str = "ok"

    @property
    def broken(self) -> int:
        """How many promises were broken."""
        late = [
            self.up_s is None or self.up_s > UP_S,
            self.told_s is None or not self.told,
            self.back_s is None or self.back_s > BACK_S,
        ]
        return sum(late) + self.lost + (self.whole != "ok") + (self.results < _LEAST_RESULTS)

    def row(self) -> tuple[object, ...]:
        up = "" if self.up_s != self.up_s else self.up_s
        cells = (self.name, up, self.told_s, self.back_s, f"{self.results:.1f}", self.lost, self.lost_pictures)
        return *cells, self.whole, self.told


class Scene:
    """A service whose store lies on a disk of its own."""

    def __init__(self, folder: Path, root: Path, *, shim: bool = False, pictures: bool = True) -> None:
        self.root, self.store = root, root / "state" / "events.db"
        self.disk = Disk.at(folder, root) if shim else None
        prepare(folder)
        variables = self.disk.variables(mirrored=False) if self.disk else None
        self.service = Service(folder, write_settings(folder, self.store, pictures=pictures), variables)

    def started(self) -> float | None:
        """Start it, and return after how many seconds it classified frames."""
        self.service.start()
        return self.service.wait_for(lambda status: status.state in ("running", "degraded"), _PATIENCE_S)


def is_told(status: Status) -> bool:
    """Return whether the status reports that something is wrong with what is kept."""
    return status.events is not None and bool(status.events.fault or status.events.notice)


def is_back(status: Status) -> bool:
    """Return whether events are kept, and none is left from before."""
    return keeps(status) and status.events is not None and status.events.waiting < 20


def words_of(status: Status | None) -> str:
    """Return what is told."""
    if status is None or status.events is None:
        return ""
    found = status.events.fault or status.events.notice
    return f"{status.state}: {found}" if found else ""


def strike(
    scene: Scene, name: str, begin: Callable[[], None], end: Callable[[], None], lasts_s: float, *, restart: bool
) -> Outcome:
    """Let the fault begin, last and end, and look at what became of it. restart: start the service during it."""
    outcome, service = Outcome(name), scene.service
    scene.started()
    if service.wait_for(keeps, _PATIENCE_S) is None:
        raise SystemExit(f"disk_faults: the service does not run: {service.log.read_text()[-2000:]}")
    time.sleep(4.0)
    if restart:
        service.stop()
    began_s = time.monotonic()
    begin()
    if restart:
        outcome.up_s = scene.started()
    outcome.told_s = service.wait_for(is_told, TOLD_S)
    first, first_s = service.status(), time.monotonic()
    time.sleep(lasts_s)
    last = service.status()
    outcome.told = words_of(last).replace(str(scene.root), "")
    if first and last:
        outcome.results = (last.counts.results - first.counts.results) / (time.monotonic() - first_s)
    end()
    outcome.back_s = service.wait_for(is_back, _PATIENCE_S)
    time.sleep(2.0)
    service.stop()
    judge(outcome, scene, began_s)
    return outcome


def judge(outcome: Outcome, scene: Scene, began_s: float) -> None:
    """Count what was heard of since the fault began, and is not there."""
    heard = read_notes(scene.service.notes, "heard")
    found = {identity_of(stored): stored for stored in stored_events(scene.store)}
    for identity, note in heard.items():
        if note["at_mono_s"] > began_s:
            outcome.lost += identity not in found
            outcome.lost_pictures += identity in found and len(found[identity].pictures) < note["pictures"]
    outcome.whole = integrity(scene.store)


@contextmanager
def tmpfs(place: Path) -> Iterator[Path]:
    """Mount a small disk."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_TMPFS}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(root: Path) -> None:
    """Take all that is free."""
    handle = os.open(root / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    os.write(handle, b"\1" * size)
            except OSError:
                continue
    finally:
        os.close(handle)


def remount(root: Path, how: str) -> None:
    """Remount it "ro" or "rw"."""
    for _ in range(200):
        if subprocess.run(["mount", "-o", f"remount,{how}", str(root)], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.02)
    raise SystemExit(f"disk_faults: {root} cannot be remounted {how}")


def full(folder: Path, lasts_s: float, *, restart: bool = False, pictures: bool = True) -> Outcome:
    with tmpfs(folder / "disk") as root:
        scene = Scene(folder, root, pictures=pictures)
        with scene.service:
            name = f"disk full{' at the start' if restart else ''}{'' if pictures else ', no pictures'}"
            return strike(scene, name, lambda: fill(root), (root / "filler").unlink, lasts_s, restart=restart)


def read_only(folder: Path, lasts_s: float, *, restart: bool) -> Outcome:
    with tmpfs(folder / "disk") as root:
        scene = Scene(folder, root)

        def begin() -> None:
            # The kernel remounts nothing that is open for writing: the recorder dies, and the next one finds it so.
            recorder = scene.service.part("recorder")
            if recorder is not None:
                kill(recorder)
            remount(root, "ro")

        with scene.service:
            name = "read-only at the start" if restart else "remounted read-only"
            return strike(scene, name, begin, lambda: remount(root, "rw"), lasts_s, restart=restart)


def writes_fail(folder: Path, lasts_s: float) -> Outcome:
    scene = Scene(folder, folder / "disk", shim=True)
    disk = scene.disk
    assert disk is not None
    with scene.service:
        return strike(
            scene,
            "every write fails with EROFS",
            lambda: disk.fail("erofs"),
            lambda: disk.fail(None),
            lasts_s,
            restart=False,
        )


def deleted(folder: Path, lasts_s: float, *endings: str) -> Outcome:
    scene = Scene(folder, folder / "disk")

    def begin() -> None:
        for ending in endings:
            scene.store.with_name(scene.store.name + ending).unlink()

    names = ", ".join(f"events.db{ending}" for ending in endings)
    with scene.service:
        return strike(scene, f"deleted: {names}", begin, lambda: None, lasts_s, restart=False)


FAULTS: dict[str, Callable[[Path, float], Outcome]] = {
    "full": full,
    "full-no-pictures": lambda folder, lasts_s: full(folder, lasts_s, pictures=False),
    "full-start": lambda folder, lasts_s: full(folder, lasts_s, restart=True),
    "read-only": lambda folder, lasts_s: read_only(folder, lasts_s, restart=False),
    "read-only-start": lambda folder, lasts_s: read_only(folder, lasts_s, restart=True),
    "erofs": writes_fail,
    "deleted": lambda folder, lasts_s: deleted(folder, lasts_s, "", "-wal", "-shm"),
    "deleted-alone": lambda folder, lasts_s: deleted(folder, lasts_s, ""),
    "deleted-log": lambda folder, lasts_s: deleted(folder, lasts_s, "-wal", "-shm"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each fault lasts once it was told")
    arguments = parser.parse_args()
    print(heading())
    outcomes = []
    for name in arguments.only:
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as place:
            outcomes.append(FAULTS[name](Path(place), arguments.seconds))
    print_table(
        ("fault", "up s", "told s", "back s", "results a second", "events lost", "pictures lost", "database", "words"),
        [outcome.row() for outcome in outcomes],
    )
    return promise({f"{outcome.name}: promises broken": outcome.broken for outcome in outcomes})


if __name__ == "__main__":
    sys.exit(main())
