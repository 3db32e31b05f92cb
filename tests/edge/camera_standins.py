"""Replacements for missing cameras. They refuse what the real ones would, and fail on request."""

import http.server
import socketserver
import threading
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.capture import v4l2_probe

BLUISH = (200, 90, 40)
REDDISH = (40, 90, 200)


def scene(width: int, height: int, number: int = 0) -> NDArray[np.uint8]:
    """Return a picture in B, G, R: left half blue, right half red; brighter from frame to frame."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = BLUISH, REDDISH
    return image + np.uint8(number % 8)


def in_memory(image_bgr: NDArray[np.uint8], name: str, stride: int) -> NDArray[np.uint8]:
    """Return a picture as in a camera's buffer: in this pixel format, its rows padded with random bytes."""
    height, width = image_bgr.shape[:2]
    if name in ("YUV420", "NV12"):
        padded = np.zeros((height, stride, 3), np.uint8)
        padded[:, :width] = image_bgr
        planes = cv2.cvtColor(padded, cv2.COLOR_BGR2YUV_I420).reshape(-1)
        if name == "NV12":
            luma, chroma = planes[: height * stride], planes[height * stride :]
            planes = np.concatenate([luma, chroma.reshape(2, -1).T.reshape(-1)])
        return planes
    conversion = {"BGR888": cv2.COLOR_BGR2RGB, "XRGB8888": cv2.COLOR_BGR2BGRA, "XBGR8888": cv2.COLOR_BGR2RGBA}
    picture = cv2.cvtColor(image_bgr, conversion[name]) if name in conversion else image_bgr
    rows = np.full((height, stride), 0xEE, np.uint8)
    rows[:, : width * picture.shape[2]] = picture.reshape(height, -1)
    return rows.reshape(-1)


class StandInRequest:
    """A picamera2 request: it holds the camera's memory, and must be released."""

    def __init__(self, camera: "StandInPicamera2") -> None:
        self.camera = camera

    def make_buffer(self, name: str) -> NDArray[np.uint8]:
        stream = self.camera.camera_configuration()[name]
        return in_memory(scene(*stream["size"], self.camera.frames), stream["format"], stream["stride"])

    def get_metadata(self) -> dict[str, int]:
        return {"SensorTimestamp": time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 20_000_000}

    def release(self) -> None:
        self.camera.held -= 1


class StandInPicamera2:
    """The part of picamera2's documented interface that the source uses, on one of four machines:

    pi4 and pi5 are Raspberry Pis; vimc is the kernel's test camera, virtual is libcamera's. Set the class's
    attributes before opening it.
    """

    machine: ClassVar[str]
    stalls_after: ClassVar[float]
    busy: ClassVar[str | None]
    camera_controls: ClassVar[dict[str, tuple[float, float, float]]]
    latest: ClassVar["StandInPicamera2"]

    @classmethod
    def reset(cls) -> None:
        cls.machine, cls.stalls_after, cls.busy = "pi4", float("inf"), None
        cls.camera_controls = {
            "ExposureTime": (60, 11_767_556, 20_000),
            "AnalogueGain": (1.0, 16.0, 1.0),
            "FrameDurationLimits": (16_666, 120_000_000, 33_333),
        }

    def __init__(self, number: int) -> None:
        if self.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.") from RuntimeError(self.busy)
        self.held = self.frames = 0
        self.state: list[str] = []
        self.tried: list[tuple[str, str | None]] = []
        self.controls: dict[str, Any] = {}
        self.jobs: list[Future[StandInRequest]] = []
        StandInPicamera2.latest = self

    @staticmethod
    def global_camera_info() -> list[dict[str, str]]:
        return [{"Model": "stand-in"}]

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        assert wanted["colour_space"] == "Smpte170m"
        return wanted

    def configure(self, configuration: dict[str, Any]) -> None:
        assert "started" not in self.state, "the camera must be stopped before configuring"
        main, lores = configuration["main"], configuration["lores"]
        self.tried.append((main["format"], lores and lores["format"]))
        if lores:
            if self.machine in ("vimc", "virtual"):
                raise IndexError("one stream is all there is")
            if lores["size"][0] > main["size"][0] or lores["size"][1] > main["size"][1]:
                raise RuntimeError("lores stream dimensions may not exceed main stream")
            if self.machine == "pi4" and lores["format"] != "YUV420":
                raise RuntimeError("lores stream must be YUV")
        given = {name: self._given(stream) for name, stream in (("main", main), ("lores", lores)) if stream}
        self.configuration = configuration | given

    def _given(self, stream: dict[str, Any]) -> dict[str, Any]:
        width, height = stream["size"]
        assert width % 2 == height % 2 == 0, "width and height should be even"
        name = "NV12" if self.machine == "virtual" else stream["format"]
        row = width * {"RGB888": 3, "BGR888": 3, "XRGB8888": 4}.get(name, 1)
        # The stride is no whole number of pixels, as with some real cameras.
        return {"size": (width, height), "format": name, "stride": -(-row // 64) * 64}

    def camera_configuration(self) -> dict[str, Any]:
        return self.configuration

    def set_controls(self, controls: dict[str, Any]) -> None:
        assert set(controls) <= set(self.camera_controls), "control is not advertised by libcamera"
        self.controls |= controls

    def start(self) -> None:
        if self.machine == "vimc" and self.configuration["main"]["format"] != "BGR888":
            raise RuntimeError("Failed to start camera: Broken pipe")
        self.state.append("started")

    def capture_request(self, wait: bool) -> Future[StandInRequest]:
        assert wait is False
        assert self.held == 0, "the camera stalls while requests are held"
        job: Future[StandInRequest] = Future()
        self.jobs.append(job)
        if self.frames < self.stalls_after:
            self.held += 1
            self.frames += 1
            job.set_result(StandInRequest(self))
        return job

    def wait(self, job: Future[StandInRequest], timeout: float) -> StandInRequest:
        assert isinstance(timeout, float), "without a number picamera2 waits for ever"
        return job.result(timeout)

    def cancel_all_and_flush(self) -> None:
        for job in self.jobs:
            if not job.done():
                job.set_exception(CancelledError())

    def stop(self) -> None:
        assert all(job.done() for job in self.jobs), "stopping waits for ever behind a request that is not filled"
        self.state.append("stopped")

    def close(self) -> None:
        self.state.append("closed")


def picamera2_modules() -> dict[str, types.ModuleType]:
    """Return the modules to put into sys.modules."""
    StandInPicamera2.reset()
    picamera2, libcamera = types.ModuleType("picamera2"), types.ModuleType("libcamera")
    picamera2.Picamera2 = StandInPicamera2  # type: ignore[attr-defined]
    libcamera.ColorSpace = types.SimpleNamespace(Smpte170m=lambda: "Smpte170m")  # type: ignore[attr-defined]
    return {"picamera2": picamera2, "libcamera": libcamera}


class StandInWebcam:
    """A USB camera behind cv2.VideoCapture: two sizes, two rates, two formats; takes the nearest, as drivers do."""

    opens: ClassVar[bool]
    controls: ClassVar[frozenset[int]]
    stalls_after: ClassVar[float]
    stall_s: ClassVar[float]
    spoils_every: ClassVar[int | None]
    latest: ClassVar["StandInWebcam"]

    @classmethod
    def reset(cls) -> None:
        cls.opens, cls.stalls_after, cls.stall_s, cls.spoils_every = True, float("inf"), 0.5, None
        cls.controls = frozenset({cv2.CAP_PROP_AUTO_EXPOSURE, cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_GAIN})

    def __init__(self) -> None:
        self.values: dict[int, float] = {
            cv2.CAP_PROP_FRAME_WIDTH: 640,
            cv2.CAP_PROP_FRAME_HEIGHT: 480,
            cv2.CAP_PROP_FPS: 30,
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*"YUYV"),
        }
        self.frames = 0
        self.released = threading.Event()
        StandInWebcam.latest = self

    def isOpened(self) -> bool:
        return self.opens

    def set(self, key: int, value: float) -> bool:
        nearest: dict[int, tuple[float, ...]] = {
            cv2.CAP_PROP_FRAME_WIDTH: (64, 640),
            cv2.CAP_PROP_FRAME_HEIGHT: (48, 480),
            cv2.CAP_PROP_FPS: (15, 30),
        }
        if key in nearest:
            value = min(nearest[key], key=lambda known: abs(known - value))
        elif key == cv2.CAP_PROP_FOURCC:
            if value not in (cv2.VideoWriter.fourcc(*"YUYV"), cv2.VideoWriter.fourcc(*"MJPG")):
                return False
        elif key not in self.controls:
            return False
        self.values[key] = value
        return True

    def get(self, key: int) -> float:
        if key == cv2.CAP_PROP_POS_MSEC:
            return time.monotonic() * 1e3 - 20
        return self.values.get(key, -1.0)

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        if self.frames >= self.stalls_after:
            self.released.wait(self.stall_s)
            return False, None
        time.sleep(0.01)
        self.frames += 1
        if self.spoils_every and self.frames % self.spoils_every == 0:
            return False, None
        size = int(self.values[cv2.CAP_PROP_FRAME_WIDTH]), int(self.values[cv2.CAP_PROP_FRAME_HEIGHT])
        return True, scene(*size, self.frames)

    def release(self) -> None:
        self.released.set()


def webcam_ioctl(
    *, capabilities: int = 0x84200001, node: int = 0x04200001, busy: bool = False
) -> Callable[[int, int, bytes], bytes]:
    """Answer fcntl.ioctl as a camera's driver does."""

    def ioctl(handle: int, request: int, argument: bytes) -> bytes:
        if request == v4l2_probe._QUERYCAP:
            return v4l2_probe._CAPABILITY.pack(b"uvcvideo", b"Stand-in\0rubbish", b"usb-1", 0, capabilities, node)
        if busy:
            raise OSError(16, "Device or resource busy")
        return argument

    return ioctl


@contextmanager
def snapshot_server(size: tuple[int, int] = (64, 48)) -> Iterator[str]:
    """Run a network camera that gives one picture a request; yield its URL."""
    pictures = iter(range(1_000_000))

    def answer() -> bytes:
        jpeg = cv2.imencode(".jpg", scene(*size, next(pictures)))[1].tobytes()
        return b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg) + jpeg

    with raw_server(lambda _: answer()) as server:
        yield f"{server.url}snap.jpg"


class RawServer:
    """What a raw_server was asked. url: ends with a slash; requests: each whole, as text."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[str] = []


@contextmanager
def raw_server(answer: Callable[[str], bytes], *, stays_open: bool = False) -> Iterator[RawServer]:
    """Run a server on this machine that answers each request with bytes as they are.

    answer: gets the request. stays_open: keep each connection open after the answer.
    """
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            request = b""
            while b"\r\n\r\n" not in request:
                if not (data := self.request.recv(65536)):
                    return
                request += data
            asked.requests.append(request.decode("latin-1"))
            with suppress(OSError):  # the client has seen enough
                self.request.sendall(answer(asked.requests[-1]))
                if stays_open:
                    over.wait(20)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        asked = RawServer(f"http://127.0.0.1:{server.server_address[1]}/")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield asked
        finally:
            over.set()
            server.shutdown()
            thread.join()


@contextmanager
def mjpeg_server(
    *,
    sizes: tuple[tuple[int, int], ...] = ((64, 48),),
    frames: int = 1000,
    then: str = "end",
    path: str = "/",
    cut_off: range = range(0),
) -> Iterator[str]:
    """Run a network camera on this machine; yield its URL. Any other path is not found.

    It sends `frames` pictures, one each 10 ms, in one of the `sizes` after the other, and then ends, falls silent, or
    ends in the middle of a further picture ("half"). It sends only the first half of the pictures in `cut_off`.
    """
    over = threading.Event()

    class Camera(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Keep the server's log out of the test's output."""

        def do_GET(self) -> None:
            if self.path != path:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for number in range(frames):
                if over.wait(0.01) or not self.send(number):
                    return
            if then == "silence":
                over.wait(20)
            elif then == "half":
                self.send(frames - 1, only_half=True)

        def send(self, number: int, *, only_half: bool = False) -> bool:
            jpeg = cv2.imencode(".jpg", scene(*sizes[number * len(sizes) // frames], number))[1].tobytes()
            if number in cut_off:
                jpeg = jpeg[: len(jpeg) // 2]
            try:
                self.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg))
                self.wfile.write(jpeg[: len(jpeg) // 2] if only_half else jpeg + b"\r\n")
            except OSError:
                return False
            return True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{path}"
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
