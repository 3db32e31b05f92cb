"""What kind of source a text in camera.source names. The one place that tells them apart."""

import re
from pathlib import Path
from typing import Literal

SourceKind = Literal["synthetic", "picamera2", "v4l2", "stream", "replay"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def source_kind(source: str) -> SourceKind:
    """By its form alone, but for what lies in /dev: files and folders there (/dev/shm) are replays. Whether there is
    such a source, or could be, is for edge.capture.opening to say."""
    if source == "synthetic":
        return "synthetic"
    if source.startswith("picamera2"):
        return "picamera2"
    if _URL.match(source):
        return "stream"
    if source.startswith("/dev/") and not _is_replay(Path(source)):
        return "v4l2"
    return "replay"


def _is_replay(path: Path) -> bool:
    try:
        return path.is_dir() or path.is_file()
    except OSError:  # a name too long, or a folder that this user may not look into
        return False


def is_live(source: str) -> bool:
    """Does it show the world as it is now, at a rate of its own? The synthetic camera does so only where asked."""
    return source_kind(source) in ("picamera2", "v4l2", "stream")
