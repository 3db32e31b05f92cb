"""The product's V4l2Source, on a camera of the kernel: vivid, which plays a USB webcam."""

import json
import logging
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from colour_bars import bars, in_order

from edge.capture.base import Optics
from edge.capture.v4l2 import V4l2Source
from edge.errors import CameraError

BENCH = Path("/bench")
VIDEO = Path("/dev/video0")
DRIVER = Path("/sys/bus/platform/drivers/vivid")


def shell(*words: str) -> None:
    subprocess.run(words, check=True)


def control(**values: int) -> None:
    """Set what vivid shall do, such as to drop all frames."""
    shell("v4l2-ctl", "-d", str(VIDEO), "-c", ",".join(f"{name}={value}" for name, value in values.items()))


@pytest.fixture(autouse=True)
def _vivid() -> Iterator[None]:
    """One camera, a webcam, as it comes."""
    shell("modprobe", "vivid", "n_devs=1", "node_types=0x1")
    shell("udevadm", "settle")
    assert VIDEO.exists()
    yield
    shell("modprobe", "-r", "vivid")


def opened(**options: object) -> V4l2Source:
    return V4l2Source(VIDEO, **{"width": 640, "height": 480, "fps": 30.0, "wait_s": 5.0, **options})


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_what_is_asked_for_is_given_and_told(caplog: pytest.LogCaptureFixture) -> None:
    source = opened(pixel_format="YUYV")
    assert source.description == f"camera {VIDEO} vivid 640x480 YUYV, 30 frames/s"
    assert source.read().image_bgr.shape == (480, 640, 3)
    source.close()
    assert warnings(caplog) == []


def test_what_it_cannot_do_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    source = opened(width=700, height=500, fps=29.0, pixel_format="MJPG")
    assert source.read().image_bgr.size
    source.close()
    (told,) = warnings(caplog)
    assert "requested 700x500, 29 frames/s, MJPG; `v4l2-ctl -d /dev/video0 --list-formats-ext`" in told


def test_colours_are_right() -> None:
    source = opened()
    image = source.read().image_bgr
    source.close()
    assert in_order(bars(image, bright=191)), bars(image, bright=191)


def test_frames_are_new_in_order_and_as_old_as_the_driver_says() -> None:
    source = opened()
    frames = [source.read() for _ in range(5)]
    ages_s = [time.monotonic() - frames[-1].captured_mono_s]
    source.close()
    numbers = [frame.sequence for frame in frames]
    assert numbers == sorted(set(numbers))
    times = [frame.captured_mono_s for frame in frames]
    assert times == sorted(set(times))
    assert all(0 < age_s < 1 for age_s in ages_s)
    assert not np.array_equal(frames[0].image_bgr, frames[-1].image_bgr), "vivid counts in the picture"


def test_gain_is_set_in_place_of_the_cameras_own_and_what_it_lacks_is_named() -> None:
    opened(optics=Optics(gain=40)).close()
    shown = subprocess.run(["v4l2-ctl", "-d", VIDEO, "-C", "gain"], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["gain:", "40"]
    with pytest.raises(CameraError, match=r'refuses camera.exposure = 8000: set it to "auto"'):
        opened(optics=Optics(exposure_us=8000))
    opened().close()


def test_a_camera_that_another_program_uses(elsewhere: Callable[[str], AbstractContextManager[None]]) -> None:
    streams = (
        "import cv2, sys\n"
        "capture = cv2.VideoCapture('/dev/video0', cv2.CAP_V4L2)\n"
        "assert capture.read()[0]\n"
        "print('streams', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with elsewhere(streams), pytest.raises(CameraError, match="Device or resource busy: another program uses it"):
        opened()
    opened().close()


def test_without_permission_it_says_so(as_nobody: Callable[[str], str]) -> None:
    assert as_nobody("from check_vivid import opened; opened()").startswith(
        "edge.errors.CameraError: camera /dev/video0: Permission denied: add the user to the group"
    )


def test_a_camera_that_stalls_ends_a_read_in_time_and_goes_on_later() -> None:
    source = opened()
    source.read()
    control(percentage_of_dropped_buffers=100)
    started_s = time.monotonic()
    with pytest.raises(CameraError, match=r"no frame within 5 s: it stalled"):
        for _ in range(100):
            source.read()
    assert time.monotonic() - started_s < 9
    source.close()
    control(percentage_of_dropped_buffers=0)
    source = opened()
    source.read()
    source.close()


def test_unplugged_while_it_runs_and_plugged_in_again() -> None:
    """The driver lets go of the device, as that of a USB camera does."""
    source = opened()
    source.read()
    device = next(DRIVER.glob("vivid.*")).name
    (DRIVER / "unbind").write_text(device)
    started_s = time.monotonic()
    with pytest.raises(CameraError, match="unplugged: plug it in again"):
        for _ in range(1000):
            source.read()
    assert time.monotonic() - started_s < 6
    source.close()
    with pytest.raises(CameraError, match="No such file or directory: plug it in"):
        opened()
    (DRIVER / "bind").write_text(device)
    shell("udevadm", "settle")
    source = opened()
    source.read()
    source.close()


def test_the_program_runs_on_it(run_fieldfare: Callable[..., CompletedProcess[str]]) -> None:
    done = run_fieldfare("run", "--bundle", BENCH / "bundle", "--source", VIDEO, "--frames", "10", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 10
    assert all(line["label"] for line in lines)
    assert "camera /dev/video0 vivid 640x480" in done.stderr
