"""Let simulated days pass for a service while faults strike at random, or watch a service at full speed for leaks.

    python tools/soak.py days [--minutes 30] [--days 7] [--seed 1] [--logs FILE] [--json]
    python tools/soak.py leaks BUNDLE [--minutes 30] [--source synthetic] [--plot FILE.png] [--json]

days: one `fieldfare run --service` with events, pictures and an output, whose camera, processes, disk and clock fail at
random (tools/soaking/faults.py: each fault with its bound). What a simulated day is stands in tools/soaking/day.py.
Needs cc. Exit status 1 if a promise was broken.

leaks: nothing fails, and nothing may grow (tools/soaking/leaks.py).
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.reliability.report import heading, promise
from tools.soaking import leaks
from tools.soaking.day import HOURS, live
from tools.soaking.judged import as_json, find, own_growth, print_faults, promises, slopes
from tools.soaking.scene import PATIENCE_S, Scene

MOST_DAYS, MOST_MINUTES = 366, 10_080


def main() -> int:
    arguments = parse_arguments()
    print(heading())
    if arguments.what == "leaks":
        return leaks.run(arguments)
    return run_days(arguments)


def run_days(arguments: argparse.Namespace) -> int:
    """Let the days pass. Return the exit status."""
    if not (0 < arguments.days <= MOST_DAYS and 0 < arguments.minutes <= MOST_MINUTES):
        raise SystemExit(
            f"soak: --days {arguments.days:g} --minutes {arguments.minutes:g}: must be over 0, at most {MOST_DAYS} "
            f"days and {MOST_MINUTES} minutes"
        )
    if shutil.which("cc") is None:
        raise SystemExit("soak: no C compiler (cc), which makes the disk and the clock that fail: apt install gcc")
    hours = max(1, round(arguments.days * HOURS))
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        scene = Scene(Path(name))
        try:
            with scene.service:
                scene.start()
                began_s = time.monotonic()
                log = live(scene, hours, 60 * arguments.minutes / hours, random.Random(arguments.seed))
                span = began_s, time.monotonic()
                scene.service.wait_for(lambda status: all(not one.waiting for one in status.outputs), PATIENCE_S)
                scene.service.stop()
                found = find(scene, log, span)
        finally:
            if arguments.logs and scene.service.log.exists():
                shutil.copyfile(scene.service.log, arguments.logs)
    minutes = (span[1] - span[0]) / 60
    print_faults(log)
    print(
        f"{minutes:.1f} minutes stood for {hours / HOURS:.2f} days, {hours / HOURS * 1440 / minutes:.0f} times real "
        f"speed: {found.heard} events, {', '.join(f'{count} {what}' for what, count in log.done.items())}; longest gap "
        f"{found.longest_gap_s:.1f} s; {log.samples[-1].done / 1e6:.1f} MB written; {found.without_picture_by_fault} "
        "pictures not kept on a full or read-only disk"
    )
    print("grows a day: " + ", ".join(f"{key} {value:+.2f}" for key, value in slopes(log).items()))
    grown = ", ".join(f"{key} {value:+.2f}" for key, value in own_growth(log).items())
    print(f"longest-lived process of each part, MiB a day: {grown or 'none lived for half a day'}")
    for words in log.wrong:
        print(words, file=sys.stderr)
    broken = promises(log, found)
    status = promise(broken)
    if arguments.json:
        print(as_json(log, found, broken, minutes))
    return status


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    both = argparse.ArgumentParser(add_help=False)
    both.add_argument("--minutes", type=float, default=30.0)
    both.add_argument("--json", action="store_true")
    what = parser.add_subparsers(dest="what", required=True)
    days = what.add_parser("days", parents=[both])
    days.add_argument("--days", type=float, default=7.0, help="how many simulated days these minutes stand for")
    days.add_argument("--seed", type=int, default=1)
    days.add_argument("--logs", type=Path, metavar="FILE", help="keep the service's log")
    watch = what.add_parser("leaks", parents=[both])
    watch.add_argument("bundle", type=Path)
    watch.add_argument("--source", default="synthetic")
    watch.add_argument("--plot", type=Path, metavar="FILE.png")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
