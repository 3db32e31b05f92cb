"""Scores over time become decisions."""

import numpy as np
import pytest

from edge.decision import Decider
from edge.records import Scores
from edge.results import UNKNOWN


def decide(decider: Decider, *values: float) -> tuple[str, float]:
    decision = decider.decide(Scores(np.array(values, np.float32)))
    return decision.label, decision.score


def make(*thresholds: float, smoothing: float = 0.0) -> Decider:
    return Decider(("owl", "wren"), thresholds=thresholds or (0.0, 0.0), smoothing=smoothing, top=2)


def test_the_best_score_wins() -> None:
    assert decide(make(), 0.25, 0.75) == ("wren", 0.75)


@pytest.mark.parametrize(("score", "label"), [(0.79, UNKNOWN), (0.8, "owl"), (0.81, "owl")])
def test_under_the_threshold_it_is_unknown(score: float, label: str) -> None:
    assert decide(make(0.8, 0.8), score, 1 - score)[0] == label


@pytest.mark.parametrize(("owl", "label"), [(0.85, UNKNOWN), (0.95, "owl"), (0.45, "wren"), (0.55, UNKNOWN)])
def test_each_label_has_a_threshold_of_its_own(owl: float, label: str) -> None:
    assert decide(make(0.9, 0.5), owl, 1 - owl)[0] == label


def test_a_second_best_label_never_wins_by_its_lower_threshold() -> None:
    assert decide(make(0.9, 0.1), 0.7, 0.3)[0] == UNKNOWN


def test_unknown_still_names_the_candidates() -> None:
    decision = make(0.9, 0.9).decide(Scores(np.array([0.6, 0.4], np.float32)))
    assert [c.label for c in decision.top] == ["owl", "wren"]


def test_smoothing_outvotes_a_single_odd_frame() -> None:
    decider = make(smoothing=0.75)
    decide(decider, 0.9, 0.1)
    assert decide(decider, 0.2, 0.8) == ("owl", pytest.approx(0.75 * 0.9 + 0.25 * 0.2, abs=1e-6))


def test_without_smoothing_each_frame_stands_alone() -> None:
    decider = make()
    decide(decider, 0.9, 0.1)
    assert decide(decider, 0.2, 0.8)[0] == "wren"
