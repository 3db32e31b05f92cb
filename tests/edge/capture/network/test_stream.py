"""Network cameras: a real server on this machine, and one that accepts connections and sends nothing."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from camera_standins import BLUISH, mjpeg_server
from hypothesis import given
from hypothesis import strategies as st

from edge.capture.ffmpeg import open_video
from edge.capture.network.stream import StreamSource
from edge.errors import CameraError
from edge.printable import masked


@pytest.fixture
def mute() -> Iterator[int]:
    """Run a server that accepts connections and sends nothing; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


class TestFrames:
    def test_they_come_as_they_were_sent(self) -> None:
        with mjpeg_server() as url:
            source = StreamSource(url, wait_s=5)
            image = source.read().image_bgr
            assert np.abs(image[24, 10].astype(int) - BLUISH).max() <= 12  # JPEG, and up to 7 levels brighter
            source.close()

    def test_the_newest_wins(self) -> None:
        """A late reader gets no old frames: the numbers jump."""
        with mjpeg_server() as url:
            source = StreamSource(url, wait_s=5)
            first = source.read()
            time.sleep(0.5)
            source.read()
            late = source.read()
            assert late.sequence > first.sequence + 2
            assert time.monotonic() - late.captured_mono_s < 0.3
            source.close()

    def test_a_camera_that_changes_its_size_goes_on(self) -> None:
        with mjpeg_server(sizes=((64, 48), (320, 240)), frames=60) as url:
            source = StreamSource(url, wait_s=5)
            with pytest.raises(CameraError, match="or it ended"):
                while True:
                    last = source.read()
            assert last.sequence == 59
            assert last.image_bgr.shape == (240, 320, 3)
            source.close()


class TestWholePictures:
    """FFmpeg would complete a picture with parts of the previous one."""

    def test_one_that_is_cut_off_on_the_way_is_left_out(self, caplog: pytest.LogCaptureFixture) -> None:
        """Its lower half would be of another frame: here, of another size and colour."""
        with mjpeg_server(frames=60, cut_off=range(20, 40)) as url:
            source = StreamSource(url, wait_s=5)
            with pytest.raises(CameraError, match=r"or it ended \(20 pictures were left out, the last: truncated\)"):
                while True:
                    last = source.read()
            assert last.sequence == 39  # of 40 whole ones
            source.close()
        assert caplog.text.count("left out a picture: truncated") == 1

    def test_one_that_the_end_of_the_connection_cuts_off_is_left_out(self) -> None:
        with mjpeg_server(frames=20, then="half") as url:
            source = StreamSource(url, wait_s=5)
            with pytest.raises(CameraError, match="or it ended"):
                while True:
                    last = source.read()
            assert last.sequence == 19
            source.close()

    def test_a_camera_that_sends_none_at_all_is_a_fault(self) -> None:
        with mjpeg_server(frames=300, cut_off=range(1, 300)) as url:
            source = StreamSource(url, wait_s=0.5)
            with pytest.raises(CameraError, match="pictures were left out, the last: truncated"):
                while True:
                    source.read()
            source.close()

    def test_other_formats_come_without_what_is_known_to_be_incomplete(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A transport stream counts its packets. If one is missing, FFmpeg would deliver its picture half filled."""
        monkeypatch.delenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", raising=False)
        path = tmp_path / "walk.ts"
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 25, (320, 240))
        noise = np.random.default_rng(1).integers(0, 255, (240, 320, 3), np.uint8)
        for number in range(30):
            writer.write(np.roll(noise, 5 * number, 1))
        writer.release()
        sent = path.read_bytes()
        middle = len(sent) // 188 // 2 * 188
        path.write_bytes(sent[:middle] + sent[middle + 188 :])
        capture = open_video(path, (320, 240))
        assert sum(capture.read()[0] for _ in range(60)) == 29


class TestFailures:
    def test_a_stream_that_ends_is_a_fault(self) -> None:
        with mjpeg_server(frames=20) as url:
            source = StreamSource(url, wait_s=5)
            for _ in range(2):
                with pytest.raises(CameraError, match=r"stream http://127.0.0.1:\d+/: no frame .*, or it ended"):
                    while True:
                        source.read()
            source.close()

    def test_a_stream_that_falls_silent_is_given_up_in_time(self) -> None:
        with mjpeg_server(frames=20, then="silence") as url:
            source = StreamSource(url, wait_s=0.5)
            started = time.monotonic()
            with pytest.raises(CameraError, match=r"no frame within 0\.5 s"):
                while True:
                    source.read()
            assert time.monotonic() - started < 5
            source.close()

    @pytest.mark.parametrize("scheme", ["http", "rtsp", "https"])
    def test_a_server_that_never_answers_is_given_up_in_time(self, scheme: str, mute: int) -> None:
        started = time.monotonic()
        with pytest.raises(CameraError, match=r"no frame within 0\.5 s.*raise camera\.timeout_s"):
            StreamSource(f"{scheme}://127.0.0.1:{mute}/stream", wait_s=0.5)
        assert time.monotonic() - started < 5

    def test_nobody_listens(self) -> None:
        with pytest.raises(CameraError, match="cannot be opened: check address"):
            StreamSource("rtsp://127.0.0.1:1/stream", wait_s=5)

    def test_no_such_stream(self) -> None:
        with mjpeg_server(path="/stream") as url, pytest.raises(CameraError, match="cannot be opened"):
            StreamSource(url + "s", wait_s=5)


class TestPasswords:
    def test_they_show_nowhere(self, mute: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture) -> None:
        """Not in the description, not in errors, not in what OpenCV and FFmpeg print."""
        said = []
        with mjpeg_server() as url:
            source = StreamSource(url.replace("://", "://me:hush%40@"), wait_s=5)
            said.append(source.description)
            source.close()
        for url in (f"rtsp://me:hush@127.0.0.1:{mute}/", "http://me:hush@127.0.0.1:1/?pwd=hush"):
            with pytest.raises(CameraError) as caught:
                StreamSource(url, wait_s=0.5)
            said.append(str(caught.value))
        printed = capfd.readouterr()
        assert "stream http://***@127.0.0.1:" in said[0]
        assert "hush" not in " ".join([*said, caplog.text, printed.out, printed.err])

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("rtsp://cam/stream", "rtsp://cam/stream"),
            ("rtsp://me:hush@cam:554/stream", "rtsp://***@cam:554/stream"),
            ("rtsp://me@cam/stream", "rtsp://***@cam/stream"),
            ("rtsp://me:hu/sh@cam/stream", "rtsp://***@cam/stream"),
            ("rtsp://me:hu@sh@cam/stream", "rtsp://***@cam/stream"),
            ("http://cam/video?user=me&pwd=hush", "http://cam/video?***"),
            ("/home/me/clip.avi", "/home/me/clip.avi"),
        ],
    )
    def test_what_is_shown(self, url: str, shown: str) -> None:
        assert masked(url) == shown

    @given(user=st.text(), password=st.text(min_size=1))
    def test_any_password_is_hidden(self, user: str, password: str) -> None:
        assert masked(f"rtsp://{user}:{password}@cam/1") == "rtsp://***@cam/1"


def test_a_program_that_ends_without_closing_ends_well() -> None:
    """Otherwise the interpreter's end is an exception for a thread in OpenCV, and the process aborts."""
    program = (
        "import sys\n"
        "from edge.capture.network.stream import StreamSource\n"
        "source = StreamSource(sys.argv[1], wait_s=5)\n"
        "source.read()\n"
    )
    with mjpeg_server() as url:
        ran = subprocess.run([sys.executable, "-c", program, url], check=False, timeout=60)
    assert ran.returncode == 0
