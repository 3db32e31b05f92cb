"""The Raspberry Pi's own cameras, through the system's picamera2 (apt install python3-picamera2)."""

import threading
import time
from typing import Any

import numpy as np

from edge.errors import CameraError, EndOfStream, MissingPackageError
from edge.records import Frame

_CLOSE_S = 2.0


class PicameraSource:
    """One libcamera camera by its number, configured once.

    Each frame is copied out and its request released at once: held requests stall the camera. `RGB888` is
    picamera2's name for bytes that lie as B, G, R, which is what Frame wants. Read by one thread.
    """

    def __init__(self, number: int, *, width: int, height: int, fps: float | None, wait_s: float) -> None:
        """Raises MissingPackageError without picamera2, CameraError without the camera or with it busy."""
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # ValueError: built for NumPy 1, found NumPy 2 (Bookworm)
            raise MissingPackageError(
                f"the Pi camera needs picamera2 ({error}): sudo apt install python3-picamera2, make the virtual "
                "environment with --system-site-packages, and on Bookworm add pip install 'numpy<2'"
            ) from error
        found = Picamera2.global_camera_info()
        if not 0 <= number < len(found):
            raise CameraError(
                f"camera picamera2:{number} is not there; {len(found)} found: check the ribbon cable and "
                "`rpicam-hello --list-cameras`"
            )
        try:
            self._camera: Any = Picamera2(number)
            controls = {"FrameRate": fps} if fps else {}
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": (width, height), "format": "RGB888"}, buffer_count=4, controls=controls
                )
            )
            self._camera.start()
        except (RuntimeError, ValueError, OSError, IndexError) as error:
            raise CameraError(f"camera picamera2:{number}: {error}: is another program using it?") from error
        given = self._camera.camera_configuration()["main"]["size"]
        model = found[number].get("Model", "camera")
        self._description = f"picamera2:{number} {model} {given[0]}x{given[1]}" + (f", {fps:g} frames/s" if fps else "")
        self._width, self._height = given
        self._wait_s = wait_s
        self._sequence = 0
        self._closed = False
        self._busy = threading.Lock()

    @property
    def description(self) -> str:
        """As FrameSource.description."""
        return self._description

    @property
    def lossless(self) -> bool:
        """As FrameSource.lossless."""
        return False

    @property
    def has_noise(self) -> bool:
        """As FrameSource.has_noise."""
        return True

    def read(self) -> Frame:
        """As FrameSource.read; gives up after `wait_s` without a frame."""
        with self._busy:
            return self._read()

    def _read(self) -> Frame:
        if self._closed:
            raise EndOfStream("the camera was closed")
        try:
            # Without a number picamera2's waits block for ever.
            request = self._camera.capture_request(wait=self._wait_s)
        except (TimeoutError, RuntimeError) as error:
            raise CameraError(f"no frame within {self._wait_s:g} s: the camera stalled or came loose") from error
        try:
            image = request.make_array("main")
            metadata = request.get_metadata()
        finally:
            request.release()
        now_mono_s, now_wall_s = time.monotonic(), time.time()
        age_s = _age_s(metadata.get("SensorTimestamp"))
        image_bgr = np.ascontiguousarray(image[: self._height, : self._width, :3])
        frame = Frame(image_bgr, self._sequence, now_mono_s - age_s, now_wall_s - age_s)
        self._sequence += 1
        return frame

    def close(self) -> None:
        """As FrameSource.close; waits for a read under way, as its memory is the camera's. A camera that
        stalls in it is left to the end of the process."""
        if self._closed:
            return
        self._closed = True
        if self._busy.acquire(timeout=_CLOSE_S):
            try:
                self._camera.stop()
                self._camera.close()
            finally:
                self._busy.release()


def _age_s(sensor_timestamp_ns: int | None) -> float:
    """Seconds since the sensor began to read the frame out; its clock is CLOCK_BOOTTIME."""
    if sensor_timestamp_ns is None:
        return 0.0
    return max(0.0, (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - sensor_timestamp_ns) / 1e9)
