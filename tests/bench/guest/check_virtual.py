"""The product's PicameraSource, on the real picamera2 and libcamera's virtual camera."""

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace

import libcamera
import numpy as np
import pytest
from colour_bars import bars, in_order
from picamera2 import Picamera2
from picamera2.allocators import dmaallocator

from edge.capture.base import Optics
from edge.capture.picamera import PicameraSource
from edge.errors import CameraError, ConfigError, EndOfStream


def _two_planes(planes: list[libcamera.FrameBuffer.Plane]) -> libcamera.FrameBuffer:
    """The virtual camera wants luma and colour as planes of their own; picamera2 gives one, as a Pi takes it."""
    (luma,) = planes  # picamera2 goes on to ask this very one for its descriptor
    colour = libcamera.FrameBuffer.Plane()
    colour.fd = luma.fd
    colour.length = luma.length // 3
    luma.length -= colour.length
    colour.offset = luma.length
    return libcamera.FrameBuffer([luma, colour])


_two_planes.Plane = libcamera.FrameBuffer.Plane  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def _like_a_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    """What picamera2 takes for granted and this camera has not: a raw stream, and buffers of one plane."""
    monkeypatch.setattr(Picamera2, "_get_raw_modes", lambda _: [{"format": "NV12", "size": (640, 480)}])
    monkeypatch.setattr(dmaallocator, "libcamera", SimpleNamespace(FrameBuffer=_two_planes))


def opened(**options: object) -> PicameraSource:
    return PicameraSource(0, **{"width": 640, "height": 480, "fps": 30.0, "wait_s": 5.0, **options})


@pytest.fixture
def source() -> Iterator[PicameraSource]:
    source = opened()
    yield source
    source.close()


def test_it_says_what_it_is(source: PicameraSource) -> None:
    assert source.description == "picamera2:0 Bars 640x480 NV12, 30 frames/s"


def test_colours_are_right(source: PicameraSource) -> None:
    image = source.read().image_bgr
    assert image.shape == (480, 640, 3)
    assert in_order(bars(image, bright=255)), bars(image, bright=255)


def test_frames_are_new_and_in_order(source: PicameraSource) -> None:
    frames = [source.read() for _ in range(5)]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4]
    times = [frame.captured_mono_s for frame in frames]
    assert times == sorted(set(times))
    assert all(not np.array_equal(a.image_bgr, b.image_bgr) for a, b in pairwise(frames))


def test_a_frame_is_as_old_as_the_sensor_says(source: PicameraSource) -> None:
    for _ in range(5):
        frame = source.read()
        assert 0 <= time.monotonic() - frame.captured_mono_s < 0.5
        assert abs((time.time() - frame.captured_wall_s) - (time.monotonic() - frame.captured_mono_s)) < 0.05


def test_it_closes_and_opens_again() -> None:
    for _ in range(3):
        source = opened()
        source.read()
        source.close()
        source.close()
        with pytest.raises(EndOfStream):
            source.read()


def test_it_closes_while_another_thread_reads(source: PicameraSource) -> None:
    ended: list[BaseException] = []

    def read_on() -> None:
        try:
            while True:
                source.read()
        except EndOfStream as error:
            ended.append(error)

    reader = threading.Thread(target=read_on)
    reader.start()
    time.sleep(0.5)
    started_s = time.monotonic()
    source.close()
    reader.join(5)
    assert ended
    assert time.monotonic() - started_s < 2


def test_another_size_than_asked_for_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    source = opened(width=1000, height=600)
    assert source.read().image_bgr.shape in {(720, 1280, 3), (480, 640, 3)}
    source.close()
    assert "requested 1000x600, it gives" in caplog.text


def test_where_no_small_stream_is_to_be_had_the_main_one_serves() -> None:
    source = opened(least=(224, 224))
    image = source.read().image_bgr
    assert in_order(bars(image, bright=255)), source.description
    source.close()


def test_a_control_that_it_lacks_is_named_and_the_camera_given_back() -> None:
    with pytest.raises(ConfigError, match="this camera has no LensPosition"):
        opened(optics=Optics(focus=2.0))
    opened().close()


def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(CameraError, match="picamera2:7 is not there; 1 found"):
        PicameraSource(7, width=640, height=480, fps=30, wait_s=5)


def test_a_camera_in_use_is_refused_and_stays_as_it_is(source: PicameraSource) -> None:
    with pytest.raises(CameraError, match="is another program using it"):
        opened()
    source.read()
