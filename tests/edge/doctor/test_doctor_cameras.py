"""What the doctor makes of cameras."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doctored import Children, Systemctl, configured, only

from edge.config.loading import settings_from
from edge.doctor import cameras, coral, probe
from edge.doctor.case import Case
from edge.doctor.children import Outcome


def test_devices_of_one_name_are_told_together(case: Case, plant: Callable[[str, str], Path]) -> None:
    for number, name in ((0, "HD Webcam"), (1, "HD Webcam"), (10, "bcm2835-codec-decode")):
        plant(f"sys/class/video4linux/video{number}/name", f"{name}\n")
    assert only(cameras.v4l2(case)).seen == "video0,1 HD Webcam; video10 bcm2835-codec-decode"


def test_a_camera_that_is_not_open_to_this_user(
    case: Case, plant: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    node = plant("dev/video0", "")
    plant("dev/dma_heap/system", "")
    monkeypatch.setattr(Case, "may_use", lambda _, path: path != node)
    finding = cameras.permissions(case)[0]
    assert finding.kind == "warning"
    assert finding.seen == f"not open to this user: {node}"


def test_groups() -> None:
    rows = [("pi", {"video", "plugdev"}), ("fieldfare", {"video"})]
    finding = cameras.judge_groups(rows, root=False)
    assert finding.seen == "pi: video, plugdev; fieldfare: not in plugdev"
    assert finding.mend == "sudo usermod -aG plugdev fieldfare; then log in again"
    assert cameras.judge_groups([("root", set())], root=True).kind == "ok"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("refused", why="ValueError: numpy.dtype size changed, may indicate"), "numpy<2"),
        (Outcome("refused", why="ModuleNotFoundError: No module named 'pykms'"), "python3-kms++"),
        (Outcome("hung", why="no answer within 15 s"), "restart the board"),
        (Outcome("answered", []), "ribbon cable"),
        (Outcome("refused", why="ModuleNotFoundError: No module named 'picamera2'"), "apt install python3-picamera2"),
    ],
)
def test_what_ails_picamera2(case: Case, outcome: Outcome, words: str) -> None:
    wanted = configured(replace(case, probe=Children(pi_cameras=outcome)), camera={"source": "picamera2"})
    finding = only(cameras.pi_cameras(wanted))
    assert finding.kind == "problem"
    assert words in (finding.mend or "")


def test_without_a_pi_camera_in_the_settings_none_is_missed(case: Case) -> None:
    assert only(cameras.pi_cameras(case)).kind == "not here"


def test_a_running_service_keeps_its_camera(case: Case) -> None:
    busy = configured(replace(case, call=Systemctl(fieldfare=Systemctl.RUNNING)), camera={"source": "/dev/video0"})
    finding = only(cameras.frame(busy))
    assert finding.kind == "not here"
    assert finding.seen == "in use by fieldfare: sudo systemctl stop fieldfare, then try again"


FRAME = {"description": "camera", "size": [640, 480], "mean": 90.0, "spread": 40.0}


@pytest.mark.parametrize(
    ("theirs", "mine", "tried"),
    [
        ("/dev/video0", "/dev/video0", False),
        ("/dev/video0", "/dev/v4l/by-id/usb-webcam", False),
        ("/dev/v4l/by-id/usb-webcam", "/dev//video0", False),
        ("/dev/video2", "/dev/video0", True),
        ("picamera2", "picamera2:0", False),
        ("picamera2:1", "picamera2:01", False),
        ("picamera2:1", "picamera2", True),
        ("/dev/video0", "picamera2", True),
        ("rtsp://cam/1", "rtsp://cam/1", True),
        ("synthetic", "synthetic", True),
    ],
)
def test_an_instance_keeps_its_own_camera_only(
    case: Case, plant: Callable[[str, str], Path], theirs: str, mine: str, tried: bool
) -> None:
    plant("dev/video0", "")
    (case.dev / "v4l/by-id").mkdir(parents=True)
    (case.dev / "v4l/by-id/usb-webcam").symlink_to("../../video0")
    plant("etc/fieldfare/front.toml", f'bundle = "birds"\n[camera]\nsource = "{theirs}"\n')
    children = Children(frame=FRAME)
    machine_ = replace(case, probe=children, call=Systemctl(fieldfare_front=Systemctl.RUNNING))
    finding = only(cameras.frame(configured(machine_, camera={"source": mine})))
    assert (finding.kind == "ok", bool(children.asked)) == (tried, tried)
    if not tried:
        assert finding.kind == "not here"
        assert finding.seen == "in use by fieldfare@front: sudo systemctl stop fieldfare@front, then try again"


@pytest.mark.parametrize("text", [None, "not TOML", "bundle = 1", "[camera]\nsource = '/dev/video7'"])
def test_an_instance_with_settings_that_cannot_be_read_may_use_everything(
    case: Case, plant: Callable[[str, str], Path], text: str | None
) -> None:
    if text is not None:
        plant("etc/fieldfare/front.toml", text)
    busy = replace(case, call=Systemctl(fieldfare_front=Systemctl.RUNNING))
    for finding in (
        only(cameras.frame(configured(busy, camera={"source": "/dev/video0"}))),
        only(coral.engine(configured(busy, engine={"device": "edgetpu"}))),
    ):
        assert finding.kind == "not here"
        assert finding.seen.startswith("in use by fieldfare@front (perhaps: its settings cannot be read): ")


@pytest.mark.parametrize(
    ("state", "tried"), [("activating start", False), ("activating auto-restart", True), ("active running", False)]
)
def test_a_service_that_waits_for_its_restart_holds_nothing(case: Case, state: str, tried: bool) -> None:
    machine_ = replace(case, probe=Children(frame=FRAME), call=Systemctl(fieldfare_front=state))
    finding = only(cameras.frame(configured(machine_, camera={"source": "/dev/video0"})))
    assert (finding.kind == "ok") == tried


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        ({"description": "camera", "size": [640, 480], "mean": 90.0, "spread": 40.0}, "ok", "640x480"),
        ({"description": "camera", "size": [640, 480], "mean": 0.0, "spread": 0.0}, "warning", "all of one colour"),
        (Outcome("hung", why="no answer within 15 s"), "problem", "/dev/video0 hung"),
        (Outcome("refused", why="camera /dev/video0: busy"), "problem", "camera /dev/video0: busy"),
    ],
)
def test_one_frame_is_taken(case: Case, outcome: Any, kind: str, words: str) -> None:
    finding = only(
        cameras.frame(configured(replace(case, probe=Children(frame=outcome)), camera={"source": "/dev/video0"}))
    )
    assert finding.kind == kind
    assert words in finding.seen


@pytest.mark.parametrize(("keys", "waited_s"), [({}, 3), ({"timeout_s": 20}, 20), ({"fps": 0.1}, 30)])
def test_a_camera_gets_the_time_that_its_settings_give_it(case: Case, keys: dict[str, Any], waited_s: float) -> None:
    children = Children(frame=FRAME)
    cameras.frame(configured(replace(case, probe=children), camera={"source": "rtsp://cam/1", **keys}))
    ((_, (camera,)),) = children.asked
    assert settings_from({"bundle": "b", "camera": camera}).camera.patience_s == pytest.approx(waited_s)
    assert children.limits["frame"] >= waited_s + 10  # to load the libraries, too


def test_a_camera_that_may_take_longer_than_the_doctor_waits_is_not_said_to_be_broken(case: Case) -> None:
    hung = Children(frame=Outcome("hung", why="no answer within 45 s"))
    slow = {"source": "rtsp://cam/1", "timeout_s": 600}
    finding = only(cameras.frame(configured(replace(case, probe=hung), camera=slow)))
    assert finding.kind == "warning"
    assert finding.seen == "rtsp://cam/1: no answer within 45 s, but the settings allow 600 s for a frame"
    assert hung.limits["frame"] < 60


def test_of_a_slow_camera_one_frame_will_do() -> None:
    assert probe.frame({"source": "synthetic", "fps": 0.001})["size"] == [640, 480]


def test_a_password_in_a_url_is_not_shown(case: Case) -> None:
    hung = Children(frame=Outcome("hung", why="no answer within 15 s"))
    finding = only(cameras.frame(configured(replace(case, probe=hung), camera={"source": "rtsp://me:secret@cam/1"})))
    assert "secret" not in finding.seen
