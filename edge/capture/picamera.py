"""Read the Raspberry Pi's own cameras through the system's picamera2 (apt install python3-picamera2)."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from edge.capture.base import Optics
from edge.capture.picamera_controls import controls_for
from edge.capture.pixel_formats import KNOWN, to_bgr
from edge.clock import DeviceClock
from edge.errors import CameraError, ConfigError, EndOfStream, MissingPackageError, SpentProcessError
from edge.records import Frame

_log = logging.getLogger(__name__)

_CLOSE_S = 2.0

# (main, lores) in the order in which they are tried. A Pi 5 makes small RGB frames itself, a Pi 4 only YUV420.
# With lores, main only sets the field of view, in the format that costs the least memory. RGB888 fails at the
# start with the kernel's test camera vimc, but BGR888 works; libcamera's virtual camera has NV12 alone.
_WITH_LORES = (("YUV420", "RGB888"), ("YUV420", "YUV420"), ("RGB888", "YUV420"))
_MAIN_ONLY = (("RGB888", None), ("BGR888", None), ("XRGB8888", None), ("YUV420", None), ("NV12", None))


# What picamera2 and libcamera's binding raise if they reject a configuration.
_REFUSALS = (RuntimeError, ValueError, OSError, LookupError, TypeError, AttributeError)


class PicameraSource:
    """One libcamera camera by its number, configured once. Read by one thread.

    With `least`, frames come from a second, small stream of the same view that the camera's ISP makes, so that the
    processor hardly has to resize. If the camera offers no such stream, frames come from the main one.
    """

    lossless = False
    has_noise = True
    stalls = True

    def __init__(
        self,
        number: int,
        *,
        width: int,
        height: int,
        fps: float | None,
        wait_s: float,
        least: tuple[int, int] | None = None,
        optics: Optics | None = None,
    ) -> None:
        """Open and start the camera.

        number: as libcamera counts, from 0.
        width, height: of the main stream, in pixels.
        fps: frames a second; None leaves the rate to the camera.
        wait_s: longest time without a frame, in seconds.
        least: the (width, height) that the model needs of the whole picture.
        optics: fixed exposure, gain and focus.

        Raises MissingPackageError without picamera2, CameraError if the camera is absent, busy or forbidden,
        ConfigError if it has no such exposure, gain or focus.
        """
        library = _picamera2()
        model = _model_of(library, number)
        self._name = f"picamera2:{number}"
        self._clock = DeviceClock(f"camera {self._name}")
        self._wait_s = wait_s
        self._sequence = 0
        self._closed = False
        self._failed: str | None = None
        self._busy = threading.Lock()
        try:
            self._camera: Any = library(number)
        except _REFUSALS as error:
            # A constructor that fails late has acquired the camera and does not release it.
            raise SpentProcessError(f"camera {self._name}: {_reason(error)}") from error
        try:
            self._stream = self._start((width, height), least, optics or Optics(), fps)
        except BaseException:
            _within(_CLOSE_S, self._camera.close, f"camera {self._name}")
            raise
        self._describe(model, (width, height), fps)

    def _describe(self, model: str, requested: tuple[int, int], fps: float | None) -> None:
        """Note what the camera really gives, and warn if that is not what was requested."""
        given = self._camera.camera_configuration()
        self._format: str = given[self._stream]["format"]
        self._size: tuple[int, int] = tuple(given[self._stream]["size"])
        self._stride: int = given[self._stream]["stride"]
        main = tuple(given["main"]["size"])
        seen = f" (from {main[0]}x{main[1]})" if self._stream == "lores" else ""
        rate = f", {fps:g} frames/s" if fps else ""
        self.description = f"{self._name} {model} {self._size[0]}x{self._size[1]}{seen} {self._format}{rate}"
        if main != requested:
            _log.warning("camera %s: requested %dx%d, it gives %dx%d", self._name, *requested, *main)
        self._warn_of_rate(fps)

    def read(self) -> Frame:
        """See FrameSource.read. After `wait_s` without a frame this and every later call raise CameraError."""
        with self._busy:
            if self._closed:
                raise EndOfStream("the camera was closed")
            if self._failed:
                raise CameraError(self._failed)
            return self._read()

    def close(self) -> None:
        """See FrameSource.close. A camera that does not stop within 2 s stays open until the process ends."""
        if self._closed:
            return
        self._closed = True
        if not self._end_read():
            _log.warning("camera %s hangs in a read; left to the end of the process", self._name)
            return
        try:
            _within(_CLOSE_S, lambda: (self._camera.stop(), self._camera.close()), f"camera {self._name}")
        finally:
            self._busy.release()

    def _end_read(self) -> bool:
        """Stop a running read and lock the camera; False if the read does not end."""
        ends_s = time.monotonic() + _CLOSE_S
        while time.monotonic() < ends_s:
            # `stop` would wait for ever behind a request that a stalled camera never fills. Cancel repeatedly: a read
            # that was about to begin may queue one more.
            self._camera.cancel_all_and_flush()
            if self._busy.acquire(timeout=0.1):
                return True
        return False

    def _start(self, size: tuple[int, int], least: tuple[int, int] | None, optics: Optics, fps: float | None) -> str:
        """Configure and start in the first pair of formats that the camera accepts; return the stream to read."""
        lores = None if least is None else lores_size(size, least)
        refusals = []
        for main_format, lores_format in (*(_WITH_LORES if lores else ()), *_MAIN_ONLY):
            try:
                self._configure({"size": size, "format": main_format}, lores_format and lores, lores_format)
                self._camera.set_controls(controls_for(self._camera.camera_controls, optics, fps))
                stream = "lores" if lores_format else "main"
                given = self._camera.camera_configuration()[stream]["format"]
                if given not in KNOWN:
                    raise CameraError(f"gives {given}")
                self._camera.start()
                return stream
            except ConfigError:
                raise
            except _REFUSALS as error:
                refusals.append(f"{main_format}{f'+{lores_format}' if lores_format else ''}: {_innermost(error)}")
                _log.debug("camera %s refuses %s", self._name, refusals[-1])
        raise CameraError(f"camera {self._name}: takes no format at {size[0]}x{size[1]}: {refusals[-1]}")

    def _warn_of_rate(self, fps: float | None) -> None:
        """Warn if the sensor's mode does not reach `fps`: libcamera changes the rate silently."""
        limits = self._camera.camera_controls.get("FrameDurationLimits")
        if not fps or not limits or not 0 < limits[0] < limits[1]:
            return
        slowest, fastest = 1e6 / limits[1], 1e6 / limits[0]
        if not 0.98 * slowest <= fps <= 1.02 * fastest:
            _log.warning(
                "camera %s: requested %g frames/s, at this size it makes %.3g to %.3g",
                self._name,
                fps,
                slowest,
                fastest,
            )

    def _configure(self, main: dict[str, Any], lores: tuple[int, int] | None, lores_format: str | None) -> None:
        from libcamera import ColorSpace

        # BT.601 in video range, which OpenCV's conversion from YUV expects; picamera2 would choose BT.709 from
        # 1280x720 on.
        self._camera.configure(
            self._camera.create_video_configuration(
                main=main,
                lores={"size": lores, "format": lores_format} if lores else None,
                colour_space=ColorSpace.Smpte170m(),
                buffer_count=4,
            )
        )

    def _read(self) -> Frame:
        try:
            # Without a timeout picamera2's waits block for ever. `close` can cancel a job.
            job = self._camera.capture_request(wait=False)
            request = self._camera.wait(job, timeout=self._wait_s)
        except CancelledError as error:
            raise EndOfStream("the camera was closed") from error
        except (TimeoutError, RuntimeError) as error:
            self._failed = (
                f"camera {self._name}: no frame within {self._wait_s:g} s: it stalled or came loose: "
                "check the ribbon cable"
            )
            raise CameraError(self._failed) from error
        try:
            buffer = request.make_buffer(self._stream)
            metadata = request.get_metadata()
        finally:
            request.release()  # at once, as held requests stall the camera
        now_mono_s, now_wall_s = time.monotonic(), time.time()
        age_s = self._clock.age_s(_claimed_age_s(metadata.get("SensorTimestamp")))
        image_bgr = to_bgr(buffer, self._format, self._size, self._stride)
        frame = Frame(image_bgr, self._sequence, now_mono_s - age_s, now_wall_s - age_s)
        self._sequence += 1
        return frame


def lores_size(main: tuple[int, int], least: tuple[int, int]) -> tuple[int, int] | None:
    """Return the smallest (width, height) with the aspect ratio of `main`, both even, in which neither side is
    smaller than in `least`; None if it is no smaller than `main`."""
    scale = max(least[0] / main[0], least[1] / main[1])
    width, height = (2 * math.ceil(round(side * scale, 6) / 2) for side in main)
    return (width, height) if width < main[0] and height < main[1] else None


def _model_of(library: Any, number: int) -> str:
    """Return the model's name of camera `number`. Raises SpentProcessError if it is not there."""
    try:
        found = library.global_camera_info()
    except _REFUSALS as error:
        raise SpentProcessError(f"cameras could not be listed: {_reason(error)}") from error
    if not 0 <= number < len(found):
        # libcamera looks for cameras once in a process: only a new process can find this one.
        raise SpentProcessError(f"camera picamera2:{number} is not there; {len(found)} found: {_absent_because()}")
    return str(found[number].get("Model", "camera"))


def _picamera2() -> Any:
    try:
        from picamera2 import Picamera2
    except (ImportError, ValueError) as error:  # ValueError: built for NumPy 1, found NumPy 2 (Bookworm)
        raise MissingPackageError(
            f"the Pi camera needs picamera2 ({error}): sudo apt install python3-picamera2, make the virtual "
            "environment with --system-site-packages, and on Bookworm add pip install 'numpy<2'"
        ) from error
    return Picamera2


def _absent_because() -> str:
    """Return why a camera is missing, with the fix. libcamera does not list cameras without permission."""
    if any(not os.access(node, os.R_OK | os.W_OK) for node in Path("/dev").glob("media*")):
        return "no permission for /dev/media*: add the user to the group `video`"
    return "check the ribbon cable and `rpicam-hello --list-cameras`"


def _reason(error: BaseException) -> str:
    """Return why a camera could not be opened, with the fix. The cause is behind the error that picamera2 raises."""
    text = _innermost(error)
    lower = text.lower()
    if "permission" in lower or "dma" in lower:
        return f"{text}: add the user to the group `video`, for /dev/video*, /dev/media* and /dev/dma_heap/*"
    return f"{text}: is another program using it? Stop that"


def _innermost(error: BaseException) -> str:
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return " ".join(str(error).split()) or type(error).__name__


def _within(seconds: float, act: Callable[[], object], what: str) -> None:
    """Run `act` in a thread of its own, and leave it behind if it takes longer than `seconds`."""

    def body() -> None:
        try:
            act()
        except _REFUSALS as error:
            _log.warning("%s did not close well: %s", what, error)

    thread = threading.Thread(target=body, name=f"closing {what}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        _log.warning("%s did not close within %g s; left to the end of the process", what, seconds)


def _claimed_age_s(sensor_timestamp_ns: int | None) -> float | None:
    """Return the seconds since the sensor began to read the frame out; its clock is CLOCK_BOOTTIME."""
    if sensor_timestamp_ns is None:
        return None
    return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - sensor_timestamp_ns) / 1e9
