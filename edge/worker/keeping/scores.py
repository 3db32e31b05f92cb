"""Write the score log, beside the threads that classify, and send it in pieces."""

from contextlib import suppress
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.events.score_log import ScoreLogWriter
from edge.processes.messages import Scored
from edge.records import Scores
from edge.results import Decision
from edge.worker.keeping.background import BackgroundThread
from edge.worker.keeping.sending import Send
from edge.worker.pipeline import Prepared

# Frames that are handed over at once: with 1,000 labels writing one takes up to 0.1 ms, and waking a thread 0.02 ms.
_BATCH = 32
# Batches that may wait. If that thread gets no processor for longer, frames are missing in the log.
_MOST_WAITING = 30

_Frame = tuple[float, float, NDArray[np.float32]]


class ScoreSender:
    """An Observer that has scores written and sent on `thread`. Its scores must not change any more."""

    def __init__(self, writer: ScoreLogWriter, send: Send, thread: BackgroundThread) -> None:
        self._writer, self._send, self._thread = writer, send, thread
        self._frames: list[_Frame] = []

    def look(self, prepared: Prepared, scores: Scores, decision: Decision) -> None:
        """See edge.worker.pipeline.Observer."""
        frame = prepared.frame
        self._frames.append((frame.captured_mono_s, frame.captured_wall_s, scores.values))
        if len(self._frames) >= _BATCH:
            frames, self._frames = self._frames, []
            if self._thread.waiting <= _MOST_WAITING:
                self._thread.give(partial(self._write, frames))

    def close(self) -> None:
        """Send the rest. The caller closes the thread."""
        self._thread.give(partial(self._write, self._frames, is_last=True))
        self._frames = []

    def _write(self, frames: list[_Frame], *, is_last: bool = False) -> None:
        pieces = [self._writer.add(*frame) for frame in frames]
        if is_last:
            pieces.append(self._writer.flush())
        for piece in pieces:
            if piece is not None:
                with suppress(OSError):  # the supervisor is gone, and this process ends with it
                    self._send(Scored(piece), ())
