"""What becomes an event: streams as cameras give them."""

import subprocess
import sys

import numpy as np
import pytest
from score_streams import (
    BEGAN_S,
    NOTHING_SEEN,
    OWL_SEEN,
    SMOOTH,
    UNSURE,
    WREN_SEEN,
    Part,
    all_reports,
    detector,
    ended,
    feed,
    found,
    stream,
)

from edge.config.keeping import Events
from edge.events.detect import Detector
from edge.results import Candidate

QUIET: Part = (4, NOTHING_SEEN)


def test_an_owl_for_three_seconds_is_one_event() -> None:
    (event,) = ended(all_reports(stream(QUIET, (3, OWL_SEEN), QUIET), SMOOTH))
    assert event.label == "owl"
    # The mean over half a second reaches 0.7 with the fourth frame of five, and falls under 0.5 after the second.
    assert event.begin_mono_s == pytest.approx(BEGAN_S + 4.35, abs=0.11)
    assert event.end_mono_s == pytest.approx(BEGAN_S + 7.1, abs=0.11)
    assert event.peak == pytest.approx(0.9, abs=1e-3)
    assert 0.7 < event.mean < event.peak
    assert event.begin_mono_s < event.peak_mono_s <= event.end_mono_s
    assert event.runner_up == Candidate("wren", pytest.approx(0.05, abs=1e-3))
    assert event.frames == round((event.end_mono_s - event.begin_mono_s) * 10) + 1


def test_it_is_reported_when_it_has_lasted_long_enough_then_once_a_second_then_ended() -> None:
    reports = all_reports(stream(QUIET, (3, OWL_SEEN), QUIET), Events())
    assert {report.number for report in reports} == {1}
    assert [report.ended for report in reports] == [False, False, False, True]
    assert reports[0].begin_mono_s == reports[-1].begin_mono_s
    assert reports[0].end_mono_s - reports[0].begin_mono_s == pytest.approx(0.5)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_flicker_of_some_frames_is_no_event(frames: int) -> None:
    assert found(stream(QUIET, (frames / 10, OWL_SEEN), QUIET)) == []


def test_a_flicker_at_the_very_start_is_no_event() -> None:
    assert found(stream((0.2, OWL_SEEN), QUIET)) == []


@pytest.mark.parametrize("frames", [1, 2])
def test_single_frames_now_and_then_are_no_event(frames: int) -> None:
    assert found(stream(QUIET, *[(frames / 10, OWL_SEEN), (1.5, NOTHING_SEEN)] * 3)) == []


def test_scores_that_flicker_around_the_threshold_are_one_event() -> None:
    low, high = (0.55, 0.4, 0.05), (0.9, 0.05, 0.05)
    assert found(stream(QUIET, *[(0.2, high), (0.1, low)] * 20, QUIET)) == ["owl"]


def test_an_owl_behind_a_branch_for_a_second_is_one_event() -> None:
    assert found(stream(QUIET, (2, OWL_SEEN), (1, NOTHING_SEEN), (2, OWL_SEEN), QUIET)) == ["owl"]


def test_one_that_comes_back_later_is_two_events() -> None:
    assert found(stream(QUIET, (2, OWL_SEEN), QUIET, (2, OWL_SEEN), QUIET)) == ["owl", "owl"]


def test_two_classes_that_alternate_are_one_event_with_the_label_of_more_evidence() -> None:
    assert found(stream(QUIET, *[(0.9, OWL_SEEN), (0.6, WREN_SEEN)] * 15, QUIET)) == ["owl"]


def test_two_classes_that_alternate_slowly_are_an_event_each() -> None:
    assert found(stream(QUIET, *[(3, OWL_SEEN), (3, WREN_SEEN)] * 2, QUIET)) == ["owl", "wren", "owl", "wren"]


def test_two_classes_that_alternate_with_every_frame_are_one_event_but_their_means_reach_no_threshold() -> None:
    flicker = stream(QUIET, *[(0.2, OWL_SEEN), (0.1, WREN_SEEN)] * 20, QUIET)
    assert found(flicker) == ["owl"]
    assert found(stream(QUIET, *[(0.1, OWL_SEEN), (0.1, WREN_SEEN)] * 30, QUIET), SMOOTH) == []


def test_an_owl_that_looks_like_a_wren_while_it_comes_and_goes_is_an_owl() -> None:
    assert found(stream(QUIET, (0.8, WREN_SEEN), (3, OWL_SEEN), (0.8, WREN_SEEN), QUIET)) == ["owl"]


def test_a_wren_after_a_pause_is_an_event_of_its_own() -> None:
    assert found(stream(QUIET, (2, OWL_SEEN), (1.6, NOTHING_SEEN), (2, WREN_SEEN), QUIET)) == ["owl", "wren"]


def test_a_wren_that_takes_the_owls_place_at_once_is_an_event_of_its_own() -> None:
    owl, wren = ended(all_reports(stream(QUIET, (4, OWL_SEEN), (4, WREN_SEEN), QUIET), Events()))
    assert (owl.label, wren.label) == ("owl", "wren")
    assert owl.end_mono_s < wren.begin_mono_s < owl.end_mono_s + 1


def test_a_slow_fade_is_one_event_that_ends_below_its_threshold() -> None:
    steps = [0.95 - 0.01 * step for step in range(96)]
    fade: list[Part] = [(0.1, (score, 0.0, 0.95 - score)) for score in steps]
    (event,) = ended(all_reports(stream(QUIET, (2, OWL_SEEN), *fade, QUIET), SMOOTH))
    # 0.7 less the hysteresis of 0.2 (with three labels half way to chance: 0.52), but 0.25 s later for the mean.
    faded_s = BEGAN_S + 4 + 2 + (0.95 - 0.52) * 10
    assert event.end_mono_s == pytest.approx(faded_s + 0.25, abs=0.15)


def test_what_never_reaches_its_threshold_is_no_event() -> None:
    assert found(stream(QUIET, (10, UNSURE), QUIET)) == []


def test_unknown_is_an_event_if_such_events_are_wanted() -> None:
    events = Events(unknown=True)
    (event,) = ended(all_reports(stream(QUIET, (6, UNSURE), QUIET), events))
    assert event.label == "unknown"
    assert event.runner_up == Candidate("owl", pytest.approx(0.5, abs=1e-3))
    assert event.peak == pytest.approx(0.5, abs=1e-3)


def test_an_owl_that_is_unknown_while_it_comes_and_goes_is_an_owl() -> None:
    frames = stream(QUIET, (1.5, UNSURE), (3, OWL_SEEN), (1.5, UNSURE), QUIET)
    assert found(frames, Events(unknown=True)) == ["owl"]


def test_what_is_unknown_for_long_ends_when_it_gets_a_name() -> None:
    frames = stream(QUIET, (6, UNSURE), (3, OWL_SEEN), (0.5, UNSURE), QUIET)
    unknown, owl = ended(all_reports(frames, Events(unknown=True)))
    assert (unknown.label, owl.label) == ("unknown", "owl")
    assert unknown.end_mono_s < owl.begin_mono_s


def test_background_never_makes_an_event() -> None:
    assert found(stream((60, NOTHING_SEEN)), Events(unknown=True)) == []


def test_a_label_above_its_threshold_but_under_the_background_is_no_event() -> None:
    assert found(stream((10, (0.8, 0.0, 0.9)))) == []


def test_with_a_cool_down_the_same_label_waits_and_another_does_not() -> None:
    parts: list[Part] = [QUIET, (2, OWL_SEEN), QUIET, (2, OWL_SEEN), QUIET, (2, WREN_SEEN), QUIET, (2, OWL_SEEN), QUIET]
    assert found(stream(*parts), Events(cool_down_s=12)) == ["owl", "wren", "owl"]


def test_a_visit_goes_on_through_its_own_cool_down() -> None:
    assert found(stream(QUIET, (30, OWL_SEEN), QUIET), Events(cool_down_s=10)) == ["owl"]


def test_without_frames_it_ends_when_time_has_passed() -> None:
    subject = detector(Events())
    feed(subject, stream((3, OWL_SEEN)))
    assert subject.idle(BEGAN_S + 4) == []
    (event,) = subject.idle(BEGAN_S + 6)
    assert event.ended
    assert event.end_mono_s == pytest.approx(BEGAN_S + 2.9)
    assert subject.idle(BEGAN_S + 9) == subject.close() == []


def test_after_a_pause_the_mean_begins_anew() -> None:
    subject = detector(Events())
    feed(subject, stream((3, OWL_SEEN)))
    later = [(mono_s + 10, values) for mono_s, values in stream((3, WREN_SEEN))]
    assert [report.label for report in ended(feed(subject, later) + subject.close())] == ["owl", "wren"]


@pytest.mark.parametrize("fps", [0.2, 0.5, 1.0, 3.0, 30.0, 120.0])
def test_the_frame_rate_changes_nothing_that_matters(fps: float) -> None:
    parts: list[Part] = [(60, NOTHING_SEEN), (20, OWL_SEEN), (60, NOTHING_SEEN), (20, WREN_SEEN), (60, NOTHING_SEEN)]
    assert found(stream(*parts, fps=fps)) == ["owl", "wren"]


def test_one_frame_of_a_slow_camera_is_enough() -> None:
    (event,) = ended(all_reports(stream((60, NOTHING_SEEN), (5, OWL_SEEN), (60, NOTHING_SEEN), fps=0.2), Events()))
    assert (event.label, event.frames) == ("owl", 1)


def test_a_clock_that_steps_back_ends_nothing_and_times_do_not_decrease() -> None:
    frames = stream((3, OWL_SEEN), (3, OWL_SEEN))
    frames = frames[:30] + [(mono_s - 5, values) for mono_s, values in frames[30:]] + frames[30:]
    (event,) = ended(all_reports(frames, Events()))
    assert event.begin_mono_s <= event.peak_mono_s <= event.end_mono_s


def test_a_bundle_without_a_threshold_needs_half_way_from_chance_to_certainty() -> None:
    frames = stream(QUIET, (3, (0.65, 0.3, 0.05)), QUIET, (3, (0.68, 0.27, 0.05)), QUIET)
    assert found(frames, threshold=0.0) == ["owl"]


def test_a_large_hysteresis_does_not_keep_an_event_open_for_ever() -> None:
    assert found(stream((3, OWL_SEEN), QUIET, (3, OWL_SEEN), QUIET), Events(hysteresis=1.0)) == ["owl", "owl"]


def test_chance_keeps_no_event_open() -> None:
    chance = (1 / 3, 1 / 3, 1 / 3)
    (event,) = ended(all_reports(stream((3, OWL_SEEN), (10, chance)), SMOOTH, threshold=0.4))
    assert event.end_mono_s == pytest.approx(BEGAN_S + 3.3, abs=0.2)


def test_the_frames_to_keep_are_those_of_the_peaks() -> None:
    subject = detector(Events())
    feed(subject, stream(QUIET))
    assert subject.peaks == {}
    feed(subject, [(mono_s + 4, values) for mono_s, values in stream((2, OWL_SEEN), (0.5, WREN_SEEN))])
    assert set(subject.peaks) == {"owl", "wren"}
    (event,) = subject.close()
    assert event.peak_mono_s == pytest.approx(BEGAN_S + 4.4, abs=0.6)
    assert subject.peaks == {}


def test_the_box_is_that_of_the_peak() -> None:
    subject = detector(Events(smoothing_s=0))
    for number, score in enumerate([0.8, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8]):
        box = (number / 10, 0.0, 0.1, 0.1)
        subject.look(BEGAN_S + number / 10, np.array([score, 0, 0], np.float32), box)
    (event,) = subject.close()
    assert event.box == (0.1, 0.0, 0.1, 0.1)


def test_the_means_are_there_for_others() -> None:
    subject = detector(SMOOTH)
    assert subject.smoothed is None
    feed(subject, stream((0.2, OWL_SEEN), (0.2, WREN_SEEN)))
    assert subject.smoothed is not None
    assert subject.smoothed.dtype == np.float32
    assert subject.smoothed == pytest.approx([0.475, 0.475, 0.05], abs=1e-3)


def test_a_hundred_thousand_labels_take_bounded_memory() -> None:
    count = 100_000
    subject = Detector([str(i) for i in range(count)], [0.7] * count, frozenset(), Events(smoothing_s=60))
    rng, seen = np.random.default_rng(0), set()
    for number in range(200):
        scores = np.zeros(count, np.float32)
        scores[rng.integers(count)] = 1.0
        subject.look(number / 10, scores)
        seen.add(len(subject._mean._bins))
    assert max(seen) <= 16
    assert len(subject.peaks) <= 11


def test_records_need_no_numpy() -> None:
    code = "import edge.events.records, sys; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
