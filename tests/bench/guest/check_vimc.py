"""The product's PicameraSource, on the real picamera2 and a camera of the kernel: vimc. Emulated, it needs about
half a second for a frame."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from colour_bars import bars, in_order

from edge.capture import picamera
from edge.capture.picamera import PicameraSource
from edge.errors import CameraError

BENCH = Path("/bench")


@pytest.fixture(scope="module", autouse=True)
def _only_vimc() -> None:
    os.environ["LIBCAMERA_PIPELINES_MATCH_LIST"] = "vimc"
    picamera._CLOSE_S = 30.0  # emulated on a busy machine, closing may take longer than the 2 s of a real one
    subprocess.run("modprobe vimc && udevadm settle", shell=True, check=True)


def opened(**options: object) -> PicameraSource:
    return PicameraSource(0, **{"width": 320, "height": 240, "fps": None, "wait_s": 20.0, **options})


@pytest.fixture
def source() -> Iterator[PicameraSource]:
    source = opened()
    yield source
    source.close()


def test_a_format_that_it_does_not_start_in_is_passed_over(source: PicameraSource) -> None:
    """RGB888 is tried first; vimc takes it, and then fails at the start."""
    assert "320x240 BGR888" in source.description


def test_frames_are_in_order_in_right_colours_and_as_old_as_they_are(source: PicameraSource) -> None:
    frames = [source.read() for _ in range(3)]
    assert [frame.sequence for frame in frames] == [0, 1, 2]
    assert all(0 <= time.monotonic() - frame.captured_mono_s < 15 for frame in frames)
    assert frames[0].captured_mono_s < frames[1].captured_mono_s < frames[2].captured_mono_s
    image = frames[-1].image_bgr
    assert image.shape == (240, 320, 3)
    assert in_order(bars(image, bright=191, within=48)), bars(image, bright=191, within=48)


def test_it_closes_and_opens_again_and_serves_without_a_small_stream() -> None:
    opened().close()
    source = opened(least=(224, 224))
    assert source.read().image_bgr.shape == (240, 320, 3)
    source.close()


def test_a_camera_that_another_program_uses(elsewhere: Callable[[str], AbstractContextManager[None]]) -> None:
    """The other one only holds it: libcamera does not even list a vimc that streams elsewhere."""
    holds = "from picamera2 import Picamera2\ncamera = Picamera2(0)\nprint('holds it', flush=True)\ninput()\n"
    with elsewhere(holds), pytest.raises(CameraError, match="is another program using it"):
        opened()


def test_without_permission_it_says_so(as_nobody: Callable[[str], str]) -> None:
    told = as_nobody("from check_vimc import opened; opened()")
    assert told.startswith(
        "edge.errors.SpentProcessError: camera picamera2:0 is not there; 0 found: no permission for /dev/media"
    )


def test_the_program_runs_on_it(run_fieldfare: Callable[..., CompletedProcess[str]]) -> None:
    camera = ("--source", "picamera2", "--size", "320x240")
    done = run_fieldfare("run", "--bundle", BENCH / "bundle", *camera, "--frames", "3", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3
    assert all(line["label"] for line in lines)
    assert "BGR888" in done.stderr


def test_a_camera_too_slow_for_the_wait_ends_a_read_in_time() -> None:
    source = opened(wait_s=0.01)
    started_s = time.monotonic()
    with pytest.raises(CameraError, match=r"no frame within 0\.01 s"):
        source.read()
    source.close()
    assert time.monotonic() - started_s < 5
    opened().close()
