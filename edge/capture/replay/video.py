"""Replay a video file by the times of its frames, at a rate, or flat out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.capture.ffmpeg import MOST_PIXELS, claimed_size, hands_over_jpegs, open_video, too_large
from edge.capture.jpeg import decode_jpeg
from edge.capture.pace import Pacer, rate_in_words
from edge.capture.replay.container import is_cut_short
from edge.capture.replay.times import FrameGaps
from edge.clock import stamp
from edge.errors import CameraError, EndOfStream, ImageError, MissingInputError, VideoError
from edge.pictures.jpeg_header import jpeg_header, least_bytes
from edge.printable import were
from edge.records import Frame, Pixels

if TYPE_CHECKING:
    import cv2

_log = logging.getLogger(__name__)

# FFmpeg recognizes text files by their name alone (.txt, .nfo, .ans and others), and draws them like a terminal.
_TEXT_CODEC = "ansi"
_JPEG_CODEC = "MJPG"
_TEXT = "text, not a video: give a video file, a picture or a folder of pictures"
_NO_VIDEO = "not a video, damaged, or a codec that it lacks: give another file, or convert this one to MP4"
# FFmpeg knows scripts by how they begin, whatever the file is called, and opens what they name: one that names
# itself took 3 GB. A tag before it (ID3) is passed over.
_SCRIPTS = (b"ffconcat", b"#EXTM3U", b"<?xml", b"<MPD", b"v=0", b"ID3")
_HEAD_BYTES = 512
# Of the pictures that a container promises; FFmpeg passes over a few at the start of some whole files.
_MISSING_SHARE = 0.05


class VideoSource:
    """The frames of a video file: in real time by their own times or at `fps`, or flat out. Damaged frames of a
    Motion JPEG are left out."""

    has_noise = False
    stalls = False

    def __init__(self, path: Path, *, realtime: bool, fps: float | None, loop: bool) -> None:
        """Open the video. Raises MissingInputError if there is no such file or it cannot be read, VideoError if it is
        no video, damaged, or claims more pixels than a video may have or its bytes can hold."""
        import cv2

        if not path.is_file():
            raise MissingInputError(f"{path}: no such video file")
        self._path, self._loop = path, loop
        self._claimed = self._check_claim()
        self._capture = self._open()
        size = [int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        self._most_pixels = size[0] * size[1] or MOST_PIXELS
        self._holds_jpegs = self._is_of_whole_jpegs() and hands_over_jpegs(self._capture)
        # The header's rate is often that of a clock, such as 600 or 90,000, and says nothing of pauses.
        self._gaps = FrameGaps(float(self._capture.get(cv2.CAP_PROP_FPS)))
        self._paced, self._fps = realtime, fps
        self._promised = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))  # 0 or less: unknown
        self.lossless = not realtime
        rate = "at its own times" + (", looped" if loop else "")
        rate = rate if realtime and fps is None else rate_in_words(fps if realtime else None, loop=loop)
        self.description = f"video {path} {size[0]}x{size[1]}, {rate}"
        self._pacer = Pacer(fps if realtime else None)
        self._sequence = 0
        self._position = 0
        self._position_s = 0.0
        self._damaged = 0
        self._warned_of_damage = self._warned_of_times = False

    def read(self) -> Frame:
        """See FrameSource.read. Logs a warning if a damaged file ends too soon."""
        image = self._next_picture()
        if image is None and self._position:
            replayed = self._end()
            if not self._loop:
                raise EndOfStream(replayed)
            self._capture.release()
            self._capture, self._position, self._damaged = self._open_again(), 0, 0
            self._holds_jpegs = self._holds_jpegs and hands_over_jpegs(self._capture)
            self._gaps.begin_again()
            image = self._next_picture()
        if image is None:
            raise VideoError(f"{self._path}: no frame could be read: {_NO_VIDEO}")
        gap_s = self._gap_s()
        self._position_s += gap_s if self._sequence else 0.0
        self._pacer.wait(gap_s if self._paced and self._fps is None else None)
        frame = Frame(image, self._sequence, *stamp(), recorded_s=self._position_s)
        self._sequence += 1
        self._position += 1
        return frame

    def close(self) -> None:
        """See FrameSource.close."""
        # The file itself is closed with the object, since a read may be running.
        self._pacer.stop()

    def _gap_s(self) -> float:
        """Return the seconds before the frame just read. Warns, once, of times of no use that pace it."""
        import cv2

        if self._fps is not None:
            return 1 / self._fps
        gap_s = self._gaps.next(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3)
        if self._gaps.odd and self._paced and not self._warned_of_times:
            _log.warning(
                "%s: frame %d has no time, or one far from the last: such a frame comes %.3g s after the one before; "
                "with --fps all come at one rate",
                self._path,
                self._position + 1,
                self._gaps.usual_s,
            )
            self._warned_of_times = True
        return gap_s

    def _next_picture(self) -> Pixels | None:
        while True:
            self._pacer.check()
            good, read = self._capture.read()
            image = np.asarray(read, dtype=np.uint8) if good else None
            if image is None or not self._holds_jpegs:
                return image
            try:
                return decode_jpeg(image, most_pixels=self._most_pixels)
            except ImageError:
                self._damaged += 1

    def _is_of_whole_jpegs(self) -> bool:
        """Return True if the first frame is a whole JPEG of the video's size."""
        import cv2

        # A frame of interlaced video is two JPEGs, which only FFmpeg puts together.
        capture = self._open()
        size = tuple(int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        good, read = capture.read() if hands_over_jpegs(capture) else (False, None)
        capture.release()
        if not good:
            return False
        packet = np.asarray(read, dtype=np.uint8)
        try:
            header = jpeg_header(packet.tobytes())
            if (header.width, header.height) != size:
                return False
            decode_jpeg(packet)
        except ImageError:
            return False
        return True

    def _end(self) -> str:
        """Return what was replayed. Warns, once, if the file is damaged or cut short."""
        if not self._damaged and not self._is_damaged():
            return f"the video's {were(self._position, 'frame')} replayed"
        whole = max(self._promised, self._position + self._damaged)
        replayed = f"{self._position} of the video's {whole:.0f} frames were replayed"
        if not self._warned_of_damage:
            _log.warning("%s: %s: damaged or cut short, the others cannot be read", self._path, replayed)
            self._warned_of_damage = True
        return "the video has ended, as far as it can be read"  # the warning has the figures

    def _is_damaged(self) -> bool:
        """Return True if fewer frames came than the container promises, and more than its count shows that."""
        # AVI and MP4 hold the number of frames, but may count empty ones. For other files FFmpeg computes it from
        # duration and rate, and it is wrong if the rate changes. So a low number only is a reason to look.
        missing = self._promised - self._position
        if missing <= max(1.0, _MISSING_SHARE * self._promised):
            return False
        try:
            cut_short = is_cut_short(self._path)
        except OSError:
            return True
        return cut_short or (not self._holds_jpegs and self._undecoded() > max(1.0, _MISSING_SHARE * self._position))

    def _undecoded(self) -> int:
        """Return how many pictures the file holds beyond those that could be decoded."""
        import cv2

        capture = self._open()
        capture.set(cv2.CAP_PROP_FORMAT, -1)
        held = 0
        while capture.grab():
            held += 1
            self._pacer.check()
        capture.release()
        return held - self._position

    def _check_claim(self) -> tuple[int, int]:
        """Return the (width, height) that the container claims, (0, 0) if none. Raises VideoError if it is too much."""
        try:
            size = self._path.stat().st_size
            with self._path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
        except OSError as error:
            raise MissingInputError(f"{self._path}: cannot read: {error.strerror or error}") from error
        if not size:
            raise VideoError(f"{self._path}: empty file: copy it again from the camera, or remove it")
        if head.lstrip(b"\xef\xbb\xbf\t\r\n ").startswith(_SCRIPTS):
            raise VideoError(f"{self._path}: {_TEXT}")
        width, height = claimed_size(self._path.absolute())
        if (excess := too_large(width, height)) is not None:
            raise VideoError(f"{self._path}: {excess}: make it smaller")
        return width, height

    def _open(self) -> "cv2.VideoCapture":
        import cv2

        path = self._path.absolute()  # "12:30.avi" would be a protocol
        try:
            capture = open_video(path, self._claimed)
        except OSError as error:
            raise MissingInputError(f"{self._path}: cannot read: {error.strerror or error}") from error
        if not capture.isOpened():
            raise VideoError(f"{self._path}: OpenCV cannot open it: {_NO_VIDEO}")
        size = [int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        codec = int(capture.get(cv2.CAP_PROP_FOURCC))
        fault = too_large(*size)
        if codec == cv2.VideoWriter.fourcc(*_TEXT_CODEC):
            fault = _TEXT
        elif codec == cv2.VideoWriter.fourcc(*_JPEG_CODEC) and path.stat().st_size < least_bytes(*size):
            fault = f"too few bytes for a picture of {size[0]}x{size[1]}: damaged or cut short: copy it again"
        if fault is not None:
            capture.release()
            raise VideoError(f"{self._path}: {fault}")
        return capture

    def _open_again(self) -> "cv2.VideoCapture":
        """Open it for another round. Raises CameraError, as for any source that was there and is gone."""
        try:
            return self._open()
        except (VideoError, MissingInputError) as error:
            raise CameraError(str(error)) from error
