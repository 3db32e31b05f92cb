"""Readings of the board, from a tree of the test's own."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import board as board_module
from edge.board import (
    POWER_BITS,
    Board,
    Memory,
    Power,
    Readings,
    parse_cpu_s,
    parse_memory,
    parse_temperature,
    parse_throttled,
    power_from_bits,
)

Plant = Callable[[str, str], None]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Put a file into the tree: plant("sys/class/hwmon/hwmon0/name", "rpi_volt")."""

    def put(place: str, text: str) -> None:
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return put


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(sysfs=tmp_path / "sys", procfs=tmp_path / "proc", run=tmp_path / "run", path=str(tmp_path / "bin"))


def program(tmp_path: Path, name: str, body: str) -> None:
    """Put a program on the board's PATH."""
    file = tmp_path / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_a_board_that_offers_nothing_says_none_and_makes_nothing_up(board: Board) -> None:
    assert board.readings() == Readings(temperature_c=None, power=None)
    assert board.model() is None
    assert board.memory() is None
    assert board.clock_synchronized() is None
    assert board.cpu_s(1) is None
    assert board.pss_bytes(1) is None


# Temperature


@pytest.mark.parametrize(
    ("zones", "degrees_c"),
    [
        ({"0": ("cpu-thermal", "48312\n")}, 48.312),
        ({"0": ("acpitz", "27800\n"), "1": ("x86_pkg_temp", "61000\n")}, 61.0),
        ({"0": ("gpu-thermal", "50000"), "1": ("soc-thermal", "52000")}, 52.0),
        ({"0": ("soc-thermal", "52000"), "10": ("cpu-thermal", "55000")}, 55.0),
        ({"2": ("iwlwifi", "44000"), "10": ("acpitz", "30000")}, 44.0),
        ({"0": ("cpu-thermal", "-274000"), "1": ("acpitz", "30000")}, 30.0),
    ],
    ids=["a Pi", "a PC", "the chip", "the processor before the chip", "the first zone", "no absolute zero"],
)
def test_the_processors_own_sensor_is_preferred(
    board: Board, plant: Plant, zones: dict[str, tuple[str, str]], degrees_c: float
) -> None:
    for number, (kind, text) in zones.items():
        plant(f"sys/class/thermal/thermal_zone{number}/type", kind)
        plant(f"sys/class/thermal/thermal_zone{number}/temp", text)
    assert board.temperature_c() == degrees_c


@given(st.text())
def test_no_text_is_a_temperature_that_no_board_has(text: str) -> None:
    degrees_c = parse_temperature(text)
    assert degrees_c is None or -60 <= degrees_c <= 160


@given(st.integers(-60_000, 160_000))
def test_millidegrees_are_read(millidegrees: int) -> None:
    assert parse_temperature(f"{millidegrees}\n") == millidegrees / 1000


# Power


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("50005\n", 0x50005),
        ("throttled=0x50005\n", 0x50005),
        ("0", 0),
        ("throttled=0x0", 0),
        ("", None),
        ("VCHI", None),
    ],
)
def test_both_forms_of_the_firmwares_answer_are_read(text: str, bits: int | None) -> None:
    """The kernel's file has hex digits only (raspberrypi/linux pull request 2397), vcgencmd a name and 0x."""
    assert parse_throttled(text) == bits


@given(st.text())
def test_no_text_breaks_the_parser_of_the_bits(text: str) -> None:
    bits = parse_throttled(text)
    assert bits is None or 0 <= bits < 1 << 32


@given(st.integers(0, (1 << 32) - 1))
def test_every_documented_bit_is_named_and_no_other(bits: int) -> None:
    power = power_from_bits(bits, "sysfs")
    assert {flag for bit, flag in POWER_BITS.items() if bits & 1 << bit} == set(power.now)
    assert {flag for bit, flag in POWER_BITS.items() if bits & 1 << bit + 16} == set(power.since_boot or ())


def test_bits_as_the_documentation_has_them() -> None:
    assert power_from_bits(0x50005, "").now == ("under-voltage", "throttled")
    assert power_from_bits(0x80008, "").now == ("soft temperature limit",)
    assert power_from_bits(0xE0002, "").now == ("frequency capped",)
    assert power_from_bits(0xE0002, "").since_boot == ("frequency capped", "throttled", "soft temperature limit")


@pytest.mark.parametrize("place", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_the_kernels_file_comes_first(board: Board, plant: Plant, tmp_path: Path, place: str) -> None:
    plant(f"sys/devices/platform/{place}/get_throttled", "1\n")
    plant("sys/class/hwmon/hwmon0/name", "rpi_volt")
    plant("sys/class/hwmon/hwmon0/in0_lcrit_alarm", "0")
    power = board.power()
    assert power is not None
    assert (power.source, power.now, power.since_boot) == ("sysfs", ("under-voltage",), ())


@pytest.mark.parametrize(("alarm", "now"), [("0\n", ()), ("1\n", ("under-voltage",))])
def test_the_voltage_alarm_knows_of_nothing_else(board: Board, plant: Plant, alarm: str, now: tuple[str, ...]) -> None:
    plant("sys/class/hwmon/hwmon0/name", "nvme")
    plant("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    plant("sys/class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert board.power() == Power(now, None, ("under-voltage",), "hwmon")


def test_vcgencmd_is_the_last_resort(tmp_path: Path) -> None:
    program(tmp_path, "vcgencmd", '[ "$1" = get_throttled ] && echo throttled=0x20000')
    power = Board(sysfs=tmp_path / "sys", path=str(tmp_path / "bin")).power()
    assert power is not None
    assert (power.source, power.now, power.since_boot) == ("vcgencmd", (), ("frequency capped",))


@pytest.mark.parametrize("body", ["exec sleep 60", "echo VCHI initialization failed; exit 1", "echo nonsense"])
def test_a_vcgencmd_that_fails_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(board_module, "_COMMAND_S", 1.5 if "sleep" in body else 60.0)
    program(tmp_path, "vcgencmd", f"echo called >> {tmp_path}/calls; {body}")
    board = Board(sysfs=tmp_path / "sys", path=f"{tmp_path}/bin:{os.environ['PATH']}")
    assert board.power() is None
    assert board.power() is None
    assert (tmp_path / "calls").read_text() == "called\n"


# The rest


def test_the_model_has_no_trailing_nul(board: Board, plant: Plant) -> None:
    plant("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
    assert board.model() == "Raspberry Pi 4 Model B Rev 1.4"


def test_memory_is_in_bytes() -> None:
    text = "MemTotal: 3884344 kB\nMemFree: 1 kB\nMemAvailable: 2884344 kB\nSwapTotal: 0 kB\n"
    assert parse_memory(text) == Memory(3884344 * 1024, 2884344 * 1024, 0)
    assert parse_memory("MemTotal: 3884344 kB\n") is None


@given(st.text())
def test_no_text_breaks_the_parsers_of_procfs(text: str) -> None:
    assert parse_memory(text) is None or "MemTotal" in text
    parse_cpu_s(text, 100)


@given(st.text(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_process_may_have_any_name(name: str, user: int, system: int) -> None:
    fields = " ".join(["S", *["0"] * 10, str(user), str(system), *["0"] * 30])
    assert parse_cpu_s(f"17 ({name}) {fields}", 100) == (user + system) / 100


def test_this_process_has_used_the_processor_and_memory() -> None:
    board = Board()
    mine, own = board.cpu_s(os.getpid()), sum(os.times()[:2])
    assert mine == pytest.approx(own, abs=0.2)
    assert (board.pss_bytes(os.getpid()) or 0) > 10**6
    assert board.cpus() >= 1


def test_a_process_that_is_gone_has_no_times() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert Board().cpu_s(child.pid) is None


def test_the_clock_is_good_once_the_network_set_it(board: Board, plant: Plant) -> None:
    plant("run/systemd/timesync/synchronized", "")
    assert board.clock_synchronized() is True


@pytest.mark.parametrize(("said", "state"), [("yes", True), ("no", False), ("", None)])
def test_timedatectl_knows_of_other_time_services(tmp_path: Path, board: Board, said: str, state: bool | None) -> None:
    program(tmp_path, "timedatectl", f"echo {said}")
    assert board.clock_synchronized() is state
