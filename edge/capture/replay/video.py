"""Replay a video file by the times of its frames, at a rate, or flat out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.capture.ffmpeg import hands_over_jpegs, open_ffmpeg, too_large
from edge.capture.jpeg import decode_jpeg, jpeg_header
from edge.capture.pace import Pacer, rate_in_words
from edge.capture.replay.container import is_cut_short
from edge.capture.replay.times import FrameGaps
from edge.clock import stamp
from edge.errors import CameraError, EndOfStream, ImageError, MissingInputError
from edge.records import Frame, Pixels

if TYPE_CHECKING:
    import cv2

_log = logging.getLogger(__name__)

# FFmpeg recognizes text files by their name alone (.txt, .nfo, .ans and others), and draws them like a terminal.
_TEXT_CODEC = "ansi"
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
        """Open the video. Raises MissingInputError if there is no such file, CameraError if OpenCV cannot read it or
        its pictures have over 100 megapixels."""
        import cv2

        if not path.is_file():
            raise MissingInputError(f"{path}: no such video file")
        self._path, self._loop = path, loop
        self._capture = self._open()
        self._holds_jpegs = self._is_of_whole_jpegs() and hands_over_jpegs(self._capture)
        size = [int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
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
            self._capture, self._position, self._damaged = self._open(), 0, 0
            self._holds_jpegs = self._holds_jpegs and hands_over_jpegs(self._capture)
            self._gaps.begin_again()
            image = self._next_picture()
        if image is None:
            raise CameraError(f"{self._path}: no frame could be read: not a video that OpenCV decodes")
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
                return decode_jpeg(image)
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
            decode_jpeg(packet)
        except ImageError:
            return False
        return (header.width, header.height) == size

    def _end(self) -> str:
        """Return what was replayed. Warns, once, if the file is damaged or cut short."""
        if not self._damaged and not self._is_damaged():
            return f"the video's {self._position} frames were replayed"
        whole = max(self._promised, self._position + self._damaged)
        replayed = f"{self._position} of the video's {whole:.0f} frames were replayed"
        if not self._warned_of_damage:
            _log.warning("%s: %s: damaged or cut short, the others cannot be read", self._path, replayed)
            self._warned_of_damage = True
        return f"{replayed}: it is damaged or cut short"

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

    def _open(self) -> "cv2.VideoCapture":
        import cv2

        if _is_script(self._path):
            raise CameraError(f"{self._path}: text, not a video: give a video file, a picture or a folder of pictures")
        capture = open_ffmpeg(str(self._path.absolute()))  # "12:30.avi" would be a protocol
        if not capture.isOpened():
            raise CameraError(f"{self._path}: OpenCV cannot open it: not a video, or a codec it lacks")
        if int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*_TEXT_CODEC):
            capture.release()
            raise CameraError(f"{self._path}: text, not a video: give a video file, a picture or a folder of pictures")
        if (excess := too_large(capture)) is not None:
            capture.release()
            raise CameraError(f"{self._path}: {excess}: make it smaller")
        return capture


def _is_script(path: Path) -> bool:
    """Return True for a script that could name other files, False for all else, also for what cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:  # which the opening reports
        return False
    return head.lstrip(b"\xef\xbb\xbf\t\r\n ").startswith(_SCRIPTS)
