"""A real worker whose gate lets no frame through is well, and a real hang in that time is still found.

All limits are scaled down. A worker that looked at nothing would be replaced after 2 x 1 s (a stall), 0.7 s (a frozen
picture) and 2 s (an inference): 4.7 s. tools/soak_gated.py runs the same for as long as you like, with the defaults.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import wait_until
from supervised import Memory, Supervised, starting

from edge.bundle.store import Bundle
from edge.config.running import Camera, Engine
from edge.config.settings import Settings

pytestmark = pytest.mark.process

TOOLS = Path(__file__).resolve().parents[3] / "tools"
LONGEST_S = 4.7


@pytest.fixture
def service(sealed: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervised]:
    """A supervisor that runs the real worker with a closed gate. The files `gate` and `camera` drive it."""
    monkeypatch.setenv("PYTHONPATH", str(TOOLS))
    monkeypatch.setenv("FIELDFARE_GATE", str(tmp_path / "gate"))
    (tmp_path / "camera").write_text("run\n")
    camera = Camera(
        source="synthetic",
        width=160,
        height=120,
        fps=30,
        timeout_s=1.0,
        frozen_s=0.7,
        script=f"@{tmp_path / 'camera'}",
    )
    settings = Settings(
        bundle=str(sealed.path),
        camera=camera,
        engine=Engine(device="cpu", timeout_s=2.0),
    )
    service = Supervised(tmp_path, settings, Memory(), start=starting("gated_worker"))
    try:
        assert wait_until(lambda: service.supervisor.status.state == "running")
        yield service
    finally:
        service.close()


def test_nothing_is_restarted_and_results_come_once_the_gate_opens(service: Supervised) -> None:
    status = service.supervisor.status
    worker = status.worker_pid
    time.sleep(3.2 * LONGEST_S)
    assert (status.state, status.worker_pid, status.counts.worker_starts) == ("running", worker, 1)
    assert (status.counts.hangs, status.counts.camera_faults, status.counts.results) == (0, 0, 0)
    assert status.counts.looked_at == status.counts.turned_away > 100
    (service.folder / "gate").write_text("open\n")
    assert wait_until(lambda: len(service.memory.results) > 5)
    assert status.counts.worker_starts == 1


@pytest.mark.parametrize(
    ("fault", "limit_s", "why"),
    [
        ("stall", 1.0, "no frame for 1 s"),
        ("freeze", 0.7, "the very same picture"),
        ("gate", 2.0, "the gate took more than 2 s"),
        ("stop", 4.0, "the worker sent nothing for 4 s"),
    ],
)
def test_a_real_hang_is_found_within_its_limit(service: Supervised, fault: str, limit_s: float, why: str) -> None:
    status = service.supervisor.status
    began_s = time.monotonic()
    if fault == "gate":
        (service.folder / "gate").write_text("hang\n")
    elif fault == "stop":
        assert status.worker_pid is not None
        os.kill(status.worker_pid, signal.SIGSTOP)
    else:
        (service.folder / "camera").write_text(f"{fault}\n")
    assert wait_until(lambda: status.state == "recovering")
    assert time.monotonic() - began_s < limit_s + 3.0
    assert why in status.why
    (service.folder / "gate").write_text("closed\n")
    (service.folder / "camera").write_text("run\n")
    assert wait_until(lambda: status.state == "running")
