"""Fixtures for tests of the units."""

import os
import shutil

import pytest
from systemd_tools import Analyze, analyze


@pytest.fixture(scope="session")
def systemd_analyze() -> Analyze:
    """Run systemd-analyze; in CI its absence is a failure, elsewhere a skip."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is missing")
        pytest.skip("systemd-analyze is not on this machine")
    return analyze
