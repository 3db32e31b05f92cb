"""Keep hold of the newest frame and the newest decision while somebody looks."""

from dataclasses import dataclass

from edge.records import Frame
from edge.results import Result

# A decision of a frame that is older than the newest by more says nothing about the scene as it is.
_OLDEST_S = 1.0


@dataclass(slots=True)
class Tap:
    """What the threads of the worker leave for people to see. The frames are those of the source, which no one changes:
    nothing is copied for it.

    on: somebody looks. Read for each frame; all else is touched only if it is True.
    frame: the newest one, by the capture thread. decided: the newest decision, by the thread that decides.
    """

    on: bool = False
    frame: Frame | None = None
    decided: tuple[Frame, Result] | None = None

    def clear(self) -> None:
        """Let go of the frames: each may take 40 MB."""
        self.frame = self.decided = None

    def newest(self) -> tuple[Frame, Result | None] | None:
        """Return the frame to show, with its decision if there is one; None if there is no frame.

        A decision counts with its own frame, while that is as good as the newest. Later, as when a gate turns all away,
        it is the newest frame without one.
        """
        frame, decided = self.frame, self.decided
        if decided is None or (frame is not None and decided[0].captured_mono_s < frame.captured_mono_s - _OLDEST_S):
            return None if frame is None else (frame, None)
        return decided
