"""Cut the power at random moments: what was acknowledged must be there at the next boot, and the database whole.

    python -m tools.reliability.power_cuts [--rounds 50] [--seed 1]

A shim copies what fsync makes durable. At a cut all processes are killed, the folder is replaced by what such a disk
holds, in turn only what was synced and a mix with what was not (disk.py), and the service goes on with that. So each
event must outlive all later cuts.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from tools.reliability.disk import Cut, Disk
from tools.reliability.judging import Judge, Verdict
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import Service, is_running, keeps, kill, prepare, wait_until, write_settings

_PATIENCE_S = 90.0
_CUTS: tuple[Cut, ...] = ("strict", "torn")
# Of the cuts so many come when events do, and so many while the service ends, which writes the log back into the
# database.
_UNDER_LOAD = 0.8
_WHILE_STOPPING = 0.3


def cut_power(service: Service, disk: Disk, cut: Cut, rng: random.Random) -> None:
    """Kill all at one moment, and leave what is on the disk then."""
    recorder = service.part("recorder")
    # The recorder first: what it acknowledged before its end may be noted a moment after it.
    if recorder is not None:
        kill(recorder)
        wait_until(lambda: not is_running(recorder), 10)
    service.kill()
    booted = disk.root.with_name("booted")
    disk.after_power_cut(booted, cut, rng)
    shutil.rmtree(disk.root)
    booted.rename(disk.root)
    disk.sync_all()


def run(folder: Path, rounds: int, seed: int) -> tuple[list[Verdict], list[str]]:
    """Return what was found after each cut, and the stores that were set aside as damaged."""
    rng, verdicts = random.Random(seed), []
    disk = Disk.at(folder, folder / "disk")
    store = disk.root / "state" / "events.db"
    prepare(folder)
    settings = write_settings(folder, store)
    service = Service(folder, settings, disk.variables(mirrored=True))
    disk.sync_all()
    with service:
        for number in range(rounds):
            service.start()
            cut = _CUTS[number % len(_CUTS)]
            if rng.random() < _UNDER_LOAD and service.wait_for(keeps, _PATIENCE_S) is None:
                raise SystemExit(f"power_cuts: the service does not run: {service.log.read_text()[-2000:]}")
            time.sleep(rng.uniform(0.5, 6.0))
            if rng.random() < _WHILE_STOPPING:
                os.kill(service.pid, signal.SIGTERM)
                time.sleep(rng.uniform(0.0, 1.5))
            cut_power(service, disk, cut, rng)
            if not store.exists():
                continue
            copy = folder / "looked at"
            shutil.copytree(store.parent, copy, symlinks=True)
            verdicts.append(Judge(copy / store.name, service.notes).verdict())
            shutil.rmtree(copy)
            if not verdicts[-1].is_right:
                print(f"cut {number} ({cut}): {verdicts[-1].words()}", file=sys.stderr)
    return verdicts, [path.name for path in store.parent.glob("*.damaged-*")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(heading())
    with tempfile.TemporaryDirectory(prefix="power-cuts-") as name:
        verdicts, aside = run(Path(name), arguments.rounds, arguments.seed)
    last = verdicts[-1]
    print_table(
        ("cuts", "events acknowledged", "in the store", "pictures"),
        [(len(verdicts), last.acknowledged, last.stored, last.pictures)],
    )
    return promise(
        {
            "acknowledged events missing": sum(len(v.missing) for v in verdicts),
            "in a shorter form": sum(len(v.shorter) for v in verdicts),
            "events that are there twice": sum(len(v.twice) for v in verdicts),
            "pictures missing or not as stored": sum(len(v.bad_pictures) for v in verdicts),
            "databases not whole": sum(v.whole != "ok" for v in verdicts),
            "stores set aside as damaged": len(aside),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
