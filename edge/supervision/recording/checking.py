"""Judge what a worker sends to be kept: one that was taken over, or has a fault, must not harm who keeps it. Pure.

The types are right already, since the message was decoded; what they hold need not be.
"""

import math
from collections.abc import Iterator, Sequence

from edge.events.records import PictureInfo, Sample, Sighting
from edge.processes.messages import Sampled, Sighted
from edge.results import Candidate

# As in a bundle (edge.bundle.store).
MOST_LABEL_BYTES = 1000
# No camera's clock is so far ahead of the monotonic one, which counts from the boot.
_AHEAD_S = 3600.0
# Means of scores may be off by what rounding makes of them.
_ROUNDING = 1e-3
_MOST_CANDIDATES = 100  # as decision.top
_LONGEST_SIDE = 65_535  # as in a JPEG
_MOST = 1 << 53


def fault_of(message: Sighted | Sampled, now: float) -> str | None:
    """Return what no right worker sends, None if there is nothing. now: monotonic seconds."""
    if isinstance(message, Sampled):
        return next(_of_sample(message.sample, now), None)
    return next(_of_sighting(message.sighting, message.pictures, now), None)


def _of_sighting(sighting: Sighting, pictures: Sequence[PictureInfo], now: float) -> Iterator[str]:
    times = (sighting.begin_mono_s, sighting.end_mono_s, sighting.peak_mono_s)
    yield from _of_times((*times, *(picture.captured_mono_s for picture in pictures)), now)
    if sighting.begin_mono_s > sighting.end_mono_s:
        yield "it ends before it begins"
    second = sighting.runner_up
    yield from _of_candidates([Candidate(sighting.label, sighting.peak), *([] if second is None else [second])])
    yield from _of_shares("mean", [sighting.mean])
    yield from _of_shares("box", sighting.box or ())
    if not (abs(sighting.number) < _MOST and 0 <= sighting.frames < _MOST):
        yield f"number {sighting.number}, of {sighting.frames} frames"
    yield from _of_sides([(picture.width, picture.height) for picture in pictures])


def _of_sample(sample: Sample, now: float) -> Iterator[str]:
    yield from _of_times([sample.captured_mono_s], now)
    if len(sample.top) > _MOST_CANDIDATES:
        yield f"{len(sample.top)} candidates"
    yield from _of_candidates([Candidate(sample.label, sample.score), *sample.top])
    # Five reasons there are, each once.
    if len(set(sample.reasons)) < len(sample.reasons):
        yield "a reason twice"
    yield from _of_sides([(sample.width, sample.height)])


def _of_times(times: Sequence[float], now: float) -> Iterator[str]:
    yield from (f"a time of {time_s:g} s" for time_s in times if not 0.0 <= time_s <= now + _AHEAD_S)


def _of_candidates(candidates: Sequence[Candidate]) -> Iterator[str]:
    for one in candidates:
        size = len(one.label.encode(errors="surrogatepass"))
        if size > MOST_LABEL_BYTES:
            yield f"a label of {size} bytes"
    yield from _of_shares("score", [one.score for one in candidates])


def _of_shares(what: str, values: Sequence[float]) -> Iterator[str]:
    for value in values:
        if not (math.isfinite(value) and -_ROUNDING <= value <= 1 + _ROUNDING):
            yield f"a {what} of {value:g}"


def _of_sides(sizes: Sequence[tuple[int, int]]) -> Iterator[str]:
    for width, height in sizes:
        if not (0 < width <= _LONGEST_SIDE and 0 < height <= _LONGEST_SIDE):
            yield f"a picture of {width} x {height} pixels"
