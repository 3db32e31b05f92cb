"""Root's own budget for reboots, which the service's user cannot lift."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.supervision.reboot import Reboot
from edge.supervision.reboot_grant import A_DAY, grant
from edge.supervision.systemd import RECORD


def variables(state: Path, a_day: str = "2") -> dict[str, str]:
    return {"STATE_DIRECTORY": str(state), A_DAY: a_day}


def test_no_more_than_the_budget(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [grant(variables(tmp_path)) for _ in range(4)] == [True, True, False, False]
    assert "no reboot: 2 in 24 hours were allowed already" in caplog.text
    assert len(msgspec.json.decode((tmp_path / RECORD).read_bytes(), type=list[Reboot])) == 2


@pytest.mark.parametrize("a_day", ["", "0", "25", "-1", "1e1", "three", "\u0663", "9" * 5000])
def test_a_wrong_budget_allows_none(tmp_path: Path, a_day: str, caplog: pytest.LogCaptureFixture) -> None:
    assert not grant(variables(tmp_path, a_day))
    assert "must be a whole number from 1 to 24" in caplog.text
    assert len(caplog.text) < 300
    assert list(tmp_path.iterdir()) == []


def test_without_a_record_there_is_no_reboot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not grant({A_DAY: "3"})
    assert not grant(variables(tmp_path / "missing"))
    assert "STATE_DIRECTORY is not set" in caplog.text
    assert "No such file or directory" in caplog.text


@given(st.binary(max_size=200))
def test_whatever_the_record_holds_the_budget_is_kept(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    state = tmp_path_factory.mktemp("state")
    (state / RECORD).write_bytes(data)
    assert sum(grant(variables(state, "3")) for _ in range(5)) <= 3


def test_as_the_unit_runs_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge.supervision.reboot_grant"]
    runs = [
        subprocess.run(command, env=variables(tmp_path, "1"), capture_output=True, text=True, check=False)
        for _ in range(2)
    ]
    assert [run.returncode for run in runs] == [0, 1]
    assert [run.stderr.count("\n") for run in runs] == [0, 1]
