"""The virtual device: a bare Debian 13, a kit installed in it, and all that befalls it in the field.

One run of `tools/testbench virtual` for all of these tests; each judges one of its steps.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench_runs import Ran

pytestmark = [pytest.mark.bench, pytest.mark.slow, pytest.mark.timeout(1800)]

_STEPS = (
    *("kit", "boot", "prepare", "install", "compare", "observe", "devices"),
    *("kill", "hang", "limit", "hog", "full", "clock", "changes", "stick"),
    *("picamera2", "power", "uninstall"),
)


def steps_of(ran: Ran) -> dict[str, dict[str, Any]]:
    """What came of each step, by its name; empty if the run did not begin."""
    report = ran.folder / "trial" / "report.json"
    return {step["name"]: step for step in json.loads(report.read_text())} if report.exists() else {}


def nothing(folder: Path) -> None:
    """The folder is filled by the run itself."""


# Not yet on every run: it takes 20 minutes beside other work, and its limits were not held there twice in a row.
@pytest.mark.night
@pytest.mark.parametrize("name", _STEPS)
def test_a_step_of_its_life(name: str, once: Callable[..., Ran]) -> None:
    ran = once("virtual", "virtual", nothing)
    step = steps_of(ran).get(name)
    assert step is not None, f"{name} was not reached:\n{ran.output}"
    assert not step["failed"], step["failed"]


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
