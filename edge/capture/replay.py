"""Replay a folder of pictures, one picture, or a video file, in real time or flat out."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.capture.ffmpeg import hands_over_jpegs, open_ffmpeg, whole_jpeg
from edge.capture.pace import Pacer
from edge.clock import stamp
from edge.errors import CameraError, EndOfStream, ImageError, MissingInputError
from edge.images import read_image, readable_name
from edge.photo_files import find_images
from edge.records import Frame, Pixels

if TYPE_CHECKING:
    import cv2

_log = logging.getLogger(__name__)

# A camera hands over pixels, not JPEG: a looped folder is decoded once, up to this much memory.
CACHE_BYTES = 256 * 1024 * 1024

# FFmpeg recognizes text files by their name alone (.txt, .nfo, .ans and others), and draws them like a terminal.
_TEXT_CODEC = "ansi"


def _rate(fps: float | None, *, loop: bool) -> str:
    return (f"{fps:g} frames/s" if fps else "flat out") + (", looped" if loop else "")


class FolderSource:
    """The pictures of a folder, in the order of their names. If `fps` is None they come flat out, and none is
    dropped. With `loop` it begins again after the last one.
    """

    has_noise = False
    stalls = False

    def __init__(self, path: Path, *, fps: float | None, loop: bool) -> None:
        """List the pictures at `path`, a folder or one picture. Raises MissingInputError if there are none."""
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
        """See FrameSource.read. Pictures that cannot be read are logged and left out. Raises ImageError if none of
        them can be read. Looped pictures may be read-only, and shared by the frames that show them."""
        path, image_bgr = self._next_picture()
        self._pacer.wait()
        frame = Frame(image_bgr, self._sequence, *stamp(), name=readable_name(path.relative_to(self._root)))
        self._sequence += 1
        return frame

    def close(self) -> None:
        """See FrameSource.close."""
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
    """The frames of a video file: in real time at the file's own rate or at `fps`, or flat out. Damaged frames of a
    Motion JPEG are left out."""

    has_noise = False
    stalls = False

    def __init__(self, path: Path, *, realtime: bool, fps: float | None, loop: bool) -> None:
        """Open the video. Raises MissingInputError if there is no such file, CameraError if OpenCV cannot read it."""
        import cv2

        if not path.is_file():
            raise MissingInputError(f"{path}: no such video file")
        self._path, self._loop = path, loop
        self._capture = self._open()
        self._holds_jpegs = self._is_of_whole_jpegs() and hands_over_jpegs(self._capture)
        size = [int(self._capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        own = float(self._capture.get(cv2.CAP_PROP_FPS))
        self._own_fps = own if 0 < own <= 1000 else 25.0
        self._promised = float(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))  # 0 or less: unknown
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
        """See FrameSource.read. Logs a warning if a damaged file ends too soon."""
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
        """See FrameSource.close."""
        # The file itself is closed with the object, since a read may be running.
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
        """Return True if the first frame is a whole JPEG."""
        import cv2

        # A frame of interlaced video is two JPEGs, which only FFmpeg puts together.

        capture = self._open()
        size = tuple(int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH))
        good, read = capture.read() if hands_over_jpegs(capture) else (False, None)
        capture.release()
        image = whole_jpeg(np.asarray(read, dtype=np.uint8)) if good else None
        return image is not None and image.shape[:2] == size

    def _end(self) -> str:
        """Return what was replayed. Warns, once, if that is clearly less than the file promised."""
        if not self._damaged and not self._ends_early():
            return f"the video's {self._position} frames were replayed"
        whole = max(self._promised, self._position + self._damaged)
        replayed = f"{self._position} of the video's {whole:.0f} frames were replayed"
        if not self._warned:
            _log.warning("%s: %s: damaged or cut short, the others cannot be read", self._path, replayed)
            self._warned = True
        return f"{replayed}: it is damaged or cut short"

    def _ends_early(self) -> bool:
        # AVI and MP4 hold the number of frames, but may count empty ones. For other files it is computed from duration
        # and rate, and wrong if the rate changes. So the time of the last frame must be short as well.
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
