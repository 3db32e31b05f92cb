"""Power that is lost at a system call of an upgrade, each tenth in turn: every one is killed as strace counts them, so
also those that Python makes on its own, which the audit of test_killed_installs never sees."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import traced_upgrade
from made_devices import Device, StandIns, make_device
from test_killed_installs import assert_settled, kit_of, seen

EVERY = 10
KILLED = -9
# They do not return, so strace cannot count them.
NEVER_KILLED_AT = ("exit_group", "rt_sigreturn")


@dataclass(frozen=True)
class Place:
    """A system call of the upgrade: its name, and its number among the calls of that name, from the process's start."""

    name: str
    number: int


def trace(words: Sequence[str], *commands: object) -> int:
    """Run the upgrade under strace, the same each time: no random hashes, no compiled modules written."""
    line = ["strace", "-f", *words, sys.executable, "-B", traced_upgrade.__file__, *map(str, commands)]
    python = {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    return subprocess.run(line, env={**os.environ, **python}, capture_output=True, check=False).returncode


def places(text: str, every: int) -> list[Place]:
    """Return each `every`-th call after the upgrade began."""
    calls, found, count = Counter[str](), [], -1
    for line in text.splitlines():
        if call := re.match(r"\d+ +(\w+)\(", line):
            calls[call[1]] += 1
            if count >= 0:
                count += 1
                if count % every == 0 and call[1] not in NEVER_KILLED_AT:
                    found.append(Place(call[1], calls[call[1]]))
            elif traced_upgrade.BEGUN in line:
                count = 0
    return found


@pytest.mark.night
@pytest.mark.timeout(14400)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace: apt install strace")
def test_an_upgrade_killed_at_each_tenth_system_call_is_old_or_new_and_the_next_mends_it(
    tmp_path: Path, memory: Path
) -> None:
    kits = [kit_of(tmp_path, number) for number in (1, 2)]
    make_device(memory / "kept").install(kits[0])
    root = memory / "device"

    def upgrade(*words: str) -> tuple[int, Device]:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(memory / "kept", root, symlinks=True)
        return trace(words, root, kits[1]), Device(root, StandIns(root, has_user=True, starts=1))

    status, device = upgrade("-o", str(tmp_path / "trace"))
    assert status == 0
    assert seen(device) == {2}
    killed, versions = 0, Counter[int]()
    for turn, place in enumerate(places((tmp_path / "trace").read_text(), EVERY)):
        fault = f"inject={place.name}:signal=KILL:when={place.number}"
        status, device = upgrade("-o", os.devnull, "-e", f"trace={place.name}", "-e", fault)
        killed += status in (KILLED, 128 - KILLED)
        found = seen(device)
        assert len(found) == 1, f"killed at {place}: {found}"
        versions.update(found)
        assert device.install(kits[turn % 2]) == 0, f"killed at {place}"
        assert_settled(device, turn % 2 + 1)
    assert killed > 100
    assert all(versions[number] > 10 for number in (1, 2)), versions
