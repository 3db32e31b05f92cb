"""Measure what the service takes: memory of all its processes with MQTT on, and the processor while it sleeps.

    python -m tools.reliability.footprint MODEL [--seconds 60]

Needs mosquitto (`apt install mosquitto`). The settings are the delivered ones with a synthetic camera of 640x480 at 10
frames a second. Memory that the processes share counts once.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge.bundle.write import save
from edge.importing.importer import Told, import_model
from tools.reliability.disk import build_shim
from tools.reliability.report import heading, print_table, promise
from tools.reliability.service import Service, children, keeps

# Supervisor, worker and recorder; the outputs are a unit of their own.
MOST_MIB, MOST_ASLEEP = 130.0, 0.01
_PATIENCE_S = 120.0
_EVERY_S = 5.0
_ALL, _THREE = "all, shared once", "without the outputs"
_NAMES = {"edge.worker.main": "worker", "edge.recorder.main": "recorder", "edge.outputs.main": "outputs"}


def prepare(folder: Path, model: Path) -> None:
    """Make a bundle of the model."""

    def ask(question: Any) -> str:
        raise SystemExit(f"footprint: the model does not state {question.explanation}: use one with metadata")

    save(import_model(model, folder / "bundle", Told(resize="squash"), ask))


def configure(folder: Path, port: int, more: str = "") -> Path:
    """Write the settings."""
    settings = folder / "settings.toml"
    settings.write_text(
        f'bundle = "{folder}/bundle"\n[camera]\nsource = "synthetic"\nwidth = 640\nheight = 480\nfps = 10\n'
        '[engine]\ndevice = "cpu"\nthreads = 2\n[output]\nconsole = "off"\n'
        # The synthetic camera shows nothing that the network knows: almost any label does.
        f'[decision]\nthreshold = 0.05\n[events]\nstore = "{folder}/state/events.db"\n[pictures]\nreserve_mb = 0\n'
        f'[harvest]\nmax_mb = 500\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n{more}'
    )
    return settings


@contextmanager
def broker() -> Iterator[int]:
    """Run mosquitto, and yield its port."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SystemExit("footprint: mosquitto is not installed: sudo apt install mosquitto")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([program, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


def parts(service: Service) -> dict[str, int]:
    """Return the process ids by what they are."""
    found = {"supervisor": service.pid}
    for module, name in _NAMES.items():
        for pid in children(service.pid, module):
            found[name] = pid
    return found


def mappings(pid: int) -> Iterator[tuple[tuple[str, ...], float, float]]:
    """Yield of each mapping of a process which piece of which file it is, and its own and its files' memory in MiB."""
    place: tuple[str, ...] = ()
    values: dict[str, int] = {}
    for line in [*Path(f"/proc/{pid}/smaps").read_text().splitlines(), "0-0 end"]:
        words = line.split()
        if words[0].endswith(":"):
            if words[-1] == "kB":
                values[words[0]] = int(words[1])
            continue
        if values:
            own = values["Anonymous:"] / 1024
            yield place, own, values["Rss:"] / 1024 - own
        # permissions, offset, device, inode
        place, values = tuple(words[1:5]), {}


def memory_mib(pids: Sequence[int]) -> float:
    """Return what these processes take together, with what they share counted once.

    Not PSS, which other programs on this machine that use the same libraries would make smaller.
    """
    files: dict[tuple[str, ...], float] = {}
    total = 0.0
    for pid in pids:
        for place, own, of_file in mappings(pid):
            total += own
            files[place] = max(files.get(place, 0.0), of_file)
    return total + sum(files.values())


def pss_mib(pid: int) -> float:
    """Return the proportional memory of a process."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"footprint: no Pss of {pid}")


def processor_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def awake(folder: Path, port: int, seconds: float) -> dict[str, float]:
    """Return the highest PSS of each part while it works, and what all, and all but the outputs, take together."""
    highest: dict[str, float] = {}
    with Service(folder, configure(folder, port)) as service:
        service.start()
        if service.wait_for(lambda status: keeps(status) and bool(status.events.stored), _PATIENCE_S) is None:
            raise SystemExit(f"footprint: no event is kept: {service.log.read_text()[-2000:]}")
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            now = parts(service)
            sizes = {name: pss_mib(pid) for name, pid in now.items()}
            sizes[_ALL] = memory_mib(list(now.values()))
            sizes[_THREE] = memory_mib([pid for name, pid in now.items() if name != "outputs"])
            for name, size in sizes.items():
                highest[name] = max(highest.get(name, 0.0), size)
            time.sleep(_EVERY_S)
        status = service.status()
        if status is not None and status.events is not None:
            states = [f"{one.name}: {one.fault or f'{one.waiting} waiting'}" for one in status.outputs]
            print(f"{status.fps:.1f} results/s, {status.events.stored} events kept; {', '.join(states)}")
        service.stop()
    return highest


def asleep(folder: Path, port: int, seconds: float) -> dict[str, float]:
    """Return the share of a core that each part takes while the camera sleeps."""
    hour = (time.gmtime().tm_hour + 12) % 24
    more = f'[schedule]\ntimezone = "UTC"\n[[schedule.awake]]\nfrom = "{hour:02}:00"\nto = "{hour:02}:30"\n'
    # The schedule is followed only if the time is known, which it need not be on this machine.
    (folder / "kernel").write_text("synchronized")
    variables = {"LD_PRELOAD": str(build_shim(folder)), "RELIABILITY_CLOCK": str(folder / "kernel")}
    with Service(folder, configure(folder, port, more), variables) as service:
        service.start()
        if service.wait_for(lambda status: status.state == "asleep", _PATIENCE_S) is None:
            raise SystemExit(f"footprint: it does not sleep: {service.log.read_text()[-2000:]}")
        time.sleep(15.0)
        before = {name: (pid, processor_s(pid)) for name, pid in parts(service).items()}
        began_s = time.monotonic()
        time.sleep(seconds)
        took_s = time.monotonic() - began_s
        shares = {name: (processor_s(pid) - used_s) / took_s for name, (pid, used_s) in before.items()}
        service.stop()
    return shares


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each of the two measurements")
    arguments = parser.parse_args()
    print(heading())
    with tempfile.TemporaryDirectory(prefix="footprint-") as name, broker() as port:
        folder = Path(name)
        prepare(folder, arguments.model)
        memory = awake(folder, port, arguments.seconds)
        shares = asleep(folder, port, arguments.seconds)
    rest = sum(shares.values())
    print_table(
        ("", *memory),
        [
            ("PSS, MiB", *(f"{size:.1f}" for size in memory.values())),
            (
                "asleep, % of a core",
                *(f"{100 * shares.get(name, 0.0):.2f}" for name in list(memory)[:-2]),
                f"{100 * rest:.2f}",
                "",
            ),
        ],
    )
    return promise(
        {
            f"over {MOST_MIB:g} MiB": int(memory[_THREE] > MOST_MIB),
            f"over {MOST_ASLEEP:.0%} of a core asleep": int(rest > MOST_ASLEEP),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
