"""The protocol of every frame source, and the camera settings that may be fixed."""

from dataclasses import dataclass
from typing import Protocol

from edge.records import Frame


@dataclass(frozen=True, slots=True)
class Optics:
    """Fixed exposure, gain and focus. None leaves a value to the camera's own automatics.

    exposure_us: microseconds.
    gain: analogue gain as a factor; a USB camera takes its driver's own number.
    focus: dioptres, 0 is infinity; a USB camera takes its driver's own number.
    """

    exposure_us: int | None = None
    gain: float | None = None
    focus: float | None = None


class FrameSource(Protocol):
    """A camera, or a replacement for one.

    One thread calls `read`. Another may call `close`, which makes a waiting `read` end soon.
    """

    @property
    def description(self) -> str:
        """Return kind, size and rate, as negotiated with the source."""

    @property
    def lossless(self) -> bool:
        """Return True if every frame must be classified, so that the source waits for the device. If False, the
        newest frame wins, and the others are dropped and counted."""

    @property
    def has_noise(self) -> bool:
        """Return True if a repeated frame is a fault: a sensor's noise never gives two bit-identical frames. False
        for replays."""

    @property
    def stalls(self) -> bool:
        """Return True if silence is a fault, as with a camera. False if the next frame may take any time to be read
        and decoded."""

    def read(self) -> Frame:
        """Return the next frame, in memory of its own. Blocks until there is one.

        Raises EndOfStream after the last frame, CameraError if the source fails."""

    def close(self) -> None:
        """Release the camera; safe to call twice."""
