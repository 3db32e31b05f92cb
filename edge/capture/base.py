"""What a camera is to the rest of the program: FrameSource, and what may be fixed about how it looks."""

from dataclasses import dataclass
from typing import Protocol

from edge.records import Frame


@dataclass(frozen=True, slots=True)
class Optics:
    """None leaves a value to the camera's own automatics.

    exposure_us: microseconds. gain: analogue gain as a factor; a USB camera takes its driver's own number.
    focus: dioptres, 0 is infinity; a USB camera takes its driver's own number.
    """

    exposure_us: int | None = None
    gain: float | None = None
    focus: float | None = None


class FrameSource(Protocol):
    """A camera, or something that stands in for one.

    `read` is called by one thread; `close` may be called by another and makes a waiting `read` end soon.
    """

    @property
    def description(self) -> str:
        """What this is and what was negotiated: kind, size, rate."""

    @property
    def lossless(self) -> bool:
        """True where every frame shall be classified, so the source waits for the device; False where the
        newest frame wins and the rest are dropped and counted."""

    @property
    def has_noise(self) -> bool:
        """True where no two frames are ever bit-identical, as a sensor's noise sees to that, so that a repeated
        frame is a fault; False for replays."""

    @property
    def stalls(self) -> bool:
        """True where it is a fault when no frame comes for a time, as of a camera; False where the next one may take
        as long as it does to be read and decoded."""

    def read(self) -> Frame:
        """The next frame, in memory of its own. Blocks until there is one.

        Raises EndOfStream after the last, CameraError where the source fails."""

    def close(self) -> None:
        """Give the camera back; safe to call twice."""
