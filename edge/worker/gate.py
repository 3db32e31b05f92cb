"""Define what a gate is: it decides which fresh frames go on to inference."""

from typing import Protocol

from edge.worker.pipeline import Prepared


class Gate(Protocol):
    """Judges each fresh frame, after the freshness guard and before inference.

    A frame that is turned away counts as looked at: the camera gave it, it was new, and it was judged. Pace is not a
    Gate: it acts before a frame is resized, when nothing is known of it yet.
    """

    def lets_through(self, prepared: Prepared) -> bool:
        """Return True if the frame must be inferred. Called on the capture thread, for each frame in turn; the
        pictures in `prepared` are borrowed and valid during the call. It must return within engine.timeout_s, else
        the worker is replaced."""
