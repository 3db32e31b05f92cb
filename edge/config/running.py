"""The sections of what runs: camera, engine, decisions for each frame, results, load and recovery."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edge.config.secret_files import SecretFile, lacks_password
from edge.config.sections import NO_NUL, Region, Section, Share, Text
from edge.inference.edgetpu import DEFAULT_LIBRARY
from edge.inference.runtime import RuntimeName
from edge.source_kind import is_live, source_kind

_DEVICE = r"^(auto|cpu|edgetpu|any|(usb|pci)(:\d+)?|(usb:)?\d+-\d+(\.\d+)*|/dev/apex_\d+)\Z"
DeviceName = Annotated[str, Meta(pattern=_DEVICE)]
ConsoleMode = Literal["all", "changes", "off"]


class Camera(Section, frozen=True, kw_only=True):
    """[camera]: the source of the frames.

    - fps: frames a second; None: the source's own rate.
    - timeout_s: seconds without a frame that are a stall.
    - frozen_s: seconds of bit-identical frames that are a frozen camera; 0: never.
    - region: left, top, width and height of what is classified, as shares of the picture.
    - exposure (microseconds), gain (a factor), focus (dioptres): for cameras that have them.
    - format: the pixel format to set on a V4L2 camera.
    - script: the faults of a synthetic camera.
    - password_file: holds the password of a stream whose address has a user only.
    """

    source: Text = "picamera2"
    width: Annotated[int, Meta(ge=32, le=8192)] = 640
    height: Annotated[int, Meta(ge=32, le=8192)] = 480
    fps: Annotated[float, Meta(ge=0.001, le=1000)] | None = None
    realtime: bool = True
    loop: bool = False
    timeout_s: Annotated[float, Meta(ge=0.5, le=3600)] = 3.0
    frozen_s: Annotated[float, Meta(ge=0, le=3600)] = 2.0
    region: Region | None = None
    exposure: Literal["auto"] | Annotated[int, Meta(ge=1, le=200_000_000)] = "auto"
    gain: Annotated[float, Meta(ge=0, le=65535)] | None = None
    focus: Literal["auto"] | Annotated[float, Meta(ge=0, le=65535)] = "auto"
    format: Annotated[str, Meta(pattern=r"^(auto|[A-Za-z0-9 ]{4})\Z")] = "auto"
    script: Annotated[str, Meta(pattern=NO_NUL, description="a text that holds no NUL character")] | None = None
    password_file: SecretFile | None = None

    def __post_init__(self) -> None:
        takes_password = source_kind(self.source) == "stream" and lacks_password(self.source)
        if self.password_file is not None and not takes_password:
            raise ValueError(
                "password_file must be left out unless source is a stream with a user and no password: "
                "such as rtsp://viewer@192.168.1.20/stream"
            )
        if self.region is not None:
            left, top, width, height = self.region
            if not (width > 0 and height > 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9):
                raise ValueError("region must be inside the picture: left + width and top + height at most 1")

    @property
    def endless(self) -> bool:
        """Whether the source may be opened again after a fault: a replay would begin at its first frame."""
        return self.loop or self.source == "synthetic" or is_live(self.source)

    @property
    def patience_s(self) -> float:
        """Seconds without a frame that are a stall: never less than three frames of a slow camera."""
        return max(self.timeout_s, 3 / self.fps if self.fps else 0.0)


class Engine(Section, frozen=True, kw_only=True):
    """[engine]: what computes.

    - device: auto is the Edge TPU if both the bundle and the machine have one.
    - timeout_s: an inference that takes longer is hung.
    - start_timeout_s: an Edge TPU that takes longer to open is hung.
    """

    runtime: RuntimeName = "auto"
    device: DeviceName = "auto"
    threads: Annotated[int, Meta(ge=1, le=64)] = 2
    edgetpu_library: Text = DEFAULT_LIBRARY
    timeout_s: Annotated[float, Meta(ge=0.5, le=600)] = 5.0
    start_timeout_s: Annotated[float, Meta(ge=1, le=600)] = 10.0

    def at(self, device: str) -> "Engine":
        """Return these settings with another `device`."""
        return msgspec.structs.replace(self, device=device)


class Decisions(Section, frozen=True, kw_only=True):
    """[decision]: from scores to a label.

    - threshold: a best score under it is unknown; None: the bundle's own.
    - thresholds: the same for single labels.
    - smoothing: share of the past in each frame's scores.
    - background: labels that stand for nothing at all; they never make an event. None: those of the usual names that
      the bundle has (edge.events.labels).
    """

    threshold: Share | None = None
    thresholds: dict[Text, Share] = msgspec.field(default_factory=dict)
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    top: Annotated[int, Meta(ge=1, le=100)] = 3
    background: tuple[Text, ...] | None = None


class Output(Section, frozen=True, kw_only=True):
    """[output]: what results are written to. jsonl is rotated at max_mb megabytes, `keep` old files are kept."""

    console: ConsoleMode = "all"
    jsonl: Text | None = None
    max_mb: Annotated[int, Meta(ge=1, le=100_000)] = 64
    keep: Annotated[int, Meta(ge=0, le=1000)] = 4


class Load(Section, frozen=True, kw_only=True):
    """[load]: what classifying may cost.

    - max_fps: decisions a second.
    - cpu_percent: share of all cores that the service may use.
    - max_temperature_c: the temperature of the board that must not be passed.
    """

    max_fps: Annotated[float, Meta(ge=0.001, le=1000)] | None = None
    cpu_percent: Annotated[float, Meta(ge=1, le=100)] | None = None
    max_temperature_c: Annotated[float, Meta(ge=30, le=110)] = 75.0


Pin = Annotated[int, Meta(ge=0, le=53)] | Text


class Power(Section, frozen=True, kw_only=True):
    """[power]: a power supply that announces its end. The service then writes everything and rests.

    - file: what announces it by being there, or by holding `value`, such as a file in /sys/class/power_supply.
    - value: None: that the file is there is enough.
    - pin: or a pin, as gpiozero names it, such as 17 or "BOARD11". active_high: the high level announces it.
    - lasts_s: seconds that the signal must last, and later be gone.
    - off: then have the system switched off, through fieldfare-poweroff.path.
    """

    file: Text | None = None
    value: Text | None = None
    pin: Pin | None = None
    active_high: bool = True
    lasts_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    off: bool = False

    def __post_init__(self) -> None:
        if (self.file is None) == (self.pin is None):
            raise ValueError("file must be given, or pin, but not both")
        if self.value is not None and self.file is None:
            raise ValueError("value must be given together with file")


class Recovery(Section, frozen=True, kw_only=True):
    """[recovery]: how far the supervisor may go.

    - usb_reset: reset a USB camera or Coral that restarts do not mend.
    - reboot_after_min: minutes without a frame that was looked at until a reboot is requested; None: never.
    - reboots_a_day: at most so many in 24 hours.
    """

    usb_reset: bool = True
    reboot_after_min: Annotated[float, Meta(ge=1, le=10_000)] | None = None
    reboots_a_day: Annotated[int, Meta(ge=1, le=24)] = 3
