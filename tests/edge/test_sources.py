"""One contract, every source that can run here."""

import errno
import os
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.capture.base import FrameSource
from edge.capture.pace import Pacer
from edge.capture.picamera import PicameraSource
from edge.capture.replay import FolderSource, VideoSource
from edge.capture.synthetic import SyntheticSource
from edge.capture.v4l2 import V4l2Source
from edge.cli.sources import open_source
from edge.config import Camera
from edge.errors import CameraError, ConfigError, EndOfStream, ImageError, MissingInputError, MissingPackageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, the n-th of grey level 40n, and a file that is none."""
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50, (64, 48))
    for number in range(10):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


class StandInRequest:
    """A picamera2 request: its array is the camera's memory, and it must be released."""

    def __init__(self, camera: "StandInPicamera2") -> None:
        self.camera = camera

    def make_array(self, name: str) -> NDArray[np.uint8]:
        assert name == "main"
        self.camera.memory[:] += 1
        return self.camera.memory

    def get_metadata(self) -> dict[str, int]:
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 20_000_000}

    def release(self) -> None:
        self.camera.held -= 1


class StandInPicamera2:
    """As much of picamera2's documented interface as the source uses; refuses what the real one would."""

    latest: ClassVar["StandInPicamera2"]

    def __init__(self, number: int) -> None:
        self.memory = np.zeros((48, 64 + 16, 3), np.uint8)  # rows are padded, as the real ones are
        self.held = self.frames = 0
        self.state: list[str] = []
        StandInPicamera2.latest = self

    @staticmethod
    def global_camera_info() -> list[dict[str, str]]:
        return [{"Model": "stand-in"}]

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        assert wanted["main"]["format"] == "RGB888"  # which is B, G, R in memory
        return wanted

    def configure(self, configuration: dict[str, Any]) -> None:
        assert not self.state, "configured once, before the start"
        self.configuration = configuration
        self.state.append("configured")

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def start(self) -> None:
        self.state.append("started")

    def capture_request(self, wait: float) -> StandInRequest:
        assert isinstance(wait, float), "without a number picamera2 waits for ever"
        if self.frames >= 50:
            raise TimeoutError
        assert self.held == 0, "the camera stalls while requests are held"
        self.held += 1
        self.frames += 1
        return StandInRequest(self)

    def stop(self) -> None:
        self.state.append("stopped")

    def close(self) -> None:
        self.state.append("closed")


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("picamera2")
    module.Picamera2 = StandInPicamera2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)


SOURCES = ["folder", "folder-paced", "video", "video-paced", "synthetic", "synthetic-paced", "picamera2"]


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, folder: Path, video: Path, picamera2: None) -> Iterator[FrameSource]:
    makers: dict[str, Callable[[], FrameSource]] = {
        "folder": lambda: FolderSource(folder, fps=None, loop=False),
        "folder-paced": lambda: FolderSource(folder, fps=50, loop=False),
        "video": lambda: VideoSource(video, realtime=False, fps=None, loop=False),
        "video-paced": lambda: VideoSource(video, realtime=True, fps=None, loop=False),
        "synthetic": lambda: SyntheticSource(width=64, height=48, fps=None),
        "synthetic-paced": lambda: SyntheticSource(width=64, height=48, fps=50),
        "picamera2": lambda: PicameraSource(0, width=64, height=48, fps=30, wait_s=5.0),
    }
    made = makers[request.param]()
    yield made
    made.close()


class TestContract:
    def test_frames_are_bgr_pictures_of_the_promised_size(self, source: FrameSource) -> None:
        image = source.read().image_bgr
        assert image.dtype == np.uint8
        assert image.shape == (48, 64, 3)
        assert image.flags.c_contiguous

    def test_numbers_count_up_and_clocks_go_forward(self, source: FrameSource) -> None:
        frames = [source.read() for _ in range(4)]
        assert [frame.sequence for frame in frames] == [0, 1, 2, 3]
        stamps = [frame.captured_mono_s for frame in frames]
        assert stamps == sorted(stamps)
        assert abs(frames[-1].captured_wall_s - time.time()) < 60
        assert 0 <= time.monotonic() - stamps[-1] < 60

    def test_a_frame_keeps_its_pixels_when_the_next_one_comes(self, source: FrameSource) -> None:
        first = source.read()
        before = first.image_bgr.copy()
        source.read()
        assert np.array_equal(first.image_bgr, before)

    def test_closing_twice_is_fine_and_ends_the_frames(self, source: FrameSource) -> None:
        source.read()
        source.close()
        source.close()
        with pytest.raises(EndOfStream):
            for _ in range(20):
                source.read()

    def test_it_says_what_it_is(self, source: FrameSource) -> None:
        assert len(source.description) > 10
        assert "\n" not in source.description


def test_a_folder_is_replayed_in_the_order_of_names(folder: Path) -> None:
    source = FolderSource(folder, fps=None, loop=False)
    frames = [source.read() for _ in range(4)]
    assert [frame.name for frame in frames] == ["0.png", "1.png", "2.png", "3.png"]
    assert [int(frame.image_bgr[0, 0, 0]) for frame in frames] == [0, 40, 80, 120]
    with pytest.raises(EndOfStream, match="4 pictures were replayed"):
        source.read()


def test_a_looped_folder_begins_again(folder: Path) -> None:
    source = FolderSource(folder, fps=None, loop=True)
    assert [source.read().name for _ in range(9)][-1] == "0.png"


@pytest.mark.parametrize("loop", [False, True])
def test_pictures_that_cannot_be_read_are_left_out(folder: Path, loop: bool, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "1.png").write_bytes(b"damaged")
    source = FolderSource(folder, fps=None, loop=loop)
    assert [source.read().name for _ in range(3)] == ["0.png", "2.png", "3.png"]
    assert "1.png: not a picture" in caplog.text


@pytest.mark.parametrize("loop", [False, True])
def test_a_folder_of_nothing_but_damage_is_an_error(tmp_path: Path, loop: bool) -> None:
    (tmp_path / "1.jpg").write_bytes(b"damaged")
    with pytest.raises(ImageError, match="none of the pictures"):
        FolderSource(tmp_path, fps=None, loop=loop).read()


def test_a_looped_video_begins_again(video: Path) -> None:
    source = VideoSource(video, realtime=False, fps=None, loop=True)
    levels = [int(source.read().image_bgr.mean()) for _ in range(12)]
    assert levels[10] == pytest.approx(levels[0], abs=3)
    assert levels[9] > 150


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "film.mp4"
    fake.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(CameraError, match="OpenCV cannot open it"):
        VideoSource(fake, realtime=False, fps=None, loop=False)


def test_real_time_keeps_the_rate() -> None:
    """Ten periods of 10 ms take at least 90 ms, whatever the load of this machine."""
    pacer = Pacer(100)
    started = time.monotonic()
    for _ in range(11):
        pacer.wait()
    assert time.monotonic() - started >= 0.09


def test_a_late_reader_gets_the_next_frame_not_a_burst() -> None:
    pacer = Pacer(50)
    pacer.wait()
    time.sleep(0.2)  # ten periods late
    started = time.monotonic()
    for _ in range(4):
        pacer.wait()
    assert time.monotonic() - started >= 0.03


def test_stopping_ends_a_wait() -> None:
    pacer = Pacer(0.01)
    pacer.wait()
    threading.Timer(0.05, pacer.stop).start()
    with pytest.raises(EndOfStream):
        pacer.wait()


class TestPicamera:
    def test_it_is_configured_once_and_closed(self, picamera2: None) -> None:
        source = PicameraSource(0, width=64, height=48, fps=30, wait_s=5.0)
        source.read()
        source.close()
        assert StandInPicamera2.latest.state == ["configured", "started", "stopped", "closed"]
        assert StandInPicamera2.latest.held == 0

    def test_the_frames_age_counts(self, picamera2: None) -> None:
        source = PicameraSource(0, width=64, height=48, fps=30, wait_s=5.0)
        assert time.monotonic() - source.read().captured_mono_s >= 0.0199

    def test_a_stall_is_an_error_not_a_hang(self, picamera2: None) -> None:
        source = PicameraSource(0, width=64, height=48, fps=30, wait_s=5.0)
        with pytest.raises(CameraError, match="no frame within 5 s"):
            for _ in range(60):
                source.read()

    def test_a_camera_that_is_not_there_says_what_to_check(self, picamera2: None) -> None:
        with pytest.raises(CameraError, match="picamera2:3 is not there; 1 found"):
            PicameraSource(3, width=64, height=48, fps=30, wait_s=5.0)

    def test_without_picamera2_the_package_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "picamera2", None)
        with pytest.raises(MissingPackageError, match="apt install python3-picamera2"):
            PicameraSource(0, width=64, height=48, fps=30, wait_s=5.0)


class TestV4l2:
    def test_a_camera_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(CameraError, match="No such file or directory: plug it in"):
            V4l2Source(tmp_path / "video9", width=64, height=48, fps=None, wait_s=5.0)

    def test_something_that_is_no_camera(self, tmp_path: Path) -> None:
        (tmp_path / "video9").write_text("a file")
        with pytest.raises(CameraError, match="busy, or not a camera"):
            V4l2Source(tmp_path / "video9", width=64, height=48, fps=None, wait_s=5.0)

    def test_a_camera_that_is_forbidden(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        monkeypatch.setattr(os, "open", refuse)  # root, who may run the tests, may open everything
        with pytest.raises(CameraError, match="group `video`"):
            V4l2Source(tmp_path / "video9", width=64, height=48, fps=None, wait_s=5.0)


@pytest.mark.parametrize(
    ("camera", "error", "message"),
    [
        (Camera(source="nowhere"), MissingInputError, "'nowhere' is not there: give a folder"),
        (Camera(source="nowhere.jpg"), MissingInputError, "no such picture"),
        (Camera(source="/dev/video77"), CameraError, "plug it in"),
        (Camera(source="picamera2", realtime=False), ConfigError, "cannot run flat out"),
    ],
)
def test_a_source_that_cannot_be_had_is_one_clear_line(camera: Camera, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        open_source(camera)


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no pictures there"):
        open_source(Camera(source=str(tmp_path)))


def test_names_pick_the_source(folder: Path, video: Path) -> None:
    kinds = {
        str(folder): FolderSource,
        str(folder / "1.png"): FolderSource,
        str(video): VideoSource,
        "synthetic": SyntheticSource,
    }
    for name, kind in kinds.items():
        assert isinstance(open_source(Camera(source=name)), kind)


def test_a_picture_that_disappears_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = FolderSource(folder, fps=None, loop=False)
    (folder / "2.png").unlink()
    assert [source.read().name for _ in range(3)] == ["0.png", "1.png", "3.png"]
    assert "2.png: no such file" in caplog.text


def test_hidden_folders_are_passed_over(folder: Path) -> None:
    (folder / ".thumbs").mkdir()
    (folder / "1.png").rename(folder / ".thumbs" / "1.png")
    source = FolderSource(folder, fps=None, loop=False)
    assert [source.read().name for _ in range(3)] == ["0.png", "2.png", "3.png"]


def test_a_video_named_by_its_time_is_opened(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    named = video.rename(video.parent / "2026-01-01T12:30:00.avi")
    source = VideoSource(Path(named.name), realtime=False, fps=None, loop=False)
    assert source.read().image_bgr.shape == (48, 64, 3)
