"""Check the board and its system: Python, memory, clock, temperature, power."""

import platform
import struct
import sys

from edge.board import Power
from edge.config.running import Load
from edge.doctor.case import Case
from edge.doctor.findings import Finding

_PYTHONS = ((3, 11), (3, 13))
_LITTLE_MEMORY = 150 * 10**6  # `fieldfare bench` with a MobileNetV1 0.25 took 83 MB (PSS, x86-64, 2026-11)


def python(_: Case) -> list[Finding]:
    """Check that wheels exist for this Python."""
    seen = f"{platform.python_version()}, {sys.prefix}"
    if _PYTHONS[0] <= sys.version_info[:2] <= _PYTHONS[1]:
        return [Finding("python", "Python", "ok", seen)]
    return [Finding("python", "Python", "problem", seen, "use Python 3.11, 3.12 or 3.13")]


def system(case: Case) -> list[Finding]:
    """Check operating system and processor."""
    return judge_system(release(case), platform.machine(), struct.calcsize("P") * 8, sys.version_info[:2])


def release(case: Case) -> dict[str, str]:
    """Return /etc/os-release as a dict; empty if there is none."""
    try:
        return platform.freedesktop_os_release() if str(case.etc) == "/etc" else _os_release(case)
    except OSError:
        return {}


def _os_release(case: Case) -> dict[str, str]:
    lines = (case.etc / "os-release").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip().strip('"') for name, _, value in pairs}


def judge_system(names: dict[str, str], machine: str, bits: int, version: tuple[int, int]) -> list[Finding]:
    """Judge operating system and processor by their words and the Python version."""
    seen = f"{names.get('PRETTY_NAME', 'Linux')}, {machine}, {bits}-bit programs"
    # 32-bit programs have no LiteRT, and from Python 3.12 on no runtime at all.
    if bits == 64:
        return [Finding("system", "system", "ok", seen)]
    if version >= (3, 12):
        return [
            Finding("system", "system", "problem", seen, "no TFLite runtime exists for it: install a 64-bit system")
        ]
    mend = "LiteRT does not exist for it, and tflite-runtime is slower: a 64-bit system is better"
    return [Finding("system", "system", "warning", seen, mend)]


def board(case: Case) -> list[Finding]:
    """Name the board and its cores."""
    model = case.board.model() or case.board.processor()
    cores = case.board.cpus()
    return [Finding("board", "board", "ok", f"{model or 'unknown model'}, {cores} core{'s'[: cores > 1]}")]


def memory(case: Case) -> list[Finding]:
    """Check the memory that is left for the service."""
    found = case.board.memory()
    if found is None:
        return [Finding("memory", "memory", "not here", "the system does not report it")]
    seen = f"{_mb(found.available)} of {_mb(found.total)} free, swap {_mb(found.swap_total)}"
    if found.available >= _LITTLE_MEMORY:
        return [Finding("memory", "memory", "ok", seen)]
    return [Finding("memory", "memory", "warning", seen, "stop other programs, or use a board with more memory")]


def clock(case: Case) -> list[Finding]:
    """Check that the network has set the clock, so that the times in the results are right."""
    state = case.board.clock_synchronized()
    if state is None:
        return [Finding("clock", "clock", "not here", "the system does not report whether the network set it")]
    if state:
        return [Finding("clock", "clock", "ok", "set by the network")]
    mend = "connect it to a network once, or fit a clock module: until then captured_wall_s is wrong"
    return [Finding("clock", "clock", "warning", "not set by the network since boot", mend)]


def temperature(case: Case) -> list[Finding]:
    """Compare the temperature with [load] max_temperature_c."""
    degrees_c = case.board.temperature_c()
    ceiling_c = (case.settings.load if case.settings else Load()).max_temperature_c
    if degrees_c is None:
        return [Finding("temperature", "temperature", "not here", "the board offers no sensor")]
    seen = f"{degrees_c:.1f} C, ceiling {ceiling_c:g} C"
    if degrees_c < ceiling_c:
        return [Finding("temperature", "temperature", "ok", seen)]
    return [Finding("temperature", "temperature", "warning", seen, "give it air, shade or a heat sink: it slows down")]


def power(case: Case) -> list[Finding]:
    """Check for under-voltage and throttling."""
    found = case.board.power()
    if found is None:
        return [Finding("power", "power", "not here", "the board does not report it (only a Raspberry Pi does)")]
    return [judge_power(found)]


def judge_power(found: Power) -> Finding:
    """Judge the power flags of now and since boot."""
    seen = ", ".join(found.now) or "all is well"
    if found.since_boot is not None:
        before = [flag for flag in found.since_boot if flag not in found.now]
        seen += f"; earlier since boot: {', '.join(before)}" if before else ""
    supply = "use the board's own power supply, a short cable, and a powered hub for a Coral"
    # Cameras and Corals drop off the bus at under-voltage. The other flags cost speed only.
    if "under-voltage" in found.now:
        return Finding("power", "power", "problem", f"{seen} ({found.source})", supply)
    if "under-voltage" in (found.since_boot or ()):
        return Finding("power", "power", "warning", f"{seen} ({found.source})", supply)
    if found.now or found.since_boot:
        mend = "it was or is too hot for full speed: give it air, or lower [load] max_temperature_c"
        return Finding("power", "power", "warning", f"{seen} ({found.source})", mend)
    return Finding("power", "power", "ok", f"{seen} ({found.source})")


def _mb(size: int) -> str:
    return f"{size / 10**6:,.0f} MB"
