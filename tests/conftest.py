"""Fixtures for all tests. Real data comes from ../shared: in CI its absence is a failure, elsewhere a skip."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
_STARTERS = {"run_fieldfare", "start_service", "supervise"}
_CONVERTERS = {"quantized", "rounded"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who starts the product or its workers as processes, or converts whole networks, is marked so by its fixtures."""
    for item in items:
        asked_for = set(getattr(item, "fixturenames", ()))
        if asked_for & _STARTERS:
            item.add_marker("process")
        if asked_for & _CONVERTERS:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real models, weights and photos."""
    folder = Path(os.environ.get("FIELDFARE_SHARED", ROOT.parent / "shared"))
    if not (folder / "models").is_dir():
        message = f"real data is not at {folder} (set FIELDFARE_SHARED)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


# A busy machine holds any example up for seconds, and a run that fails must fail again.
settings.register_profile("suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


@pytest.fixture
def run_fieldfare() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line as its users do: in a process of its own."""

    def run(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
        options = {"timeout": 600, "stdin": subprocess.DEVNULL, **options}
        command = [sys.executable, "-m", "edge", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run
