"""The virtual device: a bare Debian 13, a kit installed in it, and all that befalls it in the field.

One run of `tools/testbench virtual` for all of these tests; each judges one of its steps.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_runs import Ran

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(2700)]  # as long as all of CI may take

# picamera2 takes a minute more, and the service has it on every run in test_cameras.py: here it is for nights. So are
# all resets but one, a minute each. The rest takes 12 minutes of one core by its parts.
_STEPS = (
    *("kit", "boot", "prepare", "install", "compare", "observe", "devices"),
    *("kill", "hang", "limit", "hog", "full", "clock", "changes", "stick", "pages", "power", "uninstall"),
)


def steps_of(ran: Ran) -> dict[str, dict[str, Any]]:
    """What came of each step, by its name; empty if the run did not begin."""
    report = ran.folder / "trial" / "report.json"
    return {step["name"]: step for step in json.loads(report.read_text())} if report.exists() else {}


def nothing(folder: Path) -> None:
    """The folder is filled by the run itself."""


@pytest.mark.parametrize("name", _STEPS)
def test_a_step_of_its_life(name: str, once: Callable[..., Ran]) -> None:
    ran = once("virtual", "virtual-life", nothing, "--only", *_STEPS, "--resets", "1")
    step = steps_of(ran).get(name)
    assert step is not None, f"{name} was not reached:\n{ran.output}"
    assert not step["failed"], step["failed"]


@pytest.mark.night
@pytest.mark.timeout(14400)
def test_picamera2_from_the_kit(once: Callable[..., Ran]) -> None:
    ran = once("virtual", "virtual-picamera2", nothing, "--only", "picamera2")
    assert ran.status == 0, ran.output


@pytest.mark.night
@pytest.mark.timeout(14400)
def test_the_kit_for_a_pi_on_its_processor(once: Callable[..., Ran]) -> None:
    """Installed, classifying, and there again after its power failed."""
    words = ("--processor", "arm64", "--only", "compare", "power", "uninstall", "--resets", "2")
    ran = once("virtual", "virtual-arm64", nothing, *words)
    assert ran.status == 0, ran.output


@pytest.mark.night
@pytest.mark.timeout(14400)
def test_twenty_resets_under_load(once: Callable[..., Ran]) -> None:
    ran = once("virtual", "virtual-resets", nothing, "--only", "power", "--resets", "20")
    assert ran.status == 0, ran.output
    assert steps_of(ran)["power"]["said"][-1] == "20 times without power, 0 acknowledged events lost"
