"""Kill supervisor, worker or recorder at random moments: no acknowledged event may be lost or there twice.

    python -m tools.reliability.kills [--rounds 200] [--seed 1]

The service runs under load, several events a second with pictures. After each SIGKILL the store is compared with what
was acknowledged up to then, and checked by SQLite. A supervisor that was killed is started again as systemd would: in
half of the rounds before its recorder has ended.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tools.reliability.judging import Judge, Verdict, identity_of, read_notes, stored_events
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import Service, keeps, kill, prepare, wait_until, write_settings

# A killed recorder is started again after 1 s, after several in a row later.
_PATIENCE_S = 90.0
# Of the kills so many come when events do; the others at any moment, so while something is being started, too.
_UNDER_LOAD = 0.8


def kill_one(service: Service, rng: random.Random) -> str:
    """Kill one of the three at a random moment. Return which."""
    if rng.random() < _UNDER_LOAD:
        size = service.notes.stat().st_size
        wait_until(lambda: service.notes.stat().st_size > size, _PATIENCE_S)
    time.sleep(rng.uniform(0.0, 2.0))
    name = rng.choice(("supervisor", "worker", "recorder"))
    if not wait_until(lambda: service.part(name) is not None, _PATIENCE_S):
        raise SystemExit(f"kills: no {name} was started within {_PATIENCE_S:g} s: see {service.log}")
    time.sleep(rng.uniform(0.0, 0.3))
    victim, recorder = service.part(name), service.part("recorder")
    if victim is not None:
        kill(victim)
    if name == "supervisor":
        wait_until(lambda: not service.lives, 10)
        if rng.random() < 0.5 and recorder is not None:
            wait_until(lambda: not Path(f"/proc/{recorder}").exists(), 30)
    return name


def run(folder: Path, rounds: int, seed: int) -> tuple[Counter[str], list[Verdict], int]:
    """Return how often which was killed, what was found after each kill and at the end, and how many events were heard
    of and are not there: never acknowledged, as the supervisor was killed while there was no recorder."""
    rng, killed, verdicts = random.Random(seed), Counter[str](), []
    store = folder / "state" / "events.db"
    prepare(folder)
    settings = write_settings(folder, store)
    began_s = time.monotonic()
    with Service(folder, settings) as service:
        service.start()
        if service.wait_for(keeps, _PATIENCE_S) is None:
            raise SystemExit(f"kills: the service does not run: {service.log.read_text()[-2000:]}")
        judge = Judge(store, service.notes)
        for number in range(rounds):
            name = kill_one(service, rng)
            killed[name] += 1
            verdicts.append(judge.verdict())
            if not verdicts[-1].is_right:
                print(f"round {number}, {name} killed: {verdicts[-1].words()}", file=sys.stderr)
            if name == "supervisor":
                service.start()
        if service.wait_for(keeps, _PATIENCE_S) is None:
            raise SystemExit(f"kills: the service did not come back: {service.log.read_text()[-2000:]}")
        service.stop()
        verdicts.append(judge.verdict(thorough=True))
        heard = read_notes(service.notes, "heard")
        there = {identity_of(stored) for stored in stored_events(store)}
    print(f"{len(heard)} events were heard of in {time.monotonic() - began_s:.0f} s")
    return killed, verdicts, len(heard.keys() - there)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(heading())
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        killed, verdicts, gone = run(Path(name), arguments.rounds, arguments.seed)
    last = verdicts[-1]
    print_table(
        ("killed", *killed, "events never acknowledged and not there"), [(sum(killed.values()), *killed.values(), gone)]
    )
    return promise(
        {
            f"{last.acknowledged} acknowledged events: missing at any time": sum(len(v.missing) for v in verdicts),
            "in a shorter form": sum(len(v.shorter) for v in verdicts),
            f"{last.stored} events in the store: twice": sum(len(v.twice) for v in verdicts),
            f"{last.pictures} pictures: missing or not as stored": sum(len(v.bad_pictures) for v in verdicts),
            f"{len(verdicts)} checks of the database: damaged": sum(v.whole != "ok" for v in verdicts),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
