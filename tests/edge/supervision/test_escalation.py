"""What is above a new worker: when, for which camera, and how often. Nothing is reset or rebooted."""

from pathlib import Path

import pytest

from edge.config.running import Camera, Recovery
from edge.config.settings import Settings
from edge.processes.side_jobs import SideJobs
from edge.supervision import escalation
from edge.supervision.escalation import Escalation
from edge.supervision.reboot import RebootHook
from edge.supervision.status import Counts
from edge.supervision.systemd import REQUEST

NODE = Path("/dev/bus/usb/001/004")


@pytest.fixture
def resets(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The nodes that were to be reset."""
    nodes: list[Path] = []
    monkeypatch.setattr(escalation, "camera_node", lambda _: NODE)
    monkeypatch.setattr(escalation, "start_reset", lambda _, __, node: nodes.append(node))
    return nodes


def escalating(source: str, hook: RebootHook | None = None, counts: Counts | None = None) -> Escalation:
    settings = Settings(bundle="none", camera=Camera(source=source), recovery=Recovery(reboot_after_min=1.0))
    return Escalation(settings, hook, SideJobs(), counts or Counts())


@pytest.mark.parametrize(("source", "count"), [("/dev/video0", 1), ("picamera2", 0), ("synthetic", 0)])
def test_only_a_camera_on_usb_is_reset(resets: list[Path], source: str, count: int) -> None:
    rungs = escalating(source)
    for silent_s in (10.0, 44.0, 46.0, 50.0):
        rungs.look(silent_s, 1000.0 + silent_s, "unplugged")
    assert resets == [NODE] * count


def test_a_reboot_is_requested_later_with_the_reason_and_counted(resets: list[Path], tmp_path: Path) -> None:
    counts = Counts()
    rungs = escalating("/dev/video0", RebootHook.at(tmp_path, tmp_path, 3), counts)
    rungs.look(59.0, 1059.0, "unplugged")
    assert not (tmp_path / REQUEST).exists()
    rungs.look(61.0, 1061.0, "unplugged")
    rungs.look(62.0, 1062.0, "unplugged")
    assert (tmp_path / REQUEST).read_text() == "unplugged\n"
    assert counts.reboots_asked == 1


@pytest.mark.parametrize("folder", [True, False])
def test_without_both_folders_there_is_no_reboot_and_the_log_reports_it(
    resets: list[Path], tmp_path: Path, folder: bool, caplog: pytest.LogCaptureFixture
) -> None:
    hook = RebootHook.at(tmp_path if folder else None, None if folder else tmp_path, 3)
    escalating("synthetic", hook).look(1e6, 2e6, "unplugged")
    assert hook is None
    assert "no reboot can be requested" in caplog.text
