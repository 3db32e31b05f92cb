"""Translate exposure, gain, focus and rate to libcamera's controls. Pure."""

from collections.abc import Mapping
from typing import Any

from edge.capture.base import Optics
from edge.errors import ConfigError

# libcamera.controls.AfModeEnum
_AF_MANUAL = 0
_AF_CONTINUOUS = 2


def controls_for(available: Mapping[str, Any], optics: Optics, fps: float | None) -> dict[str, Any]:
    """Return the controls to start a camera with.

    available: picamera2's camera_controls, name -> (least, most, default).
    Raises ConfigError if the camera has no such control, or the value is out of its range.
    """
    # AeEnable stays unset: a fixed exposure or gain switches its own automatics off, and newer libcamera ignores
    # AeEnable (picamera2 issues 933, 1269).
    chosen: dict[str, Any] = {}
    exposure_us = optics.exposure_us
    if exposure_us is not None:
        chosen["ExposureTime"] = _value(available, "ExposureTime", "exposure", exposure_us, "auto")
    if "FrameDurationLimits" in available and (fps or exposure_us):
        frame_us = _frame_us(fps, exposure_us)
        chosen["FrameDurationLimits"] = (frame_us, frame_us)
    if optics.gain is not None:
        chosen["AnalogueGain"] = _value(available, "AnalogueGain", "gain", optics.gain, None)
    if optics.focus is not None:
        chosen["LensPosition"] = _value(available, "LensPosition", "focus", optics.focus, "auto")
        chosen["AfMode"] = _AF_MANUAL
    elif "AfMode" in available:
        chosen["AfMode"] = _AF_CONTINUOUS
    return chosen


def _frame_us(fps: float | None, exposure_us: int | None) -> int:
    """Return how long a frame takes, in microseconds. Raises ConfigError if the exposure takes longer."""
    # libcamera would shorten such an exposure silently.
    frame_us = round(1e6 / fps) if fps else max(33_333, exposure_us or 0)
    if exposure_us is not None and exposure_us > frame_us:
        raise ConfigError(
            f"camera.exposure = {exposure_us}: must be at most {frame_us} microseconds at {fps:g} frames/s: "
            "lower camera.fps or the exposure"
        )
    return frame_us


def _value(available: Mapping[str, Any], control: str, key: str, value: float, automatic: str | None) -> float:
    without = f'leave camera.{key} = "{automatic}"' if automatic else f"leave camera.{key} out"
    if control not in available:
        raise ConfigError(f"camera.{key} = {value:g}: this camera has no {control}: {without}")
    least, most = available[control][:2]
    # Some cameras give no upper end: it is 0, or the lower end again.
    if value < least or (most > least and value > most):
        raise ConfigError(f"camera.{key} = {value:g}: must be from {least:g} to {most:g} on this camera, or {without}")
    return value
