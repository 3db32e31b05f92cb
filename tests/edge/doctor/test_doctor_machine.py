"""What the doctor makes of the board and of its libraries."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from doctored import FINE, configured, only

from edge.board import power_from_bits
from edge.doctor import machine, software
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.findings import Finding


@pytest.mark.parametrize(
    ("bits", "version", "kind"),
    [(64, (3, 13), "ok"), (32, (3, 11), "warning"), (32, (3, 13), "problem")],
)
def test_a_32_bit_system_has_no_litert_and_later_no_runtime(bits: int, version: tuple[int, int], kind: str) -> None:
    finding = only(machine.judge_system({"PRETTY_NAME": "Raspbian 12"}, "armv7l", bits, version))
    assert finding.kind == kind


@pytest.mark.parametrize(
    ("bits", "kind", "words"),
    [
        (0x0, "ok", "all is well"),
        (0x50005, "problem", "under-voltage, throttled"),
        (0x50000, "warning", "earlier since boot: under-voltage, throttled"),
        (0x80008, "warning", "soft temperature limit"),
    ],
)
def test_power(bits: int, kind: str, words: str) -> None:
    finding = machine.judge_power(power_from_bits(bits, "sysfs"))
    assert finding.kind == kind
    assert words in finding.seen


def test_a_board_over_the_ceiling(case: Case, plant: Callable[[str, str], Path]) -> None:
    plant("sys/class/thermal/thermal_zone0/temp", "71000")
    assert only(machine.temperature(case)).kind == "ok"
    finding = only(machine.temperature(configured(case, load={"max_temperature_c": 70})))
    assert (finding.kind, finding.seen) == ("warning", "71.0 C, ceiling 70 C")


def test_what_the_machine_does_not_offer_is_not_here(case: Case) -> None:
    for check in (machine.temperature, machine.power, machine.clock, machine.memory):
        assert only(check(case)).kind == "not here"


# Libraries


@pytest.mark.parametrize(
    ("versions", "edgetpu", "id_", "kind"),
    [
        ({"tflite-runtime": "2.14.0", "numpy": "2.1.0"}, {}, "tflite-numpy", "problem"),
        ({"tflite-runtime": "2.14.0", "numpy": "1.26.4"}, {}, "pairs", "ok"),
        ({"tflite-runtime": "2.14.0"}, {"libedgetpu1-std": "16.0"}, "edgetpu-tflite", "problem"),
        ({"tflite-runtime": "2.11.0"}, {"libedgetpu1-std": "16.0"}, "pairs", "ok"),
        ({"tflite-runtime": "2.14.0"}, {"libedgetpu1-std": "16.0tf2.17.1-1"}, "pairs", "ok"),
        ({"ai-edge-litert": "2.3.0"}, {"libedgetpu1-max": "13.0"}, "edgetpu-litert", "warning"),
        ({"opencv-python": "4", "opencv-python-headless": "4"}, {}, "opencv-twice", "warning"),
        ({"pycoral": "0.1"}, {}, "pycoral", "warning"),
        ({"kms": "0.1"}, {}, "kms", "problem"),
    ],
)
def test_known_bad_pairs(versions: dict[str, str], edgetpu: dict[str, str], id_: str, kind: str) -> None:
    finding = only(software.judge_pairs(versions, edgetpu))
    assert (finding.id, finding.kind) == (id_, kind)


def test_the_packages_of_libedgetpu_come_from_dpkg(case: Case) -> None:
    said = "libedgetpu1-max \nlibedgetpu1-std 16.0\n"
    assert software.edgetpu_packages(replace(case, call=lambda _: said)) == {"libedgetpu1-std": "16.0"}


def library(error: str | None, module: str, versions: dict[str, str]) -> dict[str, Finding]:
    tried = {name: {"version": None, "error": None} for name in FINE["libraries"]} | {
        module: {"version": None, "error": error}
    }
    return {finding.id: finding for finding in software.judge_libraries(Outcome("answered", tried), versions)}


@pytest.mark.parametrize(
    ("module", "package", "error", "id_", "mend"),
    [
        ("cv2", "opencv-python", "ImportError: libGL.so.1: cannot open", "opencv", "opencv-python-headless"),
        ("cv2", "", "ModuleNotFoundError: No module named 'cv2'", "opencv", "pip install"),
        ("numpy", "numpy", "ImportError: bad magic", "numpy", "install it again"),
    ],
)
def test_a_library_that_does_not_import(module: str, package: str, error: str, id_: str, mend: str) -> None:
    finding = library(error, module, {package: "4.9"} if package else {})[id_]
    assert finding.kind == "problem"
    assert mend in (finding.mend or "")


def test_one_runtime_is_enough() -> None:
    missing = "ModuleNotFoundError: No module named 'ai_edge_litert'"
    assert library(missing, "ai_edge_litert.interpreter", {"tflite-runtime": "2.14.0"})["litert"].kind == "warning"
    missing = "ModuleNotFoundError: No module named 'tflite_runtime'"
    assert "tflite" not in library(missing, "tflite_runtime.interpreter", {"ai-edge-litert": "2.3"})


def test_a_library_that_crashes_is_a_problem() -> None:
    finding = only(software.judge_libraries(Outcome("crashed", why="died of SIGILL"), {}))
    assert (finding.kind, finding.seen) == ("problem", "died of SIGILL")
