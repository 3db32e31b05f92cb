"""Replay: a folder of pictures, one picture, or a video file, in real time or flat out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.capture.ffmpeg import hands_over_jpegs, open_ffmpeg, whole_jpeg
from edge.capture.pace import Pacer
from edge.clock import stamp
from edge.errors import CameraError, EndOfStream, ImageError, MissingInputError
from edge.images import find_images, read_image, readable_name
from edge.records import Frame, Pixels

if TYPE_CHECKING:
    import cv2

_log = logging.getLogger(__name__)

# A camera hands over pixels, not JPEG: a looped folder is decoded once, up to this much memory.
CACHE_BYTES = 256 * 1024 * 1024

# What FFmpeg takes by its name alone (.txt, .nfo, .ans and others), and draws as a terminal would.
_TEXT_CODEC = "ansi"


def _rate(fps: float | None, *, loop: bool) -> str:
    return (f"{fps:g} frames/s" if fps else "flat out") + (", looped" if loop else "")


class FolderSource:
    """The pictures of a folder in the order of their names; `fps` None: flat out, every picture once read.

    With `loop` it begins again after the last, and keeps decoded pictures while they fit in 256 MiB.
    """

    has_noise = False
    stalls = False

    def __init__(self, path: Path, *, fps: float | None, loop: bool) -> None:
        """Raises MissingInputError where there is no folder or no picture in it."""
        self._paths = [path] if path.is_file() else find_images(path)
        if not self._paths:
            raise MissingInputError(f"{path}: no pictures there (JPEG, PNG, BMP, WebP, TIFF)")
        self._root = path if path.is_dir() else path.parent
        self.lossless = fps is None
        self.description = f"{len(self._paths)} pictures in {self._root}, {_rate(fps, loop=loop)}"
        self._loop = loop
        self._pacer = Pacer(fps)
        self._cache: dict[Path, Pixels] = {}
        self._cached_bytes = 0
        self._position = 0
        self._unreadable = 0
        self._sequence = 0

    def read(self) -> Frame:
        """As FrameSource.read. Pictures that cannot be read are named in the log and left out; where none
        can be, ImageError is raised."""
        path, image_bgr = self._next_picture()
        self._pacer.wait()
        frame = Frame(image_bgr, self._sequence, *stamp(), name=readable_name(path.relative_to(self._root)))
        self._sequence += 1
        return frame

    def close(self) -> None:
        """As FrameSource.close."""
        self._pacer.stop()

    def _next_picture(self) -> tuple[Path, Pixels]:
        while self._paths:
            if self._position == len(self._paths):
                if not self._loop:
                    raise EndOfStream(f"{self._sequence} pictures were replayed, {self._unreadable} could not be read")
                self._position = 0
            path = self._paths[self._position]
            try:
                image_bgr = self._picture(path)
            except (ImageError, MissingInputError) as error:
                _log.warning("%s", error)
                self._unreadable += 1
                self._paths.remove(path)
                continue
            self._position += 1
            return path, image_bgr
        raise ImageError(f"{self._root}: none of the pictures there can be read")

    def _picture(self, path: Path) -> Pixels:
        cached = self._cache.get(path)
        if cached is not None:
            return cached
        image_bgr = read_image(path)
        if self._loop and self._cached_bytes + image_bgr.nbytes <= CACHE_BYTES:
            image_bgr.flags.writeable = False
            self._cache[path] = image_bgr
            self._cached_bytes += image_bgr.nbytes
        return image_bgr


class VideoSource:
    """The frames of a video file; real time at the file's own rate or at `fps`, or flat out. Those of a Motion JPEG
    that are damaged are left out."""

    has_noise = False
    stalls = False

    def __init__(self, path: Path, *, realtime: bool, fps: float | None, loop: bool) -> None:
        """Raises MissingInputError where there is no such file, CameraError where OpenCV cannot read it."""
        import cv2

        if not path.is_file():
            raise MissingInputError(f"{path}: no such video file")
        self._path, self._loop = path, loop
        self._capture = self._open()
        self._holds_jpegs = self._is_of_whole_jpegs() and hands_over_jpegs(self._capture)
        size = [int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        own = float(self._capture.get(cv2.CAP_PROP_FPS))
        self._own_fps = own if 0 < own <= 1000 else 25.0
        self._promised = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))  # 0 or less, where nothing is known
        rate = (fps or self._own_fps) if realtime else None
        self.lossless = rate is None
        self.description = f"video {path} {size[0]}x{size[1]}, {_rate(rate, loop=loop)}"
        self._pacer = Pacer(rate)
        self._sequence = 0
        self._position = 0
        self._position_s = 0.0
        self._damaged = 0
        self._warned = False

    def read(self) -> Frame:
        """As FrameSource.read. Where a damaged file ends too soon, the log says so."""
        import cv2

        image = self._next_picture()
        if image is None and self._position:
            replayed = self._end()
            if not self._loop:
                raise EndOfStream(replayed)
            self._capture.release()
            self._capture, self._position, self._damaged = self._open(), 0, 0
            self._holds_jpegs = self._holds_jpegs and hands_over_jpegs(self._capture)
            image = self._next_picture()
        if image is None:
            raise CameraError(f"{self._path}: no frame could be read: not a video that OpenCV decodes")
        self._position_s = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        self._pacer.wait()
        frame = Frame(image, self._sequence, *stamp())
        self._sequence += 1
        self._position += 1
        return frame

    def close(self) -> None:
        """As FrameSource.close; the file itself is closed with the object, as a read may be under way."""
        self._pacer.stop()

    def _next_picture(self) -> Pixels | None:
        while True:
            good, read = self._capture.read()
            image = np.asarray(read, dtype=np.uint8) if good else None
            if image is None or not self._holds_jpegs:
                return image
            image = whole_jpeg(image)
            if image is not None:
                return image
            self._damaged += 1

    def _is_of_whole_jpegs(self) -> bool:
        """Is the first frame a whole JPEG? One of interlaced video is two, which only FFmpeg puts together."""
        import cv2

        capture = self._open()
        size = tuple(int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        good, read = capture.read() if hands_over_jpegs(capture) else (False, None)
        capture.release()
        image = whole_jpeg(np.asarray(read, dtype=np.uint8)) if good else None
        return image is not None and image.shape[:2] == size

    def _end(self) -> str:
        """What was replayed; warns, once, where that is clearly less than the file promised."""
        if not self._damaged and not self._ends_early():
            return f"the video's {self._position} frames were replayed"
        whole = max(self._promised, self._position + self._damaged)
        replayed = f"{self._position} of the video's {whole:.0f} frames were replayed"
        if not self._warned:
            _log.warning("%s: %s: damaged or cut short, the others cannot be read", self._path, replayed)
            self._warned = True
        return f"{replayed}: it is damaged or cut short"

    def _ends_early(self) -> bool:
        # Exact for AVI and MP4, which may count frames that are none; elsewhere reckoned from duration and rate, and
        # wrong where the rate changes. So the time of the last frame has to be short as well.
        by_count = self._promised - self._position
        by_time = self._promised - 1 - self._position_s * self._own_fps
        return min(by_count, by_time) > max(1.0, min(0.05 * self._promised, 2 * self._own_fps))

    def _open(self) -> "cv2.VideoCapture":
        import cv2

        capture = open_ffmpeg(str(self._path.absolute()))  # "12:30.avi" would be a protocol
        if not capture.isOpened():
            raise CameraError(f"{self._path}: OpenCV cannot open it: not a video, or a codec it lacks")
        if int(capture.get(cv2.CAP_PROP_FOURCC)) == cv2.VideoWriter.fourcc(*_TEXT_CODEC):
            capture.release()
            raise CameraError(f"{self._path}: text, not a video: give a video file, a picture or a folder of pictures")
        return capture
