"""USB cameras: what is requested, what is given, and what goes wrong."""

import errno
import fcntl
import logging
import os
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
from camera_standins import StandInWebcam, webcam_ioctl

from edge.capture.base import Optics
from edge.capture.v4l2 import V4l2Source
from edge.capture.v4l2_probe import probe
from edge.errors import CameraError


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The device file of a replaced webcam."""
    StandInWebcam.reset()
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: StandInWebcam())
    monkeypatch.setattr(fcntl, "ioctl", webcam_ioctl())
    (tmp_path / "video0").touch()
    return tmp_path / "video0"


def opened(device: Path, **options: Any) -> V4l2Source:
    source = V4l2Source(device, **{"width": 640, "height": 480, "fps": 30.0, "wait_s": 5.0, **options})
    source.close()
    return source


class TestNegotiation:
    def test_what_was_given_is_told(self, device: Path) -> None:
        assert opened(device).description == f"camera {device} Stand-in 640x480 YUYV, 30 frames/s"

    def test_the_format_is_asked_for(self, device: Path) -> None:
        assert "MJPG" in opened(device, pixel_format="MJPG").description

    def test_what_was_asked_and_given_is_no_news(self, device: Path, caplog: pytest.LogCaptureFixture) -> None:
        opened(device, pixel_format="YUYV")
        assert not caplog.records

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            ({"width": 8192, "height": 8192}, "640x480 YUYV, 30 frames/s: requested 8192x8192;"),
            ({"width": 32, "height": 32}, "64x48 YUYV, 30 frames/s: requested 32x32;"),
            ({"fps": 5.0}, "15 frames/s: requested 5 frames/s;"),
            ({"fps": 0.001}, "requested 0.001 frames/s;"),
            ({"fps": 1000.0, "pixel_format": "H264"}, "requested 1000 frames/s, H264;"),
        ],
    )
    def test_what_differs_is_one_warning(
        self, device: Path, caplog: pytest.LogCaptureFixture, asked: dict[str, Any], told: str
    ) -> None:
        opened(device, **asked)
        (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert told in record.getMessage()


class TestOptics:
    def test_exposure_is_in_units_of_a_hundred_microseconds(self, device: Path) -> None:
        opened(device, optics=Optics(exposure_us=8000, gain=12))
        assert StandInWebcam.latest.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1  # V4L2_EXPOSURE_MANUAL
        assert StandInWebcam.latest.values[cv2.CAP_PROP_EXPOSURE] == 80
        assert StandInWebcam.latest.values[cv2.CAP_PROP_GAIN] == 12

    def test_without_one_the_automatics_are_switched_on(self, device: Path) -> None:
        """A camera keeps what another program set."""
        opened(device)
        assert StandInWebcam.latest.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 3  # V4L2_EXPOSURE_APERTURE_PRIORITY

    def test_what_the_camera_lacks_is_named(self, device: Path) -> None:
        with pytest.raises(CameraError, match=r'refuses camera.focus = 30: set it to "auto".*--list-ctrls'):
            opened(device, optics=Optics(focus=30))
        assert StandInWebcam.latest.released.is_set()


class TestFailures:
    def test_it_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match="No such file or directory: plug it in"):
            opened(tmp_path / "video9")

    def test_it_is_forbidden(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(os, "open", refuse)  # root, who may run the tests, may open everything
        with pytest.raises(CameraError, match="Permission denied: add the user to the group `video`"):
            opened(device)

    def test_it_is_busy(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fcntl, "ioctl", webcam_ioctl(busy=True))
        with pytest.raises(CameraError, match="Device or resource busy: another program uses it"):
            opened(device)

    def test_it_is_no_device(self, tmp_path: Path) -> None:
        (tmp_path / "video9").write_text("a file")
        with pytest.raises(CameraError, match="not a camera"):
            opened(tmp_path / "video9")

    def test_it_is_the_second_node_of_a_camera(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """USB cameras also have a /dev/videoN for metadata, whose capabilities are not those of the whole device."""
        monkeypatch.setattr(fcntl, "ioctl", webcam_ioctl(node=0x04A00000))
        with pytest.raises(CameraError, match="Stand-in delivers no pictures: not a camera, or its second node"):
            opened(device)

    def test_opencv_finds_no_format(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInWebcam, "opens", False)
        with pytest.raises(CameraError, match=r"no picture that OpenCV reads.*--list-formats-ext"):
            opened(device)

    def test_it_stalls(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInWebcam, "stalls_after", 1)
        monkeypatch.setattr(StandInWebcam, "stall_s", 5.0)
        source = V4l2Source(device, width=640, height=480, fps=30, wait_s=0.1)
        source.read()
        started = time.monotonic()
        for _ in range(2):
            with pytest.raises(CameraError, match=r"no frame within 0.1 s: it stalled"):
                source.read()
        assert time.monotonic() - started < 4.5, "OpenCV's own wait, 5 s in the stand-in, is not waited for"
        source.close()
        assert StandInWebcam.latest.released.wait(20), "given back as soon as OpenCV returns"

    def test_it_sends_a_damaged_picture_now_and_then(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInWebcam, "spoils_every", 3)
        source = V4l2Source(device, width=640, height=480, fps=30, wait_s=5)
        for _ in range(6):
            source.read()
        source.close()

    def test_it_sends_nothing_but_damage(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInWebcam, "spoils_every", 1)
        source = V4l2Source(device, width=640, height=480, fps=30, wait_s=0.2)
        with pytest.raises(CameraError, match=r"no frame within 0\.2 s"):
            source.read()
        source.close()

    def test_it_is_unplugged(self, device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInWebcam, "stalls_after", 1)
        source = V4l2Source(device, width=640, height=480, fps=30, wait_s=0.1)
        source.read()
        device.unlink()
        with pytest.raises(CameraError, match="unplugged: plug it in again"):
            source.read()
        source.close()


def test_a_frame_is_as_old_as_the_driver_says(device: Path) -> None:
    source = V4l2Source(device, width=64, height=48, fps=30, wait_s=5)
    frame = source.read()
    assert time.monotonic() - frame.captured_mono_s >= 0.0199
    source.close()


def test_the_probe_tells_the_cameras_name(device: Path) -> None:
    assert probe(device) == "Stand-in"
