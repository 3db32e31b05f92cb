"""Figures checked against numbers worked out by hand or taken from the literature."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.measuring.metrics import (
    best_scores,
    calibration_error_by_chance,
    class_figures,
    confused_pairs,
    confusion_matrix,
    expected_calibration_error,
    macro_recall,
    overconfidence,
    predictions,
    reliability,
    top1,
    wilson,
)
from trainer.measuring.paired import compare_answers, difference, mcnemar
from trainer.measuring.threshold import choose_threshold, coverage_curve, effect, photos_needed

TRUTH = np.array([0, 0, 0, 1, 1, 2], np.int64)
ANSWERS = np.array([0, 0, 1, 1, 1, 1], np.int64)


def scores_of(best: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two-class scores with these best values, and the truth that makes them right or wrong. Best values are
    at least 0.5."""
    scores = np.array([[value, 1 - value] for value in best], np.float32).reshape(-1, 2)
    return scores, np.array([0 if good else 1 for good in right], np.int64)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe, Stat. Med. 17, 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilsons_interval_is_that_of_the_literature(right: int, n: int, low: float, high: float) -> None:
    found = wilson(right, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_value_and_stays_inside_0_and_1(pair: tuple[int, int]) -> None:
    found = wilson(*pair)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_the_confusion_matrix_has_a_row_for_each_truth() -> None:
    assert confusion_matrix(TRUTH, ANSWERS, 3).tolist() == [[2, 1, 0], [0, 2, 0], [0, 1, 0]]


def test_precision_recall_and_f1_of_each_class() -> None:
    first, second, third = class_figures(confusion_matrix(TRUTH, ANSWERS, 3), ("a", "b", "c"))
    assert (first.recall.value, first.precision.value) == (pytest.approx(2 / 3), 1.0)
    assert first.f1 == pytest.approx(0.8)
    assert (second.recall.value, second.precision.value, second.f1) == (1.0, 0.5, pytest.approx(2 / 3))
    assert (third.support, third.recall.value, third.precision, third.f1) == (1, 0.0, None, None)
    assert macro_recall((first, second, third)) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_a_class_without_photos_has_no_recall() -> None:
    figures = class_figures(confusion_matrix(TRUTH[:3], ANSWERS[:3], 2), ("a", "b"))
    assert figures[1].recall is None
    assert macro_recall(figures) == pytest.approx(2 / 3)


def test_the_most_confused_pairs_come_first_and_of_equal_ones_the_rarer_class() -> None:
    pairs = confused_pairs(confusion_matrix(TRUTH, ANSWERS, 3), ("a", "b", "c"), 5)
    assert [(pair.truth, pair.answer, pair.photos, pair.of) for pair in pairs] == [("c", "b", 1, 1), ("a", "b", 1, 3)]


def test_ties_go_to_the_lower_class_as_on_the_device() -> None:
    assert predictions(np.array([[0.5, 0.5], [0.2, 0.8]], np.float32)).tolist() == [0, 1]


def test_nothing_measured_gives_nothing() -> None:
    empty, none = np.zeros((0, 2), np.float32), np.zeros(0, np.int64)
    assert top1(none, empty) is None
    assert reliability(none, empty) == ()
    assert expected_calibration_error(()) is None
    assert overconfidence(()) is None
    assert calibration_error_by_chance(np.zeros((0, 3), np.float32)) is None
    assert coverage_curve(none, empty) == ()
    assert effect(none, empty, 0.5) is None
    assert not choose_threshold(empty, none, 0.95).shown


def test_calibration_by_hand() -> None:
    """Two bins: four photos at 0.9, of which two are right (0.4 off), and one at 0.6 that is right (0.4 off)."""
    scores, truth = scores_of([0.9, 0.9, 0.9, 0.9, 0.6], [True, True, False, False, True])
    bins = reliability(truth, scores)
    assert [(entry.photos, round(entry.score, 6), entry.accuracy.value) for entry in bins] == [
        (1, 0.6, 1.0),
        (4, 0.9, 0.5),
    ]
    assert expected_calibration_error(bins) == pytest.approx(0.4)
    assert overconfidence(bins) == pytest.approx((4 * 0.4 - 0.4) / 5)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60))
def test_every_photo_is_in_exactly_one_bin(best: list[float]) -> None:
    scores = np.array([[value, 0] for value in best], np.float32)
    bins = reliability(np.zeros(len(best), np.int64), scores)
    assert sum(entry.photos for entry in bins) == len(best)
    assert all(entry.low - 1e-6 <= entry.score <= entry.high + 1e-6 for entry in bins)


def test_the_coverage_curve_by_hand() -> None:
    scores, truth = scores_of([0.9, 0.8, 0.8, 0.6], [True, True, False, False])
    points = [(p.threshold, p.coverage, p.precision) for p in coverage_curve(truth, scores)]
    assert points == [
        (pytest.approx(0.6), 1.0, 0.5),
        (pytest.approx(0.8), 0.75, pytest.approx(2 / 3)),
        (pytest.approx(0.9), 0.25, 1.0),
    ]


def test_the_threshold_lies_between_what_is_accepted_and_what_is_not() -> None:
    """100 right answers at 0.9, 20 wrong ones at 0.7: everything down to 0.9 is accepted, nothing under it."""
    scores, truth = scores_of([0.9] * 100 + [0.7] * 20, [True] * 100 + [False] * 20)
    found = choose_threshold(scores, truth, 0.95)
    assert found.shown
    assert 0.7 < found.threshold < 0.9
    assert found.validation.accepted == 100
    assert found.bound >= 0.95


def test_twenty_one_right_answers_show_95_percent_and_twenty_do_not() -> None:
    assert photos_needed(0.95) == 21
    assert choose_threshold(*scores_of([0.9] * 21, [True] * 21), 0.95).shown
    refused = choose_threshold(*scores_of([0.9] * 20, [True] * 20), 0.95)
    assert (refused.shown, refused.threshold, refused.bound) == (False, 0.0, None)
    assert "at least 21 are needed" in refused.note


def test_scores_that_say_nothing_cannot_be_promised_for() -> None:
    refused = choose_threshold(*scores_of([0.9] * 200, [True, False] * 100), 0.95)
    assert not refused.shown
    assert refused.threshold == 0
    assert "no threshold shows" in refused.note


def test_where_all_are_right_nothing_needs_to_be_unknown() -> None:
    found = choose_threshold(*scores_of([0.6, 0.9] * 50, [True] * 100), 0.95)
    assert (found.shown, found.threshold, found.validation.coverage) == (True, 0.0, 1.0)


@pytest.mark.parametrize("precision", [0.0, 1.0, -1.0, 1.5])
def test_a_promise_is_a_share(precision: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and below 1"):
        choose_threshold(*scores_of([0.9], [True]), precision)


@given(
    st.lists(st.tuples(st.integers(500_000, 1_000_000), st.booleans()), min_size=1, max_size=80),
    st.sampled_from([0.5, 0.8, 0.9]),
)
def test_the_device_accepts_exactly_the_photos_that_were_counted(
    photos: list[tuple[int, bool]], precision: float
) -> None:
    """The device compares Python's round(score, 6) with the threshold: no photo may fall on the other side."""
    scores, truth = scores_of([value / 1e6 for value, _ in photos], [right for _, right in photos])
    found = choose_threshold(scores, truth, precision)
    on_device = sum(round(float(row.max()), 6) >= found.threshold for row in scores)
    assert found.validation is not None
    assert found.validation.accepted == on_device
    if found.shown:
        assert found.validation.precision.value >= precision
        assert found.bound >= precision
    assert (best_scores(scores) >= found.threshold).sum() == on_device


def test_a_promise_of_95_percent_usually_keeps_93_on_new_photos() -> None:
    """The study in choose_threshold in small: a classifier whose scores are honest, 300 times over."""
    rng = np.random.default_rng(3)
    kept, found = [], 0
    for _ in range(300):
        best = 1 - 0.5 * rng.beta(1, 4, 800)
        scores, truth = scores_of(best.tolist(), (rng.random(800) < best).tolist())
        chosen = choose_threshold(scores[:400], truth[:400], 0.95)
        found += chosen.shown
        on_new = effect(truth[400:], scores[400:], chosen.threshold)
        kept.append(not chosen.shown or on_new.precision is None or on_new.precision.value >= 0.93)
    assert found > 270
    assert np.mean(kept) >= 0.93


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (1, 9, 22 / 1024), (24, 32, 0.3497)],
)
def test_mcnemars_exact_test(only_a: int, only_b: int, p: float) -> None:
    """Tails of the fair coin: 0 of 6 is 1/64 each side; 0 or 1 of 10 is 11/1024."""
    assert mcnemar(only_a, only_b) == pytest.approx(p, abs=1e-4)


def test_the_paired_interval_by_hand() -> None:
    """Bonett and Price with 2 and 10 of 98: (3, 11) of 100, so 0.08 plus and minus 1.96 sqrt(0.1336 / 100)."""
    found = difference(2, 10, 98)
    assert found.value == pytest.approx(8 / 98)
    assert (found.low, found.high) == pytest.approx((0.08 - 0.07164, 0.08 + 0.07164), abs=1e-4)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 400))
def test_the_paired_interval_is_its_own_mirror_image(only_a: int, only_b: int, rest: int) -> None:
    n = only_a + only_b + rest
    one, other = difference(only_a, only_b, n), difference(only_b, only_a, n)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert -1 <= one.low <= one.value <= one.high <= 1


def test_answers_are_counted_in_pairs() -> None:
    a, b = np.array([True, True, False, False, False]), np.array([True, False, True, True, False])
    found = compare_answers(a, b)
    assert (found.both, found.only_a, found.only_b, found.neither) == (1, 1, 2, 1)
    assert found.difference.value == pytest.approx(0.2)


@pytest.mark.parametrize("photos", [100, 381, 5000])
def test_the_calibration_error_by_chance_is_that_of_right_scores(photos: int) -> None:
    """Labels drawn from the scores themselves, 200 times."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 3, (photos, 5))
    scores = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    errors = []
    for _ in range(200):
        truth = (scores.cumsum(axis=1) < rng.random(photos)[:, None]).sum(axis=1).clip(0, 4)
        errors.append(expected_calibration_error(reliability(truth, scores)))
    assert calibration_error_by_chance(scores) == pytest.approx(np.mean(errors), rel=0.1)
