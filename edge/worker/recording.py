"""Compute the scores of a recording, a video or a folder of pictures, as fast as it goes."""

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.capture.base import FrameSource
from edge.capture.opening import open_source
from edge.capture.replay.video import VideoSource
from edge.config.running import Camera
from edge.errors import ConfigError, EndOfStream, MissingInputError, VideoError
from edge.postprocess import to_scores
from edge.printable import masked
from edge.records import Frame
from edge.source_kind import source_kind
from edge.worker.pipeline import Pipeline

# Of a folder of pictures, which have no times of their own.
USUAL_FPS = 10.0


class Recording:
    """A video by its own times, or pictures at a rate.

    path: of the video, the folder or the picture.
    fps: frames a second; None: a video's own times, and USUAL_FPS for pictures.
    """

    def __init__(self, path: str, *, fps: float | None) -> None:
        """Open it. Raises ConfigError if `path` names no recording, MissingInputError if it is not there, VideoError
        if it is of no kind, and what open_source raises."""
        if path == "synthetic" or source_kind(path) != "replay" or _is_special(path):
            raise ConfigError(f"{masked(path)}: must be a score log, a video, or a folder of pictures")
        if _is_missing(path):
            raise MissingInputError(f"{masked(path)}: not there: give a score log, a video, or a folder of pictures")
        self._fps = fps
        try:
            self._source: FrameSource = open_source(Camera(source=path, fps=fps, realtime=False))
        except VideoError as error:
            # One that was cut to a few bytes may have been either.
            raise VideoError(f"neither a score log, from its first bytes, nor a video: {error}") from error

    def scores(self, pipeline: Pipeline) -> Iterator[tuple[float, NDArray[np.float32]]]:
        """Yield the seconds since its begin and the scores, float32 (labels,), of each frame.

        Raises CameraError if it cannot be read, EngineError if the model fails.
        """
        manifest = pipeline.bundle.manifest
        while True:
            try:
                frame = self._source.read()
            except EndOfStream:
                return
            prepared = pipeline.prepare(frame)
            pipeline.load(prepared)
            raw = pipeline.invoke(prepared).raw
            yield self._second(frame), to_scores(raw, manifest.output, manifest.calibration).values

    def close(self) -> None:
        """Close it; safe to call twice."""
        self._source.close()

    def _second(self, frame: Frame) -> float:
        if isinstance(self._source, VideoSource):
            return self._source.position_s
        return frame.sequence / (self._fps or USUAL_FPS)


def _is_special(path: str) -> bool:
    """Return whether it is there and no file or folder: the video library would wait for a pipe without end."""
    try:
        mode = Path(path).stat().st_mode
    except OSError:  # open_source gives the reason
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _is_missing(path: str) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # open_source gives the reason
        return False
    return False
