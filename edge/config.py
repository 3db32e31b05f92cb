"""Settings: TOML -> typed and frozen. Nothing is clamped: a value out of range stops with file, key, value."""

import codecs
import difflib
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.inspect import FloatType, IntType, LiteralType, StructType, Type, UnionType, type_info

from edge.errors import ConfigError, MissingInputError
from edge.inference.edgetpu import DEFAULT_LIBRARY
from edge.inference.runtime import RuntimeName
from edge.source_kind import is_live

# \Z, as $ would let a line break follow. A NUL character ends a text for the system, so no name has one.
_DEVICE = r"^(auto|cpu|edgetpu|any|(usb|pci)(:\d+)?|(usb:)?\d+-\d+(\.\d+)*|/dev/apex_\d+)\Z"
_NO_NUL = r"^[^\x00]*\Z"
Text = Annotated[str, Meta(min_length=1, pattern=_NO_NUL)]
DeviceName = Annotated[str, Meta(pattern=_DEVICE)]
ConsoleMode = Literal["all", "changes", "off"]
Share = Annotated[float, Meta(ge=0, le=1)]
Region = tuple[Share, Share, Share, Share]
_LONGEST = 100  # characters of a value in a message
_DIGITS = 9  # of a side in --size

_TEXT = "a text that is not empty and holds no NUL character"
# What msgspec and `_range` would put less helpfully.
_CHOICES = {
    "bundle": _TEXT,
    "camera.source": _TEXT,
    "camera.script": "a text that holds no NUL character",
    "engine.edgetpu_library": _TEXT,
    "output.jsonl": _TEXT,
    "camera.exposure": "auto, or microseconds from 1 to 200000000",
    "camera.focus": "auto, or a number from 0 to 65535: dioptres for a Pi camera",
    "camera.format": "auto, MJPG, YUYV or another four-letter code that `v4l2-ctl --list-formats-ext` shows",
    "camera.region": "four numbers from 0 to 1: left, top, width and height as shares of the picture",
    "engine.device": "auto, cpu, any, usb, pci, usb:N, pci:N, or a place such as 2-1.4 or /dev/apex_0",
    "engine.runtime": "auto, litert or tflite-runtime",
    "output.console": "all, changes or off",
}


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every section: unknown keys are errors."""


class Camera(Section, frozen=True, kw_only=True):
    """[camera]: where frames come from. fps: frames a second, absent for the source's own rate.

    region: left, top, width and height of what is classified, as shares of the picture. timeout_s: seconds
    without a frame that are a stall. frozen_s: seconds of bit-identical frames that are a frozen camera, 0
    never. exposure in microseconds, focus in dioptres, gain as a factor: for cameras that have them. format:
    the pixel format asked of a V4L2 camera. script: what a synthetic camera shall suffer.
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
    script: Annotated[str, Meta(pattern=_NO_NUL)] | None = None

    def __post_init__(self) -> None:
        if self.region is not None:
            left, top, width, height = self.region
            if not (width > 0 and height > 0 and left + width <= 1 + 1e-9 and top + height <= 1 + 1e-9):
                raise ValueError("region must be inside the picture: left + width and top + height at most 1")

    @property
    def endless(self) -> bool:
        """May the source be opened again after a fault? A replay would begin at its first frame."""
        return self.loop or self.source == "synthetic" or is_live(self.source)

    @property
    def patience_s(self) -> float:
        """How long without a frame is a stall: never less than three frames of a slow camera."""
        return max(self.timeout_s, 3 / self.fps if self.fps else 0.0)


class Engine(Section, frozen=True, kw_only=True):
    """[engine]: what computes. device auto: the Edge TPU where the bundle and the machine have one.

    timeout_s: an inference that takes longer is hung. start_timeout_s: opening an Edge TPU that takes longer is.
    """

    runtime: RuntimeName = "auto"
    device: DeviceName = "auto"
    threads: Annotated[int, Meta(ge=1, le=64)] = 2
    edgetpu_library: Text = DEFAULT_LIBRARY
    timeout_s: Annotated[float, Meta(ge=0.5, le=600)] = 5.0
    start_timeout_s: Annotated[float, Meta(ge=1, le=600)] = 10.0

    def at(self, device: str) -> "Engine":
        """The same with another `device`."""
        return msgspec.structs.replace(self, device=device)


class Decisions(Section, frozen=True, kw_only=True):
    """[decision]: threshold absent: the bundle's own."""

    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    top: Annotated[int, Meta(ge=1, le=100)] = 3


class Output(Section, frozen=True, kw_only=True):
    """[output]: where results go. jsonl is rotated at max_mb megabytes, `keep` old files are kept."""

    console: ConsoleMode = "all"
    jsonl: Text | None = None
    max_mb: Annotated[int, Meta(ge=1, le=100_000)] = 64
    keep: Annotated[int, Meta(ge=0, le=1000)] = 4


class Load(Section, frozen=True, kw_only=True):
    """[load]: what classifying may cost. max_fps: decisions a second. cpu_percent: share of all cores that
    the service may use. max_temperature_c: the board's, from where it slows down."""

    max_fps: Annotated[float, Meta(ge=0.001, le=1000)] | None = None
    cpu_percent: Annotated[float, Meta(ge=1, le=100)] | None = None
    max_temperature_c: Annotated[float, Meta(ge=30, le=110)] = 75.0


class Recovery(Section, frozen=True, kw_only=True):
    """[recovery]: how far the supervisor may go. usb_reset: reset a USB camera or Coral that restarts do not
    mend. reboot_after_min: minutes without a result until a reboot is asked for, absent for never;
    reboots_a_day: at most so many in 24 hours."""

    usb_reset: bool = True
    reboot_after_min: Annotated[float, Meta(ge=1, le=10_000)] | None = None
    reboots_a_day: Annotated[int, Meta(ge=1, le=24)] = 3


class Settings(Section, frozen=True, kw_only=True):
    """The whole file. bundle: a directory or a .fieldfare file."""

    bundle: Text
    camera: Camera = Camera()
    engine: Engine = Engine()
    decision: Decisions = Decisions()
    output: Output = Output()
    load: Load = Load()
    recovery: Recovery = Recovery()


def load_settings(path: Path) -> Settings:
    """Read a settings file. Raises MissingInputError or ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingInputError(f"settings {path}: cannot read: {error.strerror or error}") from error
    return parse_settings(data, str(path))


def parse_settings(data: bytes, name: str) -> Settings:
    """As load_settings, from bytes; `name` is for the messages. A byte order mark, as some editors put it
    first, is passed over."""
    try:
        values = msgspec.toml.decode(data.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{name}: not valid TOML: {error}") from error
    try:
        return settings_from(values)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def settings_from(values: dict[str, Any]) -> Settings:
    """Settings from decoded TOML or the command line's options. Raises ConfigError."""
    try:
        return msgspec.convert(values, type=Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(explain(error, values)) from error


def parse_size(text: str) -> tuple[int, int]:
    """The option --size, as (width, height); whether a camera may be asked for it, settings_from says. Raises
    ConfigError."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isascii() and side.isdecimal() and len(side) <= _DIGITS for side in sides):
        raise ConfigError(f"--size {shorten(text)}: must be WIDTHxHEIGHT, such as 640x480")
    return int(sides[0]), int(sides[1])


def explain(error: msgspec.ValidationError, values: dict[str, Any]) -> str:
    """Key, value, what is allowed; for an unknown key the nearest known one."""
    message, _, where = str(error).partition(" - at `$")
    path = re.sub(r"\[.*?\]", "", where.rstrip("`").lstrip("."))
    unknown = re.search(r"unknown field `(.*)`", message, re.DOTALL)
    if unknown:
        known = _known_keys(path)
        near = difflib.get_close_matches(unknown[1], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        place = f"[{path}] " if path else ""
        return f"{place}unknown key {_shown(unknown[1])}: {hint}"
    missing = re.search(r"missing required field `(.+?)`", message)
    if missing:
        return f"key {missing[1]!r} is missing"
    own = re.fullmatch(r"(\w+) (must .*)", message)
    if own:
        path, message = f"{path}.{own[1]}", own[2].removeprefix("must be ")
    value: Any = values
    for key in path.split(".") if path else ():
        value = value.get(key) if isinstance(value, dict) else None
    allowed = None if own else _CHOICES.get(path) or _range(path)
    return f"{path} = {_shown(value)}: must be {allowed or message.replace('Expected ', '', 1).replace('`', '')}"


def _shown(value: Any) -> str:
    try:
        return shorten(repr(value))
    except ValueError:  # TOML's 0x... can be a number of more digits than Python prints
        return "(a number too long to print)"


def shorten(text: str) -> str:
    """The beginning of a text that is too long for a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _range(path: str) -> str | None:
    """What a numeric key takes, from its annotation, such as "a whole number from 32 to 8192"; None for others."""
    kind: Type | None = type_info(Settings)
    for key in path.split("."):
        fields = kind.fields if isinstance(kind, StructType) else ()
        kind = next((field.type for field in fields if field.name == key), None)
    kinds = kind.types if isinstance(kind, UnionType) else (kind,)
    words = [str(value) for one in kinds if isinstance(one, LiteralType) for value in one.values]
    numbers = [_ends(one) for one in kinds if isinstance(one, IntType | FloatType)]
    return ", or ".join(words + numbers) if numbers else None


def _ends(kind: IntType | FloatType) -> str:
    ends = (("from", kind.ge), ("over", kind.gt), ("to", kind.le), ("to under", kind.lt))
    said = [f"{word} {end:.15g}" for word, end in ends if end is not None]
    return " ".join(["a whole number" if isinstance(kind, IntType) else "a number", *said])


def _known_keys(section: str) -> list[str]:
    kinds: dict[str, type[Section]] = {
        "": Settings,
        "camera": Camera,
        "engine": Engine,
        "decision": Decisions,
        "output": Output,
        "load": Load,
        "recovery": Recovery,
    }
    return list(kinds[section].__struct_fields__) if section in kinds else []
