"""Send what is kept, with its pictures as open files beside it."""

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edge.config.keeping import Pictures
from edge.events.records import PictureInfo, PictureKind, Sample, Sighting
from edge.processes.channel import Message
from edge.processes.messages import Sampled, Sighted
from edge.records import Pixels
from edge.worker.keeping.best_frames import MOST_HELD, Still
from edge.worker.keeping.bursts import Bursts
from edge.worker.keeping.jpeg import Jpeg, JpegEncoder, as_file

_log = logging.getLogger(__name__)

# As `edge.processes.channel.Channel.send`.
Send = Callable[[Message, Sequence[int]], None]
# How much later than its time the last picture of a burst may come: it waits for a frame, and for its encoding.
_LATE_S = 0.5


@dataclass(slots=True)
class _Ended:
    """A sighting that has ended, while it waits for the pictures after it. until_s: no longer than so, monotonic."""

    sighting: Sighting
    pictures: list[tuple[PictureKind, Jpeg]]
    until_s: float


class PictureSender:
    """Encodes pictures, and sends sightings that have ended, and samples. All methods are for one thread, beside those
    that classify; they raise nothing if the supervisor is gone.

    bursts: None if no pictures before or after an event are wanted.
    """

    def __init__(self, send: Send, encoder: JpegEncoder, pictures: Pictures, bursts: Bursts | None) -> None:
        self._send, self._encoder, self._bursts = send, encoder, bursts
        self._best, self._crop = pictures.best, pictures.crop
        self._after, self._after_s = pictures.after, (pictures.after + 1) * pictures.burst_every_s + _LATE_S
        # By the numbers of the sightings that are open: the burst goes on, and would drop these.
        self._before: dict[int, tuple[Jpeg, ...]] = {}
        self._waiting: list[_Ended] = []
        self._failed = False

    def add_to_burst(self, image_bgr: Pixels, captured_mono_s: float) -> None:
        """Take the next picture of the burst that goes on all the time."""
        jpeg = self._encoder.encode(image_bgr, captured_mono_s)
        if jpeg is not None and self._bursts is not None:
            self._bursts.add(jpeg)
            self._send_complete(now_s=None)

    def begin(self, sighting: Sighting) -> None:
        """Set the pictures before this sighting aside."""
        if self._bursts is not None and len(self._before) < MOST_HELD:
            self._before[sighting.number] = self._bursts.before(sighting.begin_mono_s)

    def end(self, sighting: Sighting, still: Still | None) -> None:
        """Send this sighting with its pictures, once there are those after it. still: its best frame."""
        pictures = self._encode(still)
        if self._bursts is not None:
            before = self._before.pop(sighting.number, None)
            before = self._bursts.before(sighting.begin_mono_s) if before is None else before
            pictures += [("before", jpeg) for jpeg in before]
        ended = _Ended(sighting, pictures, sighting.end_mono_s + self._after_s)
        if self._after:
            self._waiting.append(ended)
            self._send_complete(now_s=None)
        else:
            self._send_ended(ended)

    def end_bare(self, sighting: Sighting) -> None:
        """Send this sighting without pictures."""
        self._before.pop(sighting.number, None)
        self._send_ended(_Ended(sighting, [], 0.0))

    def expire(self, now_s: float) -> None:
        """Send what waited too long for pictures that did not come. now_s: monotonic; infinity for all."""
        self._send_complete(now_s)

    def sample(self, sample: Sample, image_bgr: Pixels) -> None:
        """Send this frame for the next training. sample: its width and height are those of the JPEG, set here."""
        jpeg = self._encoder.encode(image_bgr, sample.captured_mono_s)
        if jpeg is not None:
            self._send_with(Sampled(_sized(sample, jpeg)), [jpeg], otherwise=None)

    def _encode(self, still: Still | None) -> list[tuple[PictureKind, Jpeg]]:
        if still is None:
            return []
        wanted: list[tuple[PictureKind, Pixels | None]] = [("best", still.whole_bgr if self._best else None)]
        if self._crop:
            wanted.append(("crop", still.part_bgr))
        return [
            (kind, jpeg)
            for kind, image_bgr in wanted
            if image_bgr is not None and (jpeg := self._encoder.encode(image_bgr, still.captured_mono_s)) is not None
        ]

    def _send_complete(self, now_s: float | None) -> None:
        if self._bursts is None:
            return
        for ended in list(self._waiting):
            after = self._bursts.after(ended.sighting.end_mono_s)
            if len(after) >= self._after or (now_s is not None and now_s >= ended.until_s):
                self._waiting.remove(ended)
                ended.pictures += [("after", jpeg) for jpeg in after]
                self._send_ended(ended)

    def _send_ended(self, ended: _Ended) -> None:
        infos = tuple(
            PictureInfo(kind=kind, captured_mono_s=jpeg.captured_mono_s, width=jpeg.width, height=jpeg.height)
            for kind, jpeg in ended.pictures
        )
        jpegs = [jpeg for _, jpeg in ended.pictures]
        self._send_with(Sighted(ended.sighting, infos), jpegs, otherwise=Sighted(ended.sighting))

    def _send_with(self, message: Message, jpegs: Sequence[Jpeg], *, otherwise: Message | None) -> None:
        """Send a message with files; if these cannot be made or sent, the other one without."""
        files: list[int] = []
        try:
            for jpeg in jpegs:
                files.append(as_file(jpeg.data))  # noqa: PERF401 - those made so far must be closed
            self._send(message, files)
        except ConnectionError:
            _log.debug("the supervisor is gone, and this process ends with it")
        except OSError as error:
            _log.log(logging.DEBUG if self._failed else logging.WARNING, "pictures were not sent: %s", error)
            self._failed = True
            if otherwise is not None:
                with suppress(OSError):
                    self._send(otherwise, ())
        finally:
            for file in files:
                os.close(file)


def _sized(sample: Sample, jpeg: Jpeg) -> Sample:
    return Sample(
        captured_mono_s=sample.captured_mono_s,
        label=sample.label,
        score=sample.score,
        top=sample.top,
        reasons=sample.reasons,
        width=jpeg.width,
        height=jpeg.height,
    )
