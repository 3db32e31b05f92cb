"""Losing the Edge TPU and getting it back: real processes, real delegate, a software Edge TPU that fails on script."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Running
from software_tpu import SoftwareTpu
from written_lines import whole_lines

from edge.bundle.store import open_bundle
from edge.fakes.software_edgetpu import Script
from edge.supervision.status import Status

pytestmark = pytest.mark.process


@pytest.fixture
def tpu(software_tpu: SoftwareTpu, monkeypatch: pytest.MonkeyPatch) -> SoftwareTpu:
    """One that is well, in the environment of what is started."""
    tpu = software_tpu
    for name, value in tpu.environment.items():
        monkeypatch.setenv(name, value)
    return tpu


@pytest.fixture
def service(tpu: SoftwareTpu, tmp_path: Path) -> Iterator[Running]:
    """`fieldfare run --service` on it, in the state that it is in when the test begins."""
    running = Running(tmp_path, open_bundle(tpu.bundle), "--service", more=tpu.settings)
    yield running
    running.close()


def on_tpu(status: Status) -> bool:
    return status.state == "running" and "edgetpu" in (status.engine or "")


def on_cpu(status: Status) -> bool:
    return status.state == "degraded" and "cpu" in (status.engine or "")


@pytest.mark.parametrize(
    ("script", "count", "times"),
    [(Script(mode="hang"), "hangs", 1), (Script(mode="abort"), "crashes", 2)],
    ids=["hangs", "aborts"],
)
def test_the_cpu_serves_until_it_is_back(
    service: Running, tpu: SoftwareTpu, script: Script, count: str, times: int
) -> None:
    service.wait_for(on_tpu, 90)
    service.wait_for_more()
    tpu.does(script)
    status = service.wait_for(on_cpu, 90)
    assert status.why.startswith("Edge TPU lost: ")
    assert status.counts.edgetpu_losses == 1
    service.wait_for_more()
    last = json.loads(whole_lines(service.results_file)[-1])
    assert last["fallback"] in status.why
    assert "cpu" in last["engine"]
    assert getattr(status.counts, count) >= times
    tpu.does(Script(unknown="pick"))
    status = service.wait_for(on_tpu, 90)
    assert status.counts.edgetpu_returns >= 1
    service.wait_for_more()
    assert service.end() == 0
    assert "the Edge TPU is back after" in service.errors()


def test_one_that_is_not_there_at_the_start_is_used_when_it_comes(tpu: SoftwareTpu, tmp_path: Path) -> None:
    tpu.does(Script(mode="absent"))
    service = Running(tmp_path, open_bundle(tpu.bundle), "--service", more=tpu.settings)
    try:
        assert service.wait_for(on_cpu, 90).counts.worker_starts == 1
        tpu.does(Script(unknown="pick"))
        service.wait_for(on_tpu, 90)
    finally:
        service.close()
