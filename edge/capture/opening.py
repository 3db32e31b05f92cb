"""Open the source of frames that the settings name."""

import math
import re
from pathlib import Path

from edge.capture.base import FrameSource, Optics
from edge.config.faults import shorten
from edge.config.running import Camera
from edge.config.secret_files import read_secret, with_password
from edge.errors import CameraError, ConfigError, MissingInputError, UnavailableError
from edge.printable import masked, without_secrets
from edge.source_kind import SourceKind, source_kind

SOURCES = "a folder, a picture or video file, /dev/videoN, picamera2[:N], an rtsp:// or http:// stream, or synthetic"

_PICAMERA = re.compile(r"picamera2(?::(\d{1,3}))?")


def open_source(camera: Camera, *, model_size: tuple[int, int] | None = None) -> FrameSource:
    """Open the source that camera.source names.

    model_size: the (width, height) that the model needs, from Preprocessor.least_size. A camera that resizes by
    itself then delivers pictures in which camera.region has this size, and no larger ones.
    Raises ConfigError if camera.source names no source, and whatever the source raises.
    """
    source = camera.source
    if source == "synthetic":
        return _open_synthetic(camera)
    kind = source_kind(source)
    _require_fitting(camera, kind)
    if kind == "replay":
        return _open_replay(Path(source), camera)
    if kind == "picamera2":
        return _open_picamera(camera, model_size)
    return _open_v4l2(camera) if kind == "v4l2" else _open_stream(camera, model_size)


def require_source(camera: Camera) -> None:
    """Raise ConfigError if camera.source or camera.script cannot be right, whatever is plugged in. Opens no source."""
    kind = source_kind(camera.source)
    if kind == "synthetic":
        from edge.capture.script import ScriptClock

        if camera.script is not None:
            ScriptClock(camera.script)
        return
    _require_fitting(camera, kind)
    if kind == "picamera2":
        _picamera_number(camera.source)
    elif kind == "stream":
        from edge.capture.urls import require_stream

        require_stream(camera.source)


def _require_fitting(camera: Camera, kind: SourceKind) -> None:
    """Raise ConfigError if other keys of [camera] are for another kind of source."""
    if camera.script is not None:
        raise ConfigError(f'camera.script is for source = "synthetic", not for {masked(camera.source)}: take it out')
    if kind != "replay" and not camera.realtime:
        raise ConfigError(f"camera {masked(camera.source)} cannot run flat out: leave realtime on")


def _open_synthetic(camera: Camera) -> FrameSource:
    from edge.capture.synthetic import SyntheticSource

    fps = (camera.fps or 30.0) if camera.realtime else None
    return SyntheticSource(width=camera.width, height=camera.height, fps=fps, script=camera.script)


def _open_picamera(camera: Camera, model_size: tuple[int, int] | None) -> FrameSource:
    from edge.capture.picamera import PicameraSource

    return PicameraSource(
        _picamera_number(camera.source),
        width=camera.width,
        height=camera.height,
        fps=camera.fps,
        wait_s=camera.patience_s,
        least=model_size and _whole(model_size, camera),
        optics=_optics(camera),
    )


def _picamera_number(source: str) -> int:
    numbered = _PICAMERA.fullmatch(source)
    if numbered is None:
        shown = shorten(repr(without_secrets(source)))
        raise ConfigError(f"camera.source = {shown}: must be picamera2, picamera2:0, picamera2:1 and so on")
    return int(numbered[1] or 0)


def _open_v4l2(camera: Camera) -> FrameSource:
    from edge.capture.v4l2 import V4l2Source

    return V4l2Source(
        Path(camera.source),
        width=camera.width,
        height=camera.height,
        fps=camera.fps,
        wait_s=camera.patience_s,
        pixel_format=camera.format,
        optics=_optics(camera),
    )


def _open_stream(camera: Camera, model_size: tuple[int, int] | None) -> FrameSource:
    from edge.capture.network.stream import StreamSource

    least = _whole(model_size, camera) if model_size else (1, 1)
    address = camera.source
    if camera.password_file is not None:
        try:
            # Read anew each time that the camera is opened: a password may be changed, or come later.
            address = with_password(address, read_secret("camera.password_file", camera.password_file))
        except UnavailableError as error:
            raise CameraError(str(error)) from error
    return StreamSource(address, wait_s=camera.patience_s, fps=camera.fps, least=least)


def _open_replay(path: Path, camera: Camera) -> FrameSource:
    from edge.capture.replay.folder import FolderSource
    from edge.capture.replay.video import VideoSource
    from edge.photo_files import is_image_name, is_photo

    if not _exists(path):
        shown = shorten(repr(without_secrets(camera.source)))
        raise MissingInputError(
            f"{shown}: no such picture" if is_image_name(path) else f"source {shown} is not there: give {SOURCES}"
        )
    if path.is_dir() or is_image_name(path) or is_photo(path):
        # Pictures have no rate of their own: without camera.fps they are read as fast as they are taken.
        return FolderSource(path, fps=camera.fps, paced=camera.realtime, loop=camera.loop)
    return VideoSource(path, realtime=camera.realtime, fps=camera.fps, loop=camera.loop)


def _exists(path: Path) -> bool:
    """Return whether `path` exists. Raises MissingInputError if that cannot be found out: no permission, or not a
    possible file name."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise MissingInputError(
            f"source {shorten(repr(without_secrets(str(path))))}: cannot read: {error.strerror or error}"
        ) from error
    return True


def _whole(model_size: tuple[int, int], camera: Camera) -> tuple[int, int]:
    """Return the (width, height) of a whole picture whose region has the size that the model needs."""
    _, _, width, height = camera.region or (0.0, 0.0, 1.0, 1.0)
    return math.ceil(model_size[0] / width), math.ceil(model_size[1] / height)


def _optics(camera: Camera) -> Optics:
    return Optics(
        exposure_us=None if camera.exposure == "auto" else camera.exposure,
        gain=camera.gain,
        focus=None if camera.focus == "auto" else camera.focus,
    )
