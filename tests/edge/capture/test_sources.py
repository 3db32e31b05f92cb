"""Every source keeps one contract, and each setting opens the right source."""

import fcntl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from camera_standins import (
    StandInPicamera2,
    StandInWebcam,
    mjpeg_server,
    picamera2_modules,
    snapshot_server,
    webcam_ioctl,
)

from edge.capture.base import FrameSource
from edge.capture.network.stream import StreamSource
from edge.capture.opening import open_source
from edge.capture.pace import Pacer
from edge.capture.picamera import PicameraSource
from edge.capture.replay.folder import FolderSource
from edge.capture.replay.video import VideoSource
from edge.capture.synthetic import SyntheticSource
from edge.capture.v4l2 import V4l2Source
from edge.config.running import Camera
from edge.errors import CameraError, ConfigError, EndOfStream, MissingInputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        cv2.imwrite(str(pictures / f"{number}.png"), np.full((48, 64, 3), 40 * number, np.uint8))
    return pictures


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "walk.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 50, (64, 48))
    for number in range(10):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture
def hardware(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Replace picamera2, and put a webcam at tmp_path/video0."""
    for name, module in picamera2_modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    StandInWebcam.reset()
    real = cv2.VideoCapture

    def video_capture(name: str, backend: int, *params: Any) -> Any:
        return StandInWebcam() if backend == cv2.CAP_V4L2 else real(name, backend, *params)

    monkeypatch.setattr(cv2, "VideoCapture", video_capture)
    monkeypatch.setattr(fcntl, "ioctl", webcam_ioctl())
    (tmp_path / "video0").touch()


Makers = dict[str, Callable[[], FrameSource]]

SLOW_FPS = 0.05  # twenty seconds a frame: longer than any test waits


def makers(folder: Path, video: Path, stack: ExitStack) -> Makers:
    """Return a function for every kind of source, of 64x48."""
    size = {"width": 64, "height": 48}
    device = folder.parent / "video0"
    return {
        "folder": lambda: FolderSource(folder, fps=None, loop=False),
        "folder-paced": lambda: FolderSource(folder, fps=50, loop=False),
        "video": lambda: VideoSource(video, realtime=False, fps=None, loop=False),
        "video-paced": lambda: VideoSource(video, realtime=True, fps=None, loop=False),
        "synthetic": lambda: SyntheticSource(**size, fps=None),
        "synthetic-paced": lambda: SyntheticSource(**size, fps=50),
        "synthetic-script": lambda: SyntheticSource(**size, fps=50, script="freeze 0.05; run 100; loop"),
        "picamera2": lambda: PicameraSource(0, **size, fps=30, wait_s=5.0),
        "picamera2-lores": lambda: PicameraSource(0, width=640, height=480, fps=30, wait_s=5.0, least=(64, 40)),
        "v4l2": lambda: V4l2Source(device, **size, fps=30, wait_s=5.0),
        "stream": lambda: StreamSource(stack.enter_context(mjpeg_server()), wait_s=5.0),
        "stream-polled": lambda: StreamSource(stack.enter_context(snapshot_server()), wait_s=5.0, fps=50),
    }


SOURCES = list(makers(Path(), Path(), ExitStack()))


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, folder: Path, video: Path, hardware: None) -> Iterator[FrameSource]:
    with ExitStack() as stack:
        made = makers(folder, video, stack)[request.param]()
        stack.callback(made.close)
        yield made


class TestContract:
    def test_frames_are_bgr_pictures_of_the_promised_size(self, source: FrameSource) -> None:
        image = source.read().image_bgr
        assert image.dtype == np.uint8
        assert image.shape == (48, 64, 3)
        assert image.flags.c_contiguous

    def test_numbers_count_up_and_clocks_go_forward(self, source: FrameSource) -> None:
        """A gap in the numbers means that the source itself skipped a frame."""
        frames = [source.read() for _ in range(4)]
        numbers = [frame.sequence for frame in frames]
        assert numbers == sorted(set(numbers))
        stamps = [frame.captured_mono_s for frame in frames]
        assert stamps == sorted(stamps)
        assert abs(frames[-1].captured_wall_s - time.time()) < 60
        assert 0 <= time.monotonic() - stamps[-1] < 60

    def test_a_frame_keeps_its_pixels_when_the_next_one_comes(self, source: FrameSource) -> None:
        first = source.read()
        before = first.image_bgr.copy()
        second = source.read()
        assert np.array_equal(first.image_bgr, before)
        assert not np.shares_memory(first.image_bgr, second.image_bgr)

    def test_closing_twice_is_fine_and_ends_the_frames(self, source: FrameSource) -> None:
        source.read()
        source.close()
        source.close()
        with pytest.raises(EndOfStream):
            for _ in range(20):
                source.read()

    def test_closing_before_the_first_frame_is_fine(self, source: FrameSource) -> None:
        source.close()

    def test_it_says_what_it_is_and_how_large(self, source: FrameSource) -> None:
        assert "64x48" in source.description or "4 pictures" in source.description
        assert "\n" not in source.description

    def test_only_sources_that_can_wait_promise_every_frame(self, source: FrameSource) -> None:
        live = isinstance(source, PicameraSource | V4l2Source | StreamSource)
        assert not (live and source.lossless)

    def test_only_what_may_fall_silent_is_blamed_for_it(self, source: FrameSource) -> None:
        """A camera, or a synthetic one with a rate; never a file, however slow it is to read."""
        live = isinstance(source, PicameraSource | V4l2Source | StreamSource)
        plays_one = isinstance(source, SyntheticSource) and not source.lossless
        assert source.stalls == (live or plays_one)

    def test_a_camera_repeats_no_frame(self, source: FrameSource) -> None:
        """With `has_noise` a repeated frame is a fault, unless a script caused it."""
        frames = [source.read() for _ in range(4)][-2:]
        if source.has_noise and "script" not in source.description:
            assert not np.array_equal(frames[0].image_bgr, frames[1].image_bgr)


def waiting_sources(folder: Path, video: Path, stack: ExitStack) -> Makers:
    """Return sources whose `read` waits after at most three frames."""
    size = {"width": 64, "height": 48}
    silent = {"frames": 3, "then": "silence"}
    return {
        "folder": lambda: FolderSource(folder, fps=SLOW_FPS, loop=False),
        "video": lambda: VideoSource(video, realtime=True, fps=SLOW_FPS, loop=False),
        "synthetic": lambda: SyntheticSource(**size, fps=SLOW_FPS),
        "synthetic-stall": lambda: SyntheticSource(**size, fps=50, script="stall"),
        "picamera2": lambda: PicameraSource(0, **size, fps=30, wait_s=20.0),
        "v4l2": lambda: V4l2Source(folder.parent / "video0", **size, fps=30, wait_s=20.0),
        "stream": lambda: StreamSource(stack.enter_context(mjpeg_server(**silent)), wait_s=20.0),
        "stream-polled": lambda: StreamSource(stack.enter_context(snapshot_server()), wait_s=60.0, fps=SLOW_FPS),
    }


@pytest.mark.parametrize("name", list(waiting_sources(Path(), Path(), ExitStack())))
def test_closing_ends_a_read_that_waits(
    name: str, folder: Path, video: Path, hardware: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandInPicamera2, "stalls_after", 3)
    monkeypatch.setattr(StandInWebcam, "stalls_after", 3)
    ended: list[BaseException] = []
    with ExitStack() as stack:
        source = waiting_sources(folder, video, stack)[name]()

        def read_on() -> None:
            try:
                while True:
                    source.read()
            except (EndOfStream, CameraError) as error:
                ended.append(error)

        reader = threading.Thread(target=read_on)
        reader.start()
        time.sleep(0.2)
        started = time.monotonic()
        source.close()
        reader.join(5)
        assert not reader.is_alive()
        assert time.monotonic() - started < 3
    assert len(ended) == 1


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


class TestOpenSource:
    """camera.source chooses the source."""

    @pytest.mark.parametrize(
        ("camera", "error", "message"),
        [
            (Camera(source="nowhere"), MissingInputError, "'nowhere' is not there: give a folder"),
            (Camera(source="nowhere.jpg"), MissingInputError, "no such picture"),
            (Camera(source="/dev/video77"), CameraError, "plug it in"),
            (Camera(source="picamera2", realtime=False), ConfigError, "cannot run flat out"),
            (Camera(source="rtsp://cam/1", realtime=False), ConfigError, "cannot run flat out"),
            (Camera(source="picamera2:front"), ConfigError, "must be picamera2, picamera2:0"),
            (Camera(source="rtmp://cam/1"), ConfigError, "begins with rtsp, rtsps, http, https"),
            (Camera(source="/dev/video0", script="run"), ConfigError, "script is for source"),
            (Camera(source="synthetic", script="walk 5"), ConfigError, "'walk 5'"),
        ],
    )
    def test_one_that_cannot_be_had_is_one_clear_line(
        self, camera: Camera, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message) as caught:
            open_source(camera)
        assert "\n" not in str(caught.value)

    def test_a_password_never_shows(self) -> None:
        for url in ("rtsp://me:secret@cam:0/", "foo://me:secret@cam/", "http://me:se/cret@cam/x?pwd=secret"):
            with pytest.raises(ConfigError) as caught:
                open_source(Camera(source=url))
            assert "cret" not in str(caught.value)
        with pytest.raises(ConfigError) as caught:
            open_source(Camera(source="rtsp://me:secret@cam/", script="run"))
        assert "cret" not in str(caught.value)

    def test_a_folder_without_pictures_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match="no pictures there"):
            open_source(Camera(source=str(tmp_path)))

    @pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".jpg", "y/" * 3000 + "clip.avi"])
    def test_a_name_that_no_file_can_have(self, name: str) -> None:
        with pytest.raises(MissingInputError, match=r"^source '.*: cannot read: File name too long$") as caught:
            open_source(Camera(source=name))
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("name", ["photos", "photos/1.jpg", "photos/clip.avi"])
    def test_what_cannot_be_looked_at(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "photos").symlink_to("photos")
        with pytest.raises(MissingInputError, match="cannot read: Too many levels of symbolic links"):
            open_source(Camera(source=str(tmp_path / name)))

    def test_names_pick_the_source(self, folder: Path, video: Path, hardware: None) -> None:
        kinds = {
            str(folder): FolderSource,
            str(folder / "1.png"): FolderSource,
            str(video): VideoSource,
            "synthetic": SyntheticSource,
            "picamera2": PicameraSource,
            "picamera2:0": PicameraSource,
        }
        for name, kind in kinds.items():
            source = open_source(Camera(source=name))
            assert isinstance(source, kind)
            source.close()

    def test_a_stream_is_opened_by_its_url(self) -> None:
        with mjpeg_server() as url:
            source = open_source(Camera(source=url))
            assert isinstance(source, StreamSource)
            source.close()

    @pytest.mark.parametrize(
        ("region", "expected"),
        [
            (None, (224, 300)),
            ((0.0, 0.0, 1.0, 1.0), (224, 300)),
            ((0.25, 0.5, 0.5, 0.5), (448, 598)),
            ((0.0, 0.0, 1.0, 0.5), (448, 598)),
            ((0.0, 0.0, 0.1, 0.1), (480, 640)),  # 2240 would be more than there is
        ],
    )
    def test_a_region_is_handed_over_as_large_as_the_model_needs_it(
        self, region: tuple[float, float, float, float] | None, expected: tuple[int, int], hardware: None
    ) -> None:
        source = open_source(Camera(source="picamera2", region=region), model_size=(224, 224))
        assert source.read().image_bgr.shape[:2] == expected
        source.close()

    def test_the_settings_reach_the_camera(self, hardware: None) -> None:
        camera = Camera(source="picamera2", width=640, height=480, fps=10, exposure=8000, gain=2.0)
        source = open_source(camera, model_size=(224, 224))
        assert source.read().image_bgr.shape == (224, 300, 3)
        assert StandInPicamera2.latest.controls == {
            "ExposureTime": 8000,
            "AnalogueGain": 2.0,
            "FrameDurationLimits": (100_000, 100_000),
        }
        source.close()
