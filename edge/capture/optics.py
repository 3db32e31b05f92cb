"""What may be fixed about how a camera looks: exposure, gain, focus."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Optics:
    """None leaves a value to the camera's own automatics.

    exposure_us: microseconds. gain: analogue gain as a factor; a USB camera takes its driver's own number.
    focus: dioptres, 0 is infinity; a USB camera takes its driver's own number.
    """

    exposure_us: int | None = None
    gain: float | None = None
    focus: float | None = None
