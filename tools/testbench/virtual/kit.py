"""The kit: made by the host, and brought to the machine, where one command installs it."""

import sys
import tarfile
from pathlib import Path

import cache
import host
from virtual.machine import Machine

# 69: installed, and no result came in time. Then the first event is waited for all the same.
_NO_RESULT = 69
_PATIENCE_S = 900.0


def build(folder: Path, share: Path, target: str) -> int:
    """Make a kit for `target` of the bundle and the settings in `folder`, and unpack it on the share. Return its size
    in bytes."""
    wheels, kit = cache.folder() / f"wheels-{target}", folder / "kit.tar"
    wheels.mkdir(exist_ok=True)
    words = ["--target", target, "--bundle", folder / "bundle.fieldfare", "--config", folder / "fieldfare.toml"]
    command = [sys.executable, "-m", "edge", "kit", "build", *words, "--wheels", wheels, "--out", kit]
    host.run(command, cwd=cache.ROOT)
    size = kit.stat().st_size
    with tarfile.open(kit) as tar:
        tar.extractall(share, filter="data")
    kit.unlink()
    return size


def install(machine: Machine) -> str:
    """Install it by one command; return what that printed."""
    answer = machine.ask("cd / && sh /bench/fieldfare-kit/install.sh", timeout_s=_PATIENCE_S)
    if answer.status not in (0, _NO_RESULT):
        raise host.Failed(f"install.sh ended with {answer.status}:\n{answer.output}{answer.errors}")
    return answer.output + answer.errors


def uninstall(machine: Machine) -> str:
    """Uninstall it; return what that printed."""
    return machine.run("cd / && /opt/fieldfare/bin/fieldfare device uninstall", timeout_s=_PATIENCE_S)
