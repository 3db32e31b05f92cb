"""Compute the scores of a recording, a video or a folder of pictures, as fast as it goes."""

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.capture.base import FrameSource
from edge.capture.opening import open_source
from edge.config.running import Camera
from edge.errors import ConfigError, EndOfStream, MissingInputError, VideoError
from edge.printable import masked
from edge.results import Box
from edge.source_kind import source_kind
from edge.worker.pipeline import Pipeline


class Recording:
    """A video by its own times, or pictures at a rate.

    path: of the video, the folder or the picture.
    fps: frames a second; None: a video's own times, and ten for pictures.
    """

    def __init__(self, path: str, *, fps: float | None) -> None:
        """Open it. Raises ConfigError if `path` names no recording, MissingInputError if it is not there, VideoError
        if it is of no kind, and what open_source raises."""
        if path == "synthetic" or source_kind(path) != "replay" or _is_special(path):
            raise ConfigError(f"{masked(path)}: must be a score log, a video, or a folder of pictures")
        if _is_missing(path):
            raise MissingInputError(f"{masked(path)}: not there: give a score log, a video, or a folder of pictures")
        try:
            self._source: FrameSource = open_source(Camera(source=path, fps=fps, realtime=False))
        except VideoError as error:
            # One that was cut to a few bytes may have been either.
            raise VideoError(f"neither a score log, from its first bytes, nor a video: {error}") from error

    def scores(self, pipeline: Pipeline) -> Iterator[tuple[float, NDArray[np.float32], Box | None]]:
        """Yield the seconds since its begin, the scores, float32 (labels,), and what they are of, as in Decision, for
        each frame in which there is something to classify.

        Raises CameraError if it cannot be read, EngineError if the model fails.
        """
        while True:
            try:
                frame = self._source.read()
            except EndOfStream:
                return
            prepared = pipeline.prepare(frame)
            if pipeline.locates_late:
                prepared = pipeline.locate(prepared)
            if not prepared.cuts:
                continue
            pipeline.load(prepared)
            chosen, scores = pipeline.judge(pipeline.invoke(prepared))
            yield frame.second, scores[chosen].values, prepared.cuts[chosen].box

    def close(self) -> None:
        """Close it; safe to call twice."""
        self._source.close()


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
