"""Folders and videos as cameras."""

import math
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edge.capture.replay.video as video_module
from edge.bundle.manifest import InputTensor, Preprocessing, Quantization
from edge.capture.opening import open_source
from edge.capture.pace import Pacer
from edge.capture.replay.folder import FolderSource
from edge.capture.replay.video import VideoSource
from edge.config.running import Camera
from edge.errors import CameraError, EndOfStream, ImageError, VideoError
from edge.preprocess import Preprocessor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures, the n-th of grey level 40n, and a file that is no picture."""
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


def written(path: Path, codec: str) -> Path:
    """Write a video of ten frames of 64x48."""
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
    for number in range(10):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def claim_size(avi: Path, width: int, height: int) -> None:
    """Change the size that an AVI's header claims."""
    whole = bytearray(avi.read_bytes())
    struct.pack_into("<II", whole, whole.index(b"strf") + 12, width, height)
    struct.pack_into("<II", whole, whole.index(b"avih") + 40, width, height)
    avi.write_bytes(whole)


def claim_in_jpegs(video: Path, width: int, height: int) -> None:
    """Change the size that each JPEG in a video claims."""
    whole, place = bytearray(video.read_bytes()), -1
    while (place := whole.find(b"\xff\xc0", place + 1)) >= 0:
        struct.pack_into(">HH", whole, place + 5, height, width)
    video.write_bytes(whole)


_WRITE_LOSSLESS = """
import sys
import cv2
import numpy as np
path, width, height = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"FFV1"), 25, (width, height))
writer.write(np.full((height, width, 3), 90, np.uint8))
writer.release()
"""
# Prints the MiB that a second video adds to the peak of a process that has read a first one.
_GROWTH = """
import resource, sys
from pathlib import Path
from edge.capture.replay.video import VideoSource
from edge.errors import EndOfStream, VideoError

def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

message, before = "", 0
for name in sys.argv[1:]:
    before = peak()
    try:
        source = VideoSource(Path(name), realtime=False, fps=None, loop=False)
        while True:
            source.read()
    except (EndOfStream, VideoError) as error:
        message = str(error)
print(peak() - before, message)
"""


def in_the_middle(video: Path) -> tuple[bytes, int]:
    """Return an AVI's bytes, and the offset of the middle of its frames."""
    whole = video.read_bytes()
    return whole, (whole.index(b"movi") + whole.rindex(b"idx1")) // 2


class TestFolder:
    def test_it_is_replayed_in_the_order_of_names(self, folder: Path) -> None:
        source = FolderSource(folder, fps=None, loop=False)
        frames = [source.read() for _ in range(4)]
        assert [frame.name for frame in frames] == ["0.png", "1.png", "2.png", "3.png"]
        assert [int(frame.image_bgr[0, 0, 0]) for frame in frames] == [0, 40, 80, 120]
        with pytest.raises(EndOfStream, match="4 pictures were replayed"):
            source.read()

    def test_looped_it_begins_again(self, folder: Path) -> None:
        source = FolderSource(folder, fps=None, loop=True)
        assert [source.read().name for _ in range(9)][-1] == "0.png"

    @pytest.mark.parametrize("loop", [False, True])
    def test_pictures_that_cannot_be_read_are_left_out(
        self, folder: Path, loop: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        (folder / "1.png").write_bytes(b"damaged")
        source = FolderSource(folder, fps=None, loop=loop)
        assert [source.read().name for _ in range(3)] == ["0.png", "2.png", "3.png"]
        assert "1.png: not a picture" in caplog.text

    @pytest.mark.parametrize("loop", [False, True])
    def test_nothing_but_damage_is_an_error(self, tmp_path: Path, loop: bool) -> None:
        (tmp_path / "1.jpg").write_bytes(b"damaged")
        with pytest.raises(ImageError, match="none of the pictures"):
            FolderSource(tmp_path, fps=None, loop=loop).read()

    def test_one_that_cannot_be_read_and_is_the_only_one_is_one_line(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (folder / "1.png").write_bytes(b"damaged")
        with pytest.raises(ImageError, match=r"1\.png: not a picture"):
            FolderSource(folder / "1.png", fps=None, loop=False).read()
        assert not caplog.text

    def test_a_picture_that_disappears_is_left_out(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        source = FolderSource(folder, fps=None, loop=False)
        (folder / "2.png").unlink()
        assert [source.read().name for _ in range(3)] == ["0.png", "1.png", "3.png"]
        assert "2.png: no such file" in caplog.text

    def test_hidden_folders_are_passed_over(self, folder: Path) -> None:
        (folder / ".thumbs").mkdir()
        (folder / "1.png").rename(folder / ".thumbs" / "1.png")
        source = FolderSource(folder, fps=None, loop=False)
        assert [source.read().name for _ in range(3)] == ["0.png", "2.png", "3.png"]

    def test_what_is_a_picture_and_what_is_nobodys_goes_by_the_rules_of_training(self, folder: Path) -> None:
        jpeg = cv2.imencode(".jpg", np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
        (folder / "@eaDir").mkdir()
        for name in ("4.jfif", "5.JPE", "6", "7.heic", "@eaDir/8.jpg", "._9.jpg"):
            (folder / name).write_bytes(jpeg)
        source = FolderSource(folder, fps=None, loop=False)
        assert [source.read().name for _ in range(7)][4:] == ["4.jfif", "5.JPE", "6"]
        with pytest.raises(EndOfStream):
            source.read()

    @pytest.mark.parametrize("name", ["still.jfif", "still"])
    def test_one_picture_of_any_such_name_is_a_source(self, folder: Path, name: str) -> None:
        (folder / "0.png").rename(folder / name)
        source = open_source(Camera(source=str(folder / name)))
        assert isinstance(source, FolderSource)
        assert source.read().name == name
        source.close()

    def test_each_picture_keeps_its_own_size_and_fits_the_model(self, folder: Path) -> None:
        for number, (height, width) in enumerate([(1, 1), (300, 20), (48, 64), (1000, 1500)]):
            cv2.imwrite(str(folder / f"{number}.png"), np.full((height, width, 3), 90, np.uint8))
        source = FolderSource(folder, fps=None, loop=False)
        images = [source.read().image_bgr for _ in range(4)]
        assert [image.shape[:2] for image in images] == [(1, 1), (300, 20), (48, 64), (1000, 1500)]
        spec = Preprocessing(channel_order="rgb", resize="crop", mean=(127.5,) * 3, std=(127.5,) * 3)
        tensor = InputTensor(width=32, height=32, dtype="int8", quantization=Quantization(scale=2 / 255, zero_point=-1))
        preprocessor = Preprocessor(spec, tensor)
        assert all((preprocessor.fit(image) == 90).all() for image in images)

    def test_thousands_that_cannot_be_read_take_no_time_of_their_own(self, tmp_path: Path) -> None:
        """Taking each out of a list of 20,000 took minutes."""
        cv2.imwrite(str(tmp_path / "z.png"), np.zeros((8, 8, 3), np.uint8))
        for number in range(20_000):
            (tmp_path / f"{number:05}.png").symlink_to("z.png" if number < 17_000 else "/etc/hostname")
        source = FolderSource(tmp_path, fps=None, loop=False)
        source._position = 17_000  # as if the readable ones had been replayed
        started = time.monotonic()
        assert source.read().name == "z.png"
        assert time.monotonic() - started < 30
        with pytest.raises(EndOfStream, match="1 picture was replayed, 3000 could not be read"):
            source.read()

    def test_closing_ends_a_search_for_a_readable_one(self, tmp_path: Path) -> None:
        for number in range(10):
            (tmp_path / f"{number}.png").write_bytes(b"damaged")
        source = FolderSource(tmp_path, fps=None, loop=True)
        source.close()
        with pytest.raises(EndOfStream):
            source.read()


class TestTimes:
    """A video is replayed by the times of its frames."""

    def paced(self, video: Path, monkeypatch: pytest.MonkeyPatch, times_s: list[float], **given: Any) -> list[float]:
        """Return the gaps that a replay of frames with these times makes; real time is not waited for."""
        source = VideoSource(video, realtime=True, **{"fps": None, "loop": False, **given})
        gaps: list[float] = []
        monkeypatch.setattr(Pacer, "wait", lambda _, gap_s=None: gaps.append(gap_s))
        real, times = source._capture, iter(times_s)

        class Capture:
            def read(self) -> Any:
                return real.read()

            def get(self, key: int) -> float:
                return next(times) * 1e3 if key == cv2.CAP_PROP_POS_MSEC else real.get(key)

        source._capture = Capture()  # type: ignore[assignment]
        for _ in times_s:
            source.read()
        return gaps

    def test_pauses_and_bursts_are_kept(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        gaps = self.paced(video, monkeypatch, [0.0, 0.033, 5.0, 5.033, 21.0])
        assert gaps == pytest.approx([0.0, 0.033, 4.967, 0.033, 15.967])

    def test_a_rate_that_is_given_wins(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.paced(video, monkeypatch, [0.0, 5.0], fps=3.0) == [None, None]

    def test_times_of_no_use_are_named_once(
        self, video: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        gaps = self.paced(video, monkeypatch, [0.0, 0.0, -1.0, 1e6, math.nan])
        assert gaps == pytest.approx([0.0, 0.02, 0.02, 0.02, 0.02])
        assert caplog.text.count("walk.avi: frame 2 has no time, or one far from the last") == 1

    def test_real_time_is_kept(self, video: Path) -> None:
        source = VideoSource(video, realtime=True, fps=None, loop=False)
        assert source.description.endswith("walk.avi 64x48, at its own times")
        started = time.monotonic()
        assert [source.read().sequence for _ in range(10)] == list(range(10))
        assert time.monotonic() - started >= 0.15


class TestVideo:
    @pytest.mark.parametrize("promised", [12, 1000, 0, 2**32 - 1])
    def test_a_count_that_the_container_has_wrong_is_no_damage(
        self, video: Path, promised: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        whole = bytearray(video.read_bytes())
        for header, place in ((b"avih", 24), (b"strh", 40)):
            struct.pack_into("<I", whole, whole.index(header) + place, promised)
        video.write_bytes(whole)
        source = VideoSource(video, realtime=False, fps=None, loop=False)
        with pytest.raises(EndOfStream, match=r"^the video's 10 frames were replayed$"):
            for _ in range(11):
                source.read()
        assert not caplog.text

    def test_a_bomb_in_it_is_refused_in_one_line(self, video: Path) -> None:
        whole = bytearray(video.read_bytes())
        place = -1
        while (place := whole.find(b"\xff\xc0", place + 1)) >= 0:
            struct.pack_into(">HH", whole, place + 5, 30000, 30000)
        struct.pack_into("<II", whole, whole.index(b"strf") + 12, 30000, 30000)
        video.write_bytes(whole)
        with pytest.raises(VideoError, match=r"megapixels, at most 35|no frame could be read|cannot open it"):
            VideoSource(video, realtime=False, fps=None, loop=False).read()

    @pytest.mark.parametrize("codec", ["MJPG", "FFV1"])
    def test_a_size_that_the_container_claims_is_refused_before_it_is_opened(
        self, codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = written(tmp_path / "claims.avi", codec)
        claim_size(path, 9500, 9400)
        monkeypatch.setattr(video_module, "open_video", None)
        with pytest.raises(VideoError, match=r"claims\.avi: 9500x9400 is 89 megapixels, at most 35: make it smaller"):
            VideoSource(path, realtime=False, fps=None, loop=False)

    def test_a_motion_jpeg_of_too_few_bytes_for_its_size_is_refused(self, video: Path) -> None:
        claim_in_jpegs(video, 8000, 4000)
        claim_size(video, 8000, 4000)
        with pytest.raises(VideoError, match="too few bytes for a picture of 8000x4000: damaged or cut short"):
            VideoSource(video, realtime=False, fps=None, loop=False)

    @pytest.mark.process
    @pytest.mark.parametrize("size", [(3840, 2160), (5312, 2988)])
    def test_large_ones_of_real_cameras_are_read(self, size: tuple[int, int], tmp_path: Path) -> None:
        """Lossless, in four bytes a pixel: more than any codec of a camera takes in one piece."""
        path = tmp_path / "large.avi"
        # In a process of its own: in this one, FFmpeg's memory has the bound of the video that was read last.
        words = [str(path), *map(str, size)]
        subprocess.run([sys.executable, "-c", _WRITE_LOSSLESS, *words], check=True)
        source = VideoSource(path, realtime=False, fps=None, loop=False)
        assert source.read().image_bgr.shape == (size[1], size[0], 3)

    @pytest.mark.process
    @pytest.mark.parametrize(
        ("codec", "name", "in_container"),
        [("MJPG", "a.avi", True), ("MJPG", "a.avi", False), ("MJPG", "a.mkv", False), ("MJPG", "a.mjpeg", False)],
    )
    def test_no_claim_of_ninety_megapixels_takes_memory(
        self, codec: str, name: str, in_container: bool, tmp_path: Path
    ) -> None:
        """A Motion JPEG that claimed 9500x9400 took 591 MB."""
        path = written(tmp_path / name, codec)
        claim_in_jpegs(path, 9500, 9400)
        if in_container:
            claim_size(path, 9500, 9400)
        whole = written(tmp_path / f"whole-{name}", codec)
        done = subprocess.run([sys.executable, "-c", _GROWTH, whole, path], capture_output=True, text=True, check=True)
        grown, _, message = done.stdout.partition(" ")
        assert int(grown) < 40, "MiB"
        assert "claims" not in message
        assert str(path) in message

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
    def test_any_mutant_of_it_is_replayed_to_an_end_or_refused(
        self, video: Path, changes: list[tuple[int, int]]
    ) -> None:
        whole = video.read_bytes()
        mutant = bytearray(whole)
        for place, value in changes:
            mutant[place % len(mutant)] = value
        video.write_bytes(mutant)
        try:
            source = VideoSource(video, realtime=False, fps=None, loop=False)
            for _ in range(100):
                source.read()
        except (EndOfStream, VideoError) as end:
            assert str(end).isprintable()
        finally:
            video.write_bytes(whole)

    def test_it_ends_after_its_last_frame(self, video: Path) -> None:
        source = VideoSource(video, realtime=False, fps=None, loop=False)
        assert [source.read().sequence for _ in range(10)] == list(range(10))
        for _ in range(2):
            with pytest.raises(EndOfStream, match="10 frames were replayed"):
                source.read()

    def test_looped_it_begins_again(self, video: Path) -> None:
        source = VideoSource(video, realtime=False, fps=None, loop=True)
        levels = [int(source.read().image_bgr.mean()) for _ in range(12)]
        assert levels[10] == pytest.approx(levels[0], abs=3)
        assert levels[9] > 150

    def test_one_that_is_cut_short_ends_where_it_ends_and_says_so(
        self, video: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        whole, middle = in_the_middle(video)
        video.write_bytes(whole[:middle])
        source = VideoSource(video, realtime=False, fps=None, loop=False)
        with pytest.raises(EndOfStream, match=r"^the video has ended, as far as it can be read$"):
            for _ in range(10):
                source.read()
        assert caplog.text.count("walk.avi: ") == 1
        assert "frames were replayed: damaged or cut short, the others cannot be read" in caplog.text

    def test_a_picture_that_is_damaged_is_left_out_and_counted(
        self, video: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """FFmpeg would complete it with the previous picture."""
        whole = bytearray(video.read_bytes())
        fifth = [place for place in range(whole.index(b"movi"), len(whole)) if whole.startswith(b"00dc", place)][5]
        ends = whole.index(b"\xff\xd9", fifth)
        whole[ends - 20 : ends + 2] = bytes(22)
        video.write_bytes(whole)
        source = VideoSource(video, realtime=False, fps=None, loop=False)
        levels = [round(int(source.read().image_bgr.mean()) / 20) for _ in range(9)]
        assert levels == [0, 1, 2, 3, 4, 6, 7, 8, 9]
        with pytest.raises(EndOfStream, match=r"^the video has ended, as far as it can be read$"):
            source.read()
        assert "walk.avi: 9 of the video's 10 frames" in caplog.text

    def test_where_the_first_picture_is_no_whole_jpeg_all_are_left_to_ffmpeg(self, video: Path) -> None:
        """Interlaced video is two pictures a frame, and some programs leave out how a JPEG ends."""
        whole = bytearray(video.read_bytes())
        first = whole.index(b"00dc", whole.index(b"movi"))
        ends = whole.index(b"\xff\xd9", first)
        whole[ends : ends + 2] = bytes(2)
        video.write_bytes(whole)
        source = VideoSource(video, realtime=False, fps=None, loop=False)
        assert [source.read().sequence for _ in range(10)] == list(range(10))

    def test_one_that_is_damaged_is_said_once_in_a_loop(self, video: Path, caplog: pytest.LogCaptureFixture) -> None:
        whole, middle = in_the_middle(video)
        video.write_bytes(whole[:middle] + bytes(len(whole) - middle))
        source = VideoSource(video, realtime=False, fps=None, loop=True)
        assert [source.read().sequence for _ in range(30)] == list(range(30))
        assert caplog.text.count("of the video's 10 frames were replayed") == 1

    @pytest.mark.parametrize(
        ("codec", "name"),
        [
            ("MJPG", "a.avi"),
            ("mp4v", "a.mp4"),
            ("mp4v", "a.mkv"),
            ("mpg1", "a.mpg"),
            ("VP80", "a.webm"),
        ],
    )
    @pytest.mark.parametrize("frames", [1, 2, 50])
    def test_a_whole_one_is_not_called_damaged(
        self, codec: str, name: str, frames: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), 25, (64, 48))
        for number in range(frames):
            writer.write(np.full((48, 64, 3), 2 * number, np.uint8))
        writer.release()
        source = VideoSource(path, realtime=False, fps=None, loop=False)
        with pytest.raises(EndOfStream, match=rf"the video's {frames} frames? (was|were) replayed$"):
            while True:
                source.read()
        assert not caplog.text

    def test_one_that_goes_away_between_two_rounds_is_an_error(self, video: Path) -> None:
        source = VideoSource(video, realtime=False, fps=None, loop=True)
        video.unlink()
        with pytest.raises(CameraError, match="cannot read: No such file"):
            for _ in range(11):
                source.read()

    def test_what_is_no_video_is_refused(self, tmp_path: Path) -> None:
        fake = tmp_path / "film.mp4"
        fake.write_bytes(b"nothing of the kind" * 100)
        with pytest.raises(VideoError, match="OpenCV cannot open it"):
            VideoSource(fake, realtime=False, fps=None, loop=False)

    @pytest.mark.parametrize(
        "head", [b"ffconcat version 1.0\n", b"#EXTM3U\n", b"\n\xef\xbb\xbfffconcat version 1.0\n", b"ID3"]
    )
    def test_a_script_that_names_files_is_refused(self, head: bytes, tmp_path: Path) -> None:
        """FFmpeg would open them: one that named itself 12,000 times took 3 GB."""
        script = tmp_path / "film.mp4"
        script.write_bytes(head + b"file film.mp4\n" * 3)
        with pytest.raises(VideoError, match="text, not a video"):
            VideoSource(script, realtime=False, fps=None, loop=False)

    @pytest.mark.parametrize("name", ["notes.txt", "read.nfo", "file_id.diz"])
    def test_text_is_refused(self, name: str, tmp_path: Path) -> None:
        """FFmpeg would draw it like a terminal."""
        text = tmp_path / name
        text.write_text("a line of text\n" * 300)
        with pytest.raises(VideoError, match="text, not a video"):
            VideoSource(text, realtime=False, fps=None, loop=False)

    def test_a_video_may_have_any_name(self, video: Path) -> None:
        source = VideoSource(video.rename(video.with_suffix(".txt")), realtime=False, fps=None, loop=False)
        assert source.read().image_bgr.shape == (48, 64, 3)

    def test_one_named_by_its_time_is_opened(self, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(video.parent)
        named = video.rename(video.parent / "2026-01-01T12:30:00.avi")
        source = VideoSource(Path(named.name), realtime=False, fps=None, loop=False)
        assert source.read().image_bgr.shape == (48, 64, 3)
