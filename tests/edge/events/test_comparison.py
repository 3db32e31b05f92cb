"""Events under two settings, side by side."""

from edge.events.comparison import compare, counts
from edge.events.records import Sighting


def event(label: str, begin_s: float, end_s: float) -> Sighting:
    return Sighting(
        number=1,
        label=label,
        begin_mono_s=begin_s,
        end_mono_s=end_s,
        peak=0.9,
        peak_mono_s=begin_s,
        mean=0.8,
        frames=3,
        ended=True,
    )


def verdicts(old: list[Sighting], new: list[Sighting]) -> list[tuple[str, str | None, str | None]]:
    return [(c.verdict, c.old and c.old.label, c.new and c.new.label) for c in compare(old, new)]


def test_a_frame_or_two_of_difference_is_the_same() -> None:
    assert verdicts([event("owl", 1, 4)], [event("owl", 1.2, 4.5)]) == [("same", "owl", "owl")]


def test_another_label_or_other_times_are_changes() -> None:
    old = [event("owl", 1, 4), event("owl", 10, 14)]
    new = [event("wren", 1, 4), event("owl", 10, 20)]
    assert verdicts(old, new) == [("changed", "owl", "wren"), ("changed", "owl", "owl")]


def test_what_is_on_one_side_only_stands_in_its_place_in_time() -> None:
    old = [event("owl", 1, 4), event("wren", 30, 31)]
    new = [event("owl", 1, 4), event("owl", 10, 14)]
    assert verdicts(old, new) == [("same", "owl", "owl"), ("only new", None, "owl"), ("only old", "wren", None)]


def test_of_several_that_overlap_the_one_with_the_label_counts() -> None:
    old = [event("owl", 0, 20)]
    new = [event("wren", 0, 9), event("owl", 10, 20), event("owl", 20, 21)]
    assert verdicts(old, new) == [("changed", "owl", "owl"), ("only new", None, "wren"), ("only new", None, "owl")]


def test_counts_name_every_verdict() -> None:
    assert counts(compare([event("owl", 1, 2)], [])) == {"same": 0, "changed": 0, "only old": 1, "only new": 0}
