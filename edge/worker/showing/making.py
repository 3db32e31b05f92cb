"""Make a frame, or a part of it, a picture for a browser, with what is known of it."""

import time

import cv2

from edge.live.picture import Live
from edge.preprocess import Scratch, cut_region
from edge.records import Frame, Pixels
from edge.results import Box, Result
from edge.worker.keeping.jpeg import JpegEncoder
from edge.worker.showing.sharpness import Sharpness

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# A phone in the field is 360 to 430 pixels wide, each of them two or three of its own. 0.1 MB a picture.
MAX_SIDE = 960
_QUALITY = 75


class Maker:
    """Makes pictures in memory that it keeps, so a steady scene allocates none. Used by one thread.

    region: as camera.region.
    """

    def __init__(self, region: Box | None) -> None:
        self._region = region
        self._encoder = JpegEncoder(max_side=MAX_SIDE, quality=_QUALITY)
        self._scratch, self._sharpness = Scratch(), Sharpness()

    def whole(self, frame: Frame, result: Result | None) -> Live | None:
        """Return all of a frame, reduced, with the decision on it; None if there is no memory. Raises cv2.error."""
        return self._made(frame, result, WHOLE, frame.image_bgr, None)

    def part(self, frame: Frame, box: Box) -> Live | None:
        """Return a part of a frame with its sharpness, not reduced up to 960 pixels; None if there is no memory. Raises
        cv2.error."""
        part_bgr = cut_region(frame.image_bgr, box)
        return self._made(frame, None, box, part_bgr, self._sharpness.of(part_bgr))

    def _made(
        self, frame: Frame, result: Result | None, part: Box, image_bgr: Pixels, sharpness: float | None
    ) -> Live | None:
        jpeg = self._encoder.encode(self._reduced(image_bgr), frame.captured_mono_s)
        if jpeg is None:
            return None
        height, width = frame.image_bgr.shape[:2]
        now = time.monotonic()
        return Live(
            number=int(now * 1e6),
            made_mono_s=now,
            captured_wall_s=frame.captured_wall_s,
            frame_width=width,
            frame_height=height,
            width=jpeg.width,
            height=jpeg.height,
            part=part,
            region=self._region,
            label=None if result is None else result.label,
            score=None if result is None else result.score,
            box=None if result is None else result.box,
            others=() if result is None else result.others,
            latency_ms=None if result is None else result.latency_ms.total,
            engine=None if result is None else result.engine,
            sharpness=sharpness,
            jpeg=jpeg.data,
        )

    def _reduced(self, image_bgr: Pixels) -> Pixels:
        """Return the picture, 960 pixels or less: itself, or in memory that the next call changes."""
        height, width = image_bgr.shape[:2]
        if max(height, width) <= MAX_SIDE:
            return image_bgr
        scale = MAX_SIDE / max(height, width)
        into_bgr = self._scratch.pixels(max(1, round(height * scale)), max(1, round(width * scale)))
        cv2.resize(image_bgr, into_bgr.shape[1::-1], dst=into_bgr, interpolation=cv2.INTER_AREA)
        return into_bgr
