"""The Pi's own cameras, with a replacement for picamera2 that refuses what the real one would."""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_standins import BLUISH, REDDISH, StandInPicamera2, picamera2_modules
from hypothesis import given
from hypothesis import strategies as st

from edge.capture import picamera
from edge.capture.base import Optics
from edge.capture.picamera import PicameraSource, lores_size
from edge.capture.picamera_controls import controls_for
from edge.errors import CameraError, ConfigError, MissingPackageError, SpentProcessError


@pytest.fixture(autouse=True)
def picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in picamera2_modules().items():
        monkeypatch.setitem(sys.modules, name, module)


def opened(**options: Any) -> PicameraSource:
    return PicameraSource(0, **{"width": 640, "height": 480, "fps": 30.0, "wait_s": 5.0, **options})


class TestStreams:
    @pytest.mark.parametrize(
        ("machine", "least", "described", "tried"),
        [
            ("pi4", (224, 224), "300x224 (from 640x480) YUV420", [("YUV420", "RGB888"), ("YUV420", "YUV420")]),
            ("pi5", (224, 224), "300x224 (from 640x480) RGB888", [("YUV420", "RGB888")]),
            ("pi4", None, "640x480 RGB888", [("RGB888", None)]),
            ("pi4", (1200, 900), "640x480 RGB888", [("RGB888", None)]),
            ("vimc", None, "640x480 BGR888", [("RGB888", None), ("BGR888", None)]),
            ("virtual", None, "640x480 NV12", [("RGB888", None)]),
        ],
    )
    def test_each_machine_gives_what_it_can(
        self,
        machine: str,
        least: tuple[int, int] | None,
        described: str,
        tried: list[tuple[str, str | None]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(StandInPicamera2, "machine", machine)
        source = opened(least=least)
        assert described in source.description
        assert StandInPicamera2.latest.tried == tried

    @pytest.mark.parametrize("machine", ["vimc", "virtual"])
    def test_without_lores_the_main_stream_serves(self, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInPicamera2, "machine", machine)
        assert opened(least=(224, 224)).read().image_bgr.shape == (480, 640, 3)

    @pytest.mark.parametrize("machine", ["pi4", "pi5", "vimc", "virtual"])
    @pytest.mark.parametrize("least", [None, (100, 100)])
    def test_colours_are_right_on_every_machine(
        self, machine: str, least: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Blue stays blue in every format; rows are padded in all of them."""
        monkeypatch.setattr(StandInPicamera2, "machine", machine)
        image = opened(least=least).read().image_bgr
        height, width = image.shape[:2]
        assert np.abs(image[height // 2, width // 8].astype(int) - BLUISH).max() <= 4
        assert np.abs(image[height // 2, -width // 8].astype(int) - REDDISH).max() <= 4
        assert np.abs(image[-1, -1].astype(int) - REDDISH).max() <= 4

    def test_a_rate_out_of_reach_is_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        opened(fps=30.0)
        assert not caplog.records
        opened(fps=120.0)
        assert "requested 120 frames/s, at this size it makes 0.00833 to 60" in caplog.text

    @given(
        main=st.tuples(st.integers(16, 4096), st.integers(16, 4096)).map(lambda size: (size[0] * 2, size[1] * 2)),
        least=st.tuples(st.integers(1, 1000), st.integers(1, 1000)),
    )
    def test_a_small_stream_is_even_large_enough_and_in_shape(
        self, main: tuple[int, int], least: tuple[int, int]
    ) -> None:
        size = lores_size(main, least)
        if size is None:
            assert max(least[0] / main[0], least[1] / main[1]) > 1 - 2 / min(main)
            return
        assert size[0] % 2 == size[1] % 2 == 0
        assert least[0] <= size[0] < main[0]
        assert least[1] <= size[1] < main[1]
        assert abs(size[0] - size[1] * main[0] / main[1]) <= 2 * (1 + main[0] / main[1])


class TestFrames:
    def test_their_age_counts(self) -> None:
        frame = opened().read()
        assert time.monotonic() - frame.captured_mono_s >= 0.0199

    def test_requests_are_given_back_at_once(self) -> None:
        source = opened()
        for _ in range(10):  # the replacement has only one request
            source.read()
        assert StandInPicamera2.latest.held == 0

    def test_closing_stops_and_closes(self) -> None:
        source = opened()
        source.read()
        source.close()
        assert StandInPicamera2.latest.state == ["started", "stopped", "closed"]

    def test_a_stall_is_an_error_not_a_hang(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInPicamera2, "stalls_after", 2)
        source = opened(wait_s=0.1)
        for _ in range(2):
            source.read()
        for _ in range(2):
            with pytest.raises(CameraError, match=r"picamera2:0: no frame within 0.1 s.*cable"):
                source.read()
        source.close()
        assert StandInPicamera2.latest.state[-1] == "closed"

    def test_a_camera_that_does_not_close_is_left_behind(
        self, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(picamera, "_CLOSE_S", 0.05)
        monkeypatch.setattr(StandInPicamera2, "stop", lambda _: time.sleep(1))
        opened().close()
        assert "did not close within 0.05 s; left to the end of the process" in caplog.text


class TestRefusals:
    def test_a_camera_that_is_not_there_says_what_to_check(self) -> None:
        with pytest.raises(SpentProcessError, match=r"picamera2:3 is not there; 1 found: .*ribbon cable"):
            PicameraSource(3, width=64, height=48, fps=30, wait_s=5.0)

    def test_a_forbidden_camera_looks_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(StandInPicamera2, "global_camera_info", staticmethod(list))
        monkeypatch.setattr(Path, "glob", lambda *_: iter([Path("/dev/media0")]))
        monkeypatch.setattr(picamera.os, "access", lambda *_: False)
        with pytest.raises(CameraError, match="group `video`"):
            opened()

    @pytest.mark.parametrize(
        ("cause", "fix"),
        [
            ("Failed to acquire camera: Device or resource busy", "is another program using it"),
            ("[Errno 13] Permission denied: '/dev/dma_heap/linux,cma'", "group `video`"),
            ("Could not open any dmaHeap device", "group `video`"),
        ],
    )
    def test_the_cause_is_told_not_picamera2s_excuse(
        self, cause: str, fix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StandInPicamera2, "busy", cause)
        with pytest.raises(SpentProcessError, match=fix) as caught:
            opened()
        assert cause in str(caught.value)
        assert "did not complete" not in str(caught.value)

    def test_a_camera_that_takes_no_format_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: StandInPicamera2) -> None:
            raise RuntimeError("Failed to start camera:\nBroken pipe")

        monkeypatch.setattr(StandInPicamera2, "start", refuse)
        with pytest.raises(CameraError, match="takes no format at 640x480: NV12: Failed to start camera: Broken pipe"):
            opened(least=(224, 224))
        assert StandInPicamera2.latest.state == ["closed"]

    def test_without_picamera2_the_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "picamera2", None)
        with pytest.raises(MissingPackageError, match="apt install python3-picamera2"):
            opened()

    def test_a_setting_that_the_camera_lacks_gives_the_camera_back(self) -> None:
        with pytest.raises(ConfigError, match="this camera has no LensPosition"):
            opened(optics=Optics(focus=2.0))
        assert StandInPicamera2.latest.state == ["closed"]


CAMERA_MODULE_3 = {
    "ExposureTime": (26, 112_015_443, 20_000),
    "AnalogueGain": (1.1, 16.0, 1.1),
    "FrameDurationLimits": (17_849, 112_015_443, 33_333),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 32.0, 1.0),
}
FIXED_LENS = {name: CAMERA_MODULE_3[name] for name in ("ExposureTime", "AnalogueGain", "FrameDurationLimits")}


@pytest.mark.parametrize(
    ("available", "optics", "fps", "expected"),
    [
        (FIXED_LENS, Optics(), None, {}),
        (CAMERA_MODULE_3, Optics(), None, {"AfMode": 2}),
        (CAMERA_MODULE_3, Optics(focus=0.0), None, {"AfMode": 0, "LensPosition": 0.0}),
        (FIXED_LENS, Optics(), 10, {"FrameDurationLimits": (100_000, 100_000)}),
        (
            FIXED_LENS,
            Optics(exposure_us=500, gain=4.0),
            None,
            {"ExposureTime": 500, "AnalogueGain": 4.0, "FrameDurationLimits": (33_333, 33_333)},
        ),
        # A frame takes at least as long as its exposure.
        (
            FIXED_LENS,
            Optics(exposure_us=200_000),
            None,
            {"ExposureTime": 200_000, "FrameDurationLimits": (200_000, 200_000)},
        ),
        # vimc and the virtual camera have none of this.
        ({}, Optics(), 30, {}),
        # Without an upper end from the camera, every larger value is accepted.
        ({"AnalogueGain": (1, 1, 1)}, Optics(gain=8), None, {"AnalogueGain": 8}),
    ],
)
def test_settings_become_controls(
    available: dict[str, Any], optics: Optics, fps: float | None, expected: dict[str, Any]
) -> None:
    assert controls_for(available, optics, fps) == expected


@pytest.mark.parametrize(
    ("available", "optics", "fps", "message"),
    [
        (
            FIXED_LENS,
            Optics(focus=1),
            None,
            'camera.focus = 1: this camera has no LensPosition: leave camera.focus = "',
        ),
        ({}, Optics(gain=2), None, "camera.gain = 2: this camera has no AnalogueGain: leave camera.gain out"),
        (FIXED_LENS, Optics(gain=40), None, "camera.gain = 40: must be from 1.1 to 16"),
        (FIXED_LENS, Optics(exposure_us=1), None, "camera.exposure = 1: must be from 26"),
        (FIXED_LENS, Optics(exposure_us=50_000), 30, "at most 33333 microseconds at 30 frames/s"),
    ],
)
def test_a_setting_that_this_camera_lacks_is_named(
    available: dict[str, Any], optics: Optics, fps: float | None, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        controls_for(available, optics, fps)
