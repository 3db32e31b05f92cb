"""Stand-ins for tests of what the worker keeps: a line that holds what was sent, and a scripted detector."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.events.records import PictureInfo, Sighting
from edge.processes.channel import Message
from edge.processes.messages import Sighted
from edge.records import Frame, Pixels
from edge.results import Box
from edge.worker.pipeline import Cut, Prepared

Kind = TypeVar("Kind", bound=Message)


class Outbox:
    """Holds what was sent, with the content of the files beside it. It may be broken, for messages with files."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, list[bytes]]] = []
        self.breaks: Callable[[Sequence[int]], None] = lambda files: None

    def send(self, message: Message, files: Sequence[int] = ()) -> None:
        self.breaks(files)
        self.sent.append((message, [os.pread(file, 1 << 24, 0) for file in files]))

    def all(self, kind: type[Kind]) -> list[Kind]:
        return [message for message, _ in self.sent if isinstance(message, kind)]

    def ended(self) -> list[Sighting]:
        return [message.sighting for message in self.all(Sighted) if message.sighting.ended]

    def pictures(self) -> list[tuple[PictureInfo, Pixels]]:
        """The pictures of the last sighting that ended."""
        message, files = [(m, f) for m, f in self.sent if isinstance(m, Sighted) and m.sighting.ended][-1]
        return [(info, decoded(data)) for info, data in zip(message.pictures, files, strict=True)]


class ScriptedDetector:
    """A detector that answers what the test puts in; `peaks` are what it would have in view."""

    def __init__(self) -> None:
        self.answers: list[Sighting] = []
        self.at_close: list[Sighting] = []
        self.peaks: Mapping[str, float] = {}
        self.idled: list[float] = []

    def look(self, mono_s: float, scores: NDArray[np.float32], box: Box | None = None) -> list[Sighting]:
        return self._take()

    def idle(self, mono_s: float) -> list[Sighting]:
        self.idled.append(mono_s)
        return self._take()

    def close(self) -> list[Sighting]:
        return self.at_close

    def _take(self) -> list[Sighting]:
        taken, self.answers = self.answers, []
        return taken


def sighting(number: int = 1, label: str = "fox", **values: object) -> Sighting:
    begin_s = values.pop("begin_mono_s", 10.0)
    defaults = {"begin_mono_s": begin_s, "end_mono_s": begin_s, "peak": 0.9, "peak_mono_s": begin_s, "mean": 0.8}
    return Sighting(number=number, label=label, frames=1, **{**defaults, **values})  # type: ignore[arg-type]


def frame(mono_s: float, grey: int = 100, width: int = 64, height: int = 48) -> Frame:
    return Frame(np.full((height, width, 3), grey, np.uint8), 0, mono_s, 1.7e9)


def prepared(of: Frame) -> Prepared:
    nothing = np.zeros((1, 1, 1, 3), np.uint8)
    return Prepared(of, (Cut(nothing),), nothing[0], of.image_bgr, 0.0)


def decoded(data: bytes) -> Pixels:
    image: Pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return image
