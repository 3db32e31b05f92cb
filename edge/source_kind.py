"""Classify the text in camera.source by the kind of source that it names. The only place that does this."""

import re
from pathlib import Path
from typing import Literal

SourceKind = Literal["synthetic", "picamera2", "v4l2", "stream", "replay"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def source_kind(source: str) -> SourceKind:
    """Return the kind of source, by the text's form; in /dev, files and folders (/dev/shm) are replays.

    Does not check that the source exists or that the text is valid: edge.capture.opening does.
    """
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
    """Return True for sources with a rate of their own: cameras and streams. The synthetic camera does not count."""
    return source_kind(source) in ("picamera2", "v4l2", "stream")
