"""Settings -> a concrete source of frames."""

import re
from pathlib import Path

from edge.capture.base import FrameSource
from edge.config import Camera
from edge.errors import ConfigError, MissingInputError

SOURCES = "a folder, a picture or video file, /dev/videoN, picamera2[:N] or synthetic"


def open_source(camera: Camera) -> FrameSource:
    """The source that camera.source names. Raises ConfigError where it names none, else what the source
    raises."""
    if not camera.realtime and (camera.source.startswith(("picamera2", "/dev/"))):
        raise ConfigError(f"camera {camera.source} cannot run flat out: leave realtime on")
    numbered = re.fullmatch(r"picamera2(?::(\d+))?", camera.source)
    if numbered:
        from edge.capture.picamera import PicameraSource

        return PicameraSource(
            int(numbered[1] or 0), width=camera.width, height=camera.height, fps=camera.fps, wait_s=camera.patience_s
        )
    if camera.source == "synthetic":
        from edge.capture.synthetic import SyntheticSource

        fps = (camera.fps or 30.0) if camera.realtime else None
        return SyntheticSource(width=camera.width, height=camera.height, fps=fps)
    if camera.source.startswith("/dev/"):
        from edge.capture.v4l2 import V4l2Source

        return V4l2Source(
            Path(camera.source),
            width=camera.width,
            height=camera.height,
            fps=camera.fps,
            wait_s=camera.patience_s,
        )
    return _open_replay(Path(camera.source), camera)


def _open_replay(path: Path, camera: Camera) -> FrameSource:
    from edge.capture.replay import FolderSource, VideoSource
    from edge.images import is_image_name

    if path.is_dir() or is_image_name(path):
        if not path.exists():
            raise MissingInputError(f"{path}: no such picture")
        # Pictures have no rate of their own: without one asked for, each is taken as it comes.
        return FolderSource(path, fps=camera.fps if camera.realtime else None, loop=camera.loop)
    if path.exists():
        return VideoSource(path, realtime=camera.realtime, fps=camera.fps, loop=camera.loop)
    raise MissingInputError(f"source {camera.source!r} is not there: give {SOURCES}")
