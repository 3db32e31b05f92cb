#!/usr/bin/env python3
"""Put mutants of a bundle and of its model through the commands that strangers' bundles reach, and report what breaks.

    python tools/mutate_bundles.py birds --out /tmp/mutants
    python tools/mutate_bundles.py birds --out /tmp/mutants --bundles 20000 --models 2000 --jobs 2

The mutants of the bundle have their hashes recomputed, and go through `bundle show` and `bundle verify`; those of the
model go through `bundle import`, and what that accepts through `bundle verify`. A mutant depends on seed and number
only. OUT/results.jsonl holds a line for each, so that the same call goes on after it was interrupted; what broke
something is kept in OUT/kept. Ends with 1 if anything did: a traceback, a death by a signal of the command itself, an
undocumented status, more or other than one line on standard error, a run over 150 s, a process over 1.5 GB.
"""

import argparse
import contextlib
import importlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mutants import Files, mutate_bytes, write_mutant

from edge.bundle.store import open_bundle, pack_bytes
from edge.inference.runtime import load_runtime

LIMIT_S = 150.0
MAX_MB = 1500
DOCUMENTED = {0, 2, 65, 66, 69, 72, 73, 74, 78}
_POLL_S = 0.005
_ADDRESS_BYTES = 12 << 30  # keeps a mutant that gets through from taking the machine along


@dataclass(frozen=True)
class Run:
    """One command on one mutant: how it ended, and what is wrong with that."""

    command: str
    status: int | None  # None: killed for its time
    seconds: float
    mb: int
    words: str
    bad: list[str] = field(default_factory=list)


def run(words: Sequence[object], place: Path) -> Run:
    """Run the command line in a fork of this process, which has the libraries loaded already."""
    began_s = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _be_command([str(word) for word in words], place)
    status: int | None = None
    while True:
        done, code, used = os.wait4(pid, os.WNOHANG)
        if done:
            status = os.waitstatus_to_exitcode(code)
            break
        if time.monotonic() - began_s > LIMIT_S:
            os.kill(pid, signal.SIGKILL)
            used = os.wait4(pid, 0)[2]
            break
        time.sleep(_POLL_S)
    out, errors = ((place / name).read_bytes().decode(errors="surrogateescape") for name in ("out", "errors"))
    ended = Run(str(words[1]), status, round(time.monotonic() - began_s, 2), used.ru_maxrss // 1024, errors[-300:])
    return Run(**{**asdict(ended), "bad": judge(ended, out, errors)})


def _be_command(words: list[str], place: Path) -> None:
    status = 1
    try:
        resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_BYTES, _ADDRESS_BYTES))
        for number, name in ((1, "out"), (2, "errors")):
            os.dup2(os.open(place / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, mode, closefd=False) for n, mode in enumerate("rww"))
        sys.argv = ["fieldfare", *words]
        from edge.cli import main

        main()
    except SystemExit as leave:
        status = leave.code if isinstance(leave.code, int) else 0
    except BaseException:  # noqa: BLE001 - to be found in what it printed
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def judge(ended: Run, out: str, errors: str) -> list[str]:
    """List what is wrong with the end of a command."""
    lines = errors.splitlines()
    if ended.status == 0:  # a model may be odd and serve all the same
        lines = [line for line in lines if not line.startswith("fieldfare: warning: ")]
    found = {
        "over 150 s": ended.status is None,
        f"died of signal {-(ended.status or 0)}": (ended.status or 0) < 0,
        f"status {ended.status}": ended.status is not None and ended.status >= 0 and ended.status not in DOCUMENTED,
        "traceback": "Traceback" in errors,
        f"{len(lines)} lines on standard error": len(lines) != (0 if ended.status == 0 else 1) and ended.status != 2,
        "a line of over 2000 characters": any(len(line) > 2000 for line in lines),
        "control characters": any((ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 for c in errors + out),
        f"{ended.mb} MB": ended.mb > MAX_MB,
    }
    return [what for what, holds in found.items() if holds]


@dataclass(frozen=True)
class Campaign:
    """What all mutants are made of, and where they go."""

    files: Files
    pack: bytes
    activation: str
    out: Path
    seed: int

    def one(self, task: tuple[str, int]) -> dict[str, Any]:
        """Make mutant number `task[1]` of the bundle or the model, and run it."""
        kind, number = task
        chance = random.Random(f"{self.seed} {kind} {number}")
        place = self.out / f"{kind}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        runs = self._bundle(chance, place) if kind == "bundle" else self._model(chance, place)
        bad = [f"{run.command}: {what}" for run in runs for what in run.bad]
        if bad:
            (self.out / "kept").mkdir(exist_ok=True)
            shutil.copytree(place, self.out / "kept" / place.name, dirs_exist_ok=True)
        shutil.rmtree(place)
        return {"kind": kind, "number": number, "bad": bad, "runs": [asdict(run) for run in runs]}

    def _bundle(self, chance: random.Random, place: Path) -> list[Run]:
        path = write_mutant(self.files, self.pack, chance, place)
        shown = run(["bundle", "show", path, *(["--json"] if chance.random() < 0.5 else [])], place)
        return [shown, run(["bundle", "verify", path], place)]

    def _model(self, chance: random.Random, place: Path) -> list[Run]:
        model, made = place / "mutant.tflite", place / "made"
        model.write_bytes(mutate_bytes(self.files["model.tflite"], chance))
        (place / "labels.txt").write_bytes(self.files["labels.txt"])
        words = ["--labels", place / "labels.txt", "--resize", "squash", "--normalize=-1..1", "--channel-order", "rgb"]
        imported = run(
            ["bundle", "import", model, *words, "--activation", self.activation, "--out", made, "--overwrite"], place
        )
        return [imported, *([run(["bundle", "verify", made], place)] if imported.status == 0 else [])]


def _load_libraries() -> None:
    for module in ("edge.cli.bundle", "edge.importing.importer", "edge.inference.golden"):
        importlib.import_module(module)
    load_runtime()


def campaign(given: argparse.Namespace, show: Callable[[str], object] = print) -> int:
    """Run all mutants that have no result yet. Returns 1 if any of them, now or before, broke something."""
    given.out.mkdir(parents=True, exist_ok=True)
    results = given.out / "results.jsonl"
    lines = results.read_text().splitlines() if results.exists() else []
    known = [json.loads(line) for line in lines if line.endswith("}")]
    done = {(entry["kind"], entry["number"]) for entry in known}
    wanted = [("bundle", n) for n in range(given.bundles)] + [("model", n) for n in range(given.models)]
    tasks = [task for task in wanted if task not in done]
    opened = open_bundle(given.bundle)
    makes = Campaign(
        opened.contents, pack_bytes(opened), opened.manifest.output.activation, given.out.resolve(), given.seed
    )
    _load_libraries()
    with results.open("a") as file, multiprocessing.get_context("fork").Pool(given.jobs) as pool:
        for number, entry in enumerate(pool.imap_unordered(makes.one, tasks), 1):
            file.write(json.dumps(entry) + "\n")
            file.flush()
            known.append(entry)
            if entry["bad"] or number % 100 == 0:
                show(
                    f"{number} of {len(tasks)}: {entry['kind']} {entry['number']}: {'; '.join(entry['bad']) or 'well'}"
                )
    runs = [run for entry in known for run in entry["runs"]]
    broken = [entry for entry in known if entry["bad"]]
    show(f"{len(known)} mutants, {len(runs)} runs; statuses {dict(Counter(str(run['status']) for run in runs))}")
    show(f"longest {max(run['seconds'] for run in runs)} s, largest {max(run['mb'] for run in runs)} MB")
    show(f"{len(broken)} broke something: {dict(Counter(what for entry in broken for what in entry['bad']))}")
    return 1 if broken else 0


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, help="a sound bundle, such as `fieldfare bundle import` makes")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for results and for mutants that broke something"
    )
    parser.add_argument("--bundles", type=int, default=500, help="mutants of the bundle")
    parser.add_argument("--models", type=int, default=50, help="mutants of its model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    sys.exit(campaign(parser.parse_args()))


if __name__ == "__main__":
    main()
