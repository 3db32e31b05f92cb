"""Turn the scores of one camera over time into sightings.

    scores of a frame          0.1  0.9  0.2  0.9  0.9  0.9  0.1  0.9  0.9  0.3  0.1  0.1  0.1 ...
      | mean over smoothing_s
      v
    mean                         .3   .4   .6  [.8   .9   .7   .8   .9   .6]  .4   .2   .1
      | begins at its threshold,               ^                        ^        goes on above the threshold less
      v goes on a little below it              first frame              last     hysteresis
    the label that is shown     -    -    -   owl  owl  owl  owl  owl  owl   -    -    -    -
      | interrupted for gap_s at most: one visit
      v
    a visit                                    begin .................. end
      | shown for min_duration_s at least; the label's cool_down_s is over
      v
    a sighting                                       reported            ended after gap_s

What a frame shows. Each frame shows one label or none: the best of the means, if it reaches its threshold and is no
background. It stays the one that is shown until it falls under its threshold less the hysteresis (but never less than
half way from chance to the threshold), until it is not above all background, or until another one reaches its own
threshold as the best. The first smoothing_s after a start, or after a pause in the frames, only fill the mean.

What is one visit. Frames that show something, with less than gap_s between them, are one visit, whatever labels they
show: the same animal is named differently when it is half in the picture or turns its head. Two exceptions:
- A label that is shown for half of gap_s, and no other in between, *settles* as the visit's. If another one settles
  after it, the visit ended before, and a new one began with the first frame of that other.
- If nothing is shown for more than half of gap_s, and then another label, that is a new visit.
So two labels that alternate within half of gap_s make one event, and a slow alternation an event for each turn.

Its label is the settled one, else the one with the most evidence: the sum of its means over the frames that showed it.

`unknown`, if events are made of it, is what is best but shows no label, for gap_s at least and without a visit. It ends
when a visit begins.

Slow cameras: an interruption is never less than three of the usual gaps between frames, and if frames are further apart
than min_duration_s, a single one is enough.

What holds for every stream of scores (tests/edge/events/test_detect_properties.py):
- Events do not overlap, their times and numbers grow, and at most one is open.
- None is shorter than min_duration_s, unless frames are further apart than that.
- Background makes none.
- Calls of `idle` in between change nothing but how soon an end is reported.
- A stream that is cut in two, each part for a detector of its own, gives at most one event more. Not included: a
  cool-down, which the second detector has not seen begin (one more for each label that was cooling down), and frames
  that are further apart than gap_s / 3, whose rhythm it has to find out again.
"""

from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.config.keeping import Events
from edge.events.mean import MeanScores
from edge.events.records import Sighting
from edge.events.visit import Run, Visit
from edge.results import UNKNOWN, Box, Candidate

# So many gaps between frames are remembered; the shortest is the usual one, so that a camera that stalls once does not
# pass for a slow one.
_GAPS = 3
_REPORT_EVERY_S = 1.0
# Stands for UNKNOWN among the indices of labels.
_NO_LABEL = -1


class Detector:
    """The rules above, for one camera. Used by one thread.

    labels: one for each score.
    thresholds: one for each label; 0, that of a bundle that was never calibrated, stands for half way from chance to
        certainty: 0.5 for many labels, 0.75 for two.
    background: labels that never make a sighting.
    events: the settings.
    """

    def __init__(
        self, labels: Sequence[str], thresholds: Sequence[float], background: frozenset[str], events: Events
    ) -> None:
        self._labels, self._events = labels, events
        # At the threshold 0 the best label of a frame always counts, which makes one event of all time.
        chance = 1 / len(labels)
        self._begins_at = tuple(threshold or (chance + 1) / 2 for threshold in thresholds)
        # With a small threshold, or few labels, it would go on for ever at threshold less hysteresis.
        self._goes_on_at = tuple(
            max(begins_at - events.hysteresis, (chance + begins_at) / 2) for begins_at in self._begins_at
        )
        self._background = np.array([i for i, label in enumerate(labels) if label in background], np.intp)
        self._is_background = frozenset(self._background.tolist())
        self._mean = MeanScores(events.smoothing_s, len(labels))
        self._gaps: deque[float] = deque(maxlen=_GAPS)
        self._now_s: float | None = None
        self._shown: int | None = None
        # The run that the last frame was part of, and how long ago that frame was.
        self._last_run: Run | None = None
        self._gap_s = 0.0
        self._visit: Visit | None = None
        self._unknown: Visit | None = None
        # The last unknown frame, also while it is not certain whether the label before it makes a visit.
        self._unknown_s = 0.0
        self._cool_until_s: dict[int, float] = {}
        self._numbers = 0

    @property
    def smoothed(self) -> NDArray[np.float32] | None:
        """Return the means of the scores: float32 (labels,), new memory; None before the first frame."""
        return self._mean.values()

    @property
    def peaks(self) -> Mapping[str, float]:
        """Return when each label that is, or may become, that of a sighting had its highest score: the frames to keep
        for pictures. At most eleven."""
        peaks: dict[str, float] = {}
        for visit in (self._unknown, self._visit):
            if visit is not None:
                found = {visit.run.label: visit.run.tally} if visit.run.tally.frames else {}
                peaks |= {self._name(label): tally.peak_mono_s for label, tally in (found | visit.candidates()).items()}
        return peaks

    def look(self, mono_s: float, scores: NDArray[np.float32], box: Box | None = None) -> list[Sighting]:
        """Judge a frame, and return the sightings that began, go on (each at most once a second) or ended.

        mono_s: when it was captured. An earlier time than the last frame's counts as that.
        scores: float32 (labels,), finite, 0..1.
        box: where in the frame they were measured.
        """
        gap_s = 0.0
        if self._now_s is not None:
            mono_s = max(mono_s, self._now_s)
            gap_s = mono_s - self._now_s
        sightings = self._end_before(mono_s)
        if gap_s > self._most_gap_s:
            self._mean.begin_anew()
            self._shown = None
        if self._now_s is not None:
            self._gaps.append(gap_s)
        self._now_s, self._gap_s = mono_s, gap_s
        self._mean.add(mono_s, scores)
        if self._mean.is_whole:
            self._judge(mono_s, box, sightings)
        return sightings

    def idle(self, mono_s: float) -> list[Sighting]:
        """Return the sightings that have ended, since no frame has come up to `mono_s`."""
        return self._end_before(mono_s)

    def close(self) -> list[Sighting]:
        """End and return what is open: no frame will come."""
        return self._end_before(float("inf"))

    @property
    def _most_gap_s(self) -> float:
        """Return how long something may be out of view and still be the same visit."""
        return max(self._events.gap_s, _GAPS * min(self._gaps, default=0.0))

    def _judge(self, now_s: float, box: Box | None, sightings: list[Sighting]) -> None:
        best = self._mean.best()
        self._shown = self._label_shown(best)
        if self._shown is not None and self._cool_until_s.get(self._shown, -float("inf")) <= now_s:
            self._see(self._shown, now_s, box, sightings)
        elif self._shown is None and self._events.unknown and best not in self._is_background:
            self._see_unknown(best, now_s, box, sightings)
        else:
            self._last_run = None

    def _label_shown(self, best: int) -> int | None:
        if best in self._is_background:
            return None
        if self._mean.of(best) >= self._begins_at[best]:
            return best
        if self._shown is None:
            return None
        score = self._mean.of(self._shown)
        goes_on = score >= self._goes_on_at[self._shown] and score > self._mean.most_of(self._background)
        return self._shown if goes_on else None

    def _see(self, label: int, now_s: float, box: Box | None, sightings: list[Sighting]) -> None:
        visit = self._visit
        if visit is not None and label != visit.run.label:
            if now_s - visit.run.last_s > self._most_gap_s / 2:
                self._end(visit, sightings)
                visit = None
            else:
                visit.take_in_run(self._gap_s if self._last_run is visit.run else 0.0)
                visit.run = Run(label, now_s, now_s)
        if visit is None:
            visit = self._visit = Visit(Run(label, now_s, now_s))
        self._count(visit.run, now_s, self._mean.of(label), self._mean.second_best(label), box)
        self._visit = self._settled(visit, sightings)
        self._report(self._visit, now_s, self._events.min_duration_s, sightings)

    def _settled(self, visit: Visit, sightings: list[Sighting]) -> Visit:
        """Return the visit that goes on: another one if the last run ended this one."""
        run = visit.run
        # Not all of gap_s: before a scene that has a label itself, a wrong one, 8 of 80 visits were then taken for a
        # flicker of it, and nothing was gained (tools/bench_events.py).
        least_s = max(self._events.gap_s / 2, self._events.min_duration_s)
        if visit.main == run.label or run.shown_s < least_s:
            return visit
        if visit.main is not None:
            self._end(visit, sightings, with_run=False)
            visit = Visit(run)
        visit.settle(run.label)
        return visit

    def _see_unknown(self, best: int, now_s: float, box: Box | None, sightings: list[Sighting]) -> None:
        self._unknown_s = now_s
        if self._visit is not None:
            self._last_run = None
            return
        if self._unknown is None:
            self._unknown = Visit(Run(_NO_LABEL, now_s, now_s))
        self._count(self._unknown.run, now_s, self._mean.of(best), best, box)
        self._report(self._unknown, now_s, max(self._events.min_duration_s, self._events.gap_s), sightings)

    def _count(self, run: Run, now_s: float, score: float, runner_up: int | None, box: Box | None) -> None:
        if self._last_run is run:
            run.shown_s += self._gap_s
        self._last_run = run
        run.last_s = now_s
        tally = run.tally
        tally.frames += 1
        tally.total += score
        if score > tally.peak:
            tally.peak, tally.peak_mono_s, tally.box = score, now_s, box
            tally.runner_up = None if runner_up is None else self._candidate(runner_up)

    def _report(self, visit: Visit, now_s: float, least_s: float, sightings: list[Sighting]) -> None:
        """Report a visit that has lasted long enough, at first and then once a second."""
        if visit.number is None:
            is_slow = len(self._gaps) == _GAPS and min(self._gaps) >= least_s
            if visit.shown_s < least_s and not is_slow:
                return
            if visit is self._visit and self._unknown is not None:
                self._end(self._unknown, sightings)
            self._numbers += 1
            visit.number = self._numbers
        elif now_s - visit.reported_s < _REPORT_EVERY_S:
            return
        visit.reported_s = now_s
        sightings.append(self._sighting(visit, ended=False))

    def _end_before(self, now_s: float) -> list[Sighting]:
        """End what has been out of view for too long."""
        sightings: list[Sighting] = []
        if self._visit is not None and now_s - self._visit.run.last_s > self._most_gap_s:
            self._end(self._visit, sightings)
        if self._unknown is not None and now_s - self._unknown_s > self._most_gap_s:
            self._end(self._unknown, sightings)
        return sightings

    def _end(self, visit: Visit, sightings: list[Sighting], *, with_run: bool = True) -> None:
        if visit is self._unknown:
            self._unknown = None
        else:
            self._visit = None
        if with_run:
            visit.take_in_run()
        if visit.number is None:
            return
        sightings.append(self._sighting(visit, ended=True))
        label, _ = visit.leader()
        if self._events.cool_down_s and label != _NO_LABEL:
            # Only those that still hold: never more than there are labels, and mostly none.
            self._cool_until_s = {a: b for a, b in self._cool_until_s.items() if b > visit.last_s}
            self._cool_until_s[label] = visit.last_s + self._events.cool_down_s

    def _sighting(self, visit: Visit, *, ended: bool) -> Sighting:
        label, tally = visit.leader()
        assert visit.number is not None
        return Sighting(
            number=visit.number,
            label=self._name(label),
            begin_mono_s=visit.first_s,
            end_mono_s=visit.last_s,
            peak=round(tally.peak, 6),
            peak_mono_s=tally.peak_mono_s,
            mean=round(tally.total / tally.frames, 6),
            frames=tally.frames,
            runner_up=tally.runner_up,
            box=tally.box,
            ended=ended,
        )

    def _candidate(self, index: int) -> Candidate:
        return Candidate(self._labels[index], round(self._mean.of(index), 6))

    def _name(self, index: int) -> str:
        return UNKNOWN if index == _NO_LABEL else self._labels[index]
