"""Replay a folder of pictures, or one picture, at a rate or flat out."""

import logging
from pathlib import Path

from edge.capture.pace import Pacer, rate_in_words
from edge.clock import stamp
from edge.errors import EndOfStream, ImageError, MissingInputError
from edge.images import read_image, readable_name
from edge.photo_files import find_images
from edge.printable import counted, were
from edge.records import Frame, Pixels

_log = logging.getLogger(__name__)

# Pictures have no times of their own.
USUAL_FPS = 10.0
# A camera hands over pixels, not JPEG: a looped folder is decoded once, up to this much memory.
CACHE_BYTES = 256 * 1024 * 1024


class FolderSource:
    """The pictures of a folder, in the order of their names. If `fps` is None, or they are not `paced`, they come flat
    out, and none is dropped. With `loop` it begins again after the last one.
    """

    has_noise = False
    stalls = False

    def __init__(self, path: Path, *, fps: float | None, loop: bool, paced: bool = True) -> None:
        """List the pictures at `path`, a folder or one picture. Raises MissingInputError if there are none."""
        self._is_one = path.is_file()
        self._paths = [path] if self._is_one else find_images(path)
        if not self._paths:
            raise MissingInputError(f"{path}: no pictures there (JPEG, PNG, BMP, WebP, TIFF)")
        self._root = path if path.is_dir() else path.parent
        self._period_s = 1 / (fps or USUAL_FPS)
        fps = fps if paced else None
        self.lossless = fps is None
        self.description = f"{counted(len(self._paths), 'picture')} in {self._root}, {rate_in_words(fps, loop=loop)}"
        self._loop = loop
        self._pacer = Pacer(fps)
        self._cache: dict[Path, Pixels] = {}
        self._cached_bytes = 0
        self._position = 0
        # Left out of later rounds. A set, not a shorter list: taking 3000 of 33,000 out one by one takes minutes.
        self._unreadable: set[int] = set()
        self._sequence = 0

    def read(self) -> Frame:
        """See FrameSource.read. Pictures that cannot be read are logged and left out. Raises ImageError if none of
        them can be read; if there is only one, what is wrong with it. Looped pictures may be read-only, and shared by
        the frames that show them."""
        path, image_bgr = self._next_picture()
        self._pacer.wait()
        name, second = readable_name(path.relative_to(self._root)), self._sequence * self._period_s
        frame = Frame(image_bgr, self._sequence, *stamp(), name=name, recorded_s=second)
        self._sequence += 1
        return frame

    def close(self) -> None:
        """See FrameSource.close."""
        self._pacer.stop()

    def _next_picture(self) -> tuple[Path, Pixels]:
        while len(self._unreadable) < len(self._paths):
            self._pacer.check()
            if self._position == len(self._paths):
                if not self._loop:
                    raise EndOfStream(
                        f"{were(self._sequence, 'picture')} replayed, {len(self._unreadable)} could not be read"
                    )
                self._position = 0
            position, self._position = self._position, self._position + 1
            if position in self._unreadable:
                continue
            path = self._paths[position]
            try:
                return path, self._picture(path)
            except (ImageError, MissingInputError) as error:
                if self._is_one:
                    raise
                _log.warning("%s", error)
                self._unreadable.add(position)
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
