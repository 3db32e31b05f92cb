"""What holds for every stream of scores."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_streams import LABELS, Frames, all_reports, detector, ended, feed

from edge.config.keeping import Events
from edge.events.detect import Detector
from edge.events.records import Sighting

# Levels beside each threshold, and around it less the hysteresis, so that decisions are often close.
SCORES = st.sampled_from([0.0, 0.1, 0.3, 0.45, 0.5, 0.55, 0.65, 0.7, 0.75, 0.9, 1.0])
# Many labels, since what follows quickly on each other is what is hard.
NAMES = (*"abcd", "nothing")
# Of one kind of frames in a row: short ones, such as a flicker, and longer ones than any of the settings below.
LENGTHS = st.integers(1, 25)
SETTINGS = st.builds(
    Events,
    smoothing_s=st.sampled_from([0.0, 0.3, 0.5, 2.0]),
    hysteresis=st.sampled_from([0.0, 0.2, 0.6]),
    min_duration_s=st.sampled_from([0.0, 0.5, 1.5]),
    gap_s=st.sampled_from([0.4, 1.0, 2.0]),
    cool_down_s=st.sampled_from([0.0, 0.0, 3.0]),
    unknown=st.booleans(),
)
WITHOUT_COOL_DOWN = SETTINGS.filter(lambda events: not events.cool_down_s)


@st.composite
def streams(draw: st.DrawFn, *, steady: bool = False) -> Frames:
    """Draw frames of a camera: stretches of like scores, mostly of one strong label, and pauses between some."""
    now_s, frames = draw(st.sampled_from([0.0, 1000.1])), []
    for _ in range(draw(st.integers(1, 12))):
        strong, score, rest = draw(st.integers(0, len(NAMES) - 1)), draw(SCORES), draw(SCORES)
        values = [rest * (1 - score)] * len(NAMES)
        values[strong] = score
        step_s = 0.1 if steady else draw(st.sampled_from([0.1, 0.1, 0.03, 0.25, 0.7]))
        for _ in range(draw(LENGTHS)):
            frames.append((now_s, tuple(values)))
            now_s += step_s
        if draw(st.integers(0, 4)) == 0:
            now_s += draw(st.sampled_from([0.3, 1.1, 5.0, 20.0]))
    return frames


def new_detector(events: Events) -> Detector:
    return Detector(NAMES, [0.7, 0.7, 0.5, 0.3, 0.7], frozenset({"nothing"}), events)


def reports_of(frames: Frames, events: Events) -> list[Sighting]:
    subject = new_detector(events)
    return feed(subject, frames) + subject.close()


@given(streams(), SETTINGS)
def test_events_follow_each_other(frames: Frames, events: Events) -> None:
    reports = reports_of(frames, events)
    by_number = defaultdict(list)
    for report in reports:
        by_number[report.number].append(report)
    assert list(by_number) == list(range(1, len(by_number) + 1))
    last_s = -float("inf")
    for of_one in by_number.values():
        assert [report.ended for report in of_one] == [False] * (len(of_one) - 1) + [True]
        assert len({report.begin_mono_s for report in of_one}) == 1
        ends = [report.end_mono_s for report in of_one]
        assert ends == sorted(ends)
        event = of_one[-1]
        assert last_s < event.begin_mono_s <= event.peak_mono_s <= event.end_mono_s
        assert 0 < event.mean <= event.peak <= 1
        assert event.frames >= 1
        last_s = event.end_mono_s


@given(streams(), SETTINGS)
def test_at_most_one_is_open(frames: Frames, events: Events) -> None:
    is_open: set[int] = set()
    for report in reports_of(frames, events):
        (is_open.discard if report.ended else is_open.add)(report.number)
        assert len(is_open) <= 1


@given(streams(steady=True), SETTINGS)
def test_none_is_shorter_than_the_minimum(frames: Frames, events: Events) -> None:
    for event in ended(reports_of(frames, events)):
        least_s = max(events.min_duration_s, events.gap_s) if event.label == "unknown" else events.min_duration_s
        assert event.end_mono_s - event.begin_mono_s >= least_s


@given(streams(), SETTINGS)
def test_background_makes_none(frames: Frames, events: Events) -> None:
    labels = {report.label for report in reports_of(frames, events)}
    assert "nothing" not in labels
    assert events.unknown or "unknown" not in labels


@given(streams(), SETTINGS.filter(lambda events: events.cool_down_s > 0))
def test_a_label_cools_down(frames: Frames, events: Events) -> None:
    last_s: dict[str, float] = {}
    for event in ended(reports_of(frames, events)):
        if event.label != "unknown":
            assert event.begin_mono_s >= last_s.get(event.label, -float("inf")) + events.cool_down_s
            last_s[event.label] = event.end_mono_s


@given(streams(), SETTINGS, st.floats(0.01, 1.0))
def test_idle_times_between_frames_change_no_event(frames: Frames, events: Events, share: float) -> None:
    subject, reports = new_detector(events), []
    for (mono_s, values), (next_s, _) in zip(frames, [*frames[1:], (frames[-1][0] + 60, ())], strict=True):
        reports += feed(subject, [(mono_s, values)])
        reports += subject.idle(mono_s + share * (next_s - mono_s))
    assert ended(reports + subject.close()) == ended(reports_of(frames, events))


@settings(max_examples=300)
@given(streams(steady=True), WITHOUT_COOL_DOWN, st.data())
def test_cutting_a_stream_in_two_makes_at_most_one_event_more(
    frames: Frames, events: Events, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(frames)))
    whole = ended(reports_of(frames, events))
    parts = [ended(reports_of(part, events)) for part in (frames[:cut], frames[cut:])]
    assert len(parts[0]) + len(parts[1]) <= len(whole) + 1


@given(st.lists(st.sampled_from([0.0, 0.5, 0.6, 0.7, 0.8, 1.0]), max_size=60), st.integers(0, 60))
def test_cutting_a_stream_of_one_label_changes_only_the_event_at_the_cut(scores: list[float], cut: int) -> None:
    frames: Frames = [(number / 10, (score, 0.0, 1 - score)) for number, score in enumerate(scores)]
    whole = ended(all_reports(frames, Events()))
    first, second = (ended(all_reports(part, Events())) for part in (frames[:cut], frames[cut:]))
    # What ended long before the cut, or began long after it, is the same in every respect but its number.
    cut_s = cut / 10
    before = [event for event in whole if event.end_mono_s < cut_s - Events().gap_s]
    after = [event.begin_mono_s for event in whole if event.begin_mono_s > cut_s + Events().gap_s]
    assert first[: len(before)] == before
    assert [event.begin_mono_s for event in second][len(second) - len(after) :] == after


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), st.integers(1, 40))
def test_steady_scores_are_one_event_or_none(values: list[float], tenths: int) -> None:
    reports = all_reports([(number / 10, tuple(values)) for number in range(tenths)], Events())
    assert len(ended(reports)) <= 1
    subject = detector(Events())
    feed(subject, [(number / 10, tuple(values)) for number in range(tenths)])
    assert subject.smoothed == pytest.approx(np.array(values), abs=2e-6)
    assert len(LABELS) == len(values)
