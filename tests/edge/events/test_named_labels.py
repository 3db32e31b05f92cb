"""Settings may name only labels that the bundle has."""

from typing import Any

import pytest

from edge.config.loading import settings_from
from edge.config.running import Decisions
from edge.config.settings import Settings
from edge.errors import ConfigError
from edge.events.labels import background_of, check_labels, thresholds_of

LABELS = ("red fox", "badger", "Empty", "none", "nothing much")


def settings(**sections: Any) -> Settings:
    return settings_from({"bundle": "b", "events": {"store": "e.db"}, **sections})


class TestBackground:
    def test_is_what_people_usually_call_so_that_the_bundle_has_in_capitals_or_not(self) -> None:
        assert background_of(LABELS, None) == {"Empty", "none"}

    @pytest.mark.parametrize("given", [(), ("badger",), ("badger", "none")])
    def test_is_what_the_settings_name(self, given: tuple[str, ...]) -> None:
        assert background_of(LABELS, given) == set(given)


@pytest.mark.parametrize(
    ("decision", "thresholds"),
    [
        (Decisions(), (0.4, 0.4)),
        (Decisions(threshold=0.0), (0.0, 0.0)),
        (Decisions(thresholds={"badger": 0.9}), (0.4, 0.9)),
        (Decisions(threshold=0.7, thresholds={"badger": 0.0}), (0.7, 0.0)),
    ],
)
def test_a_label_s_own_threshold_goes_before_that_of_all_and_that_before_the_bundle_s(
    decision: Decisions, thresholds: tuple[float, ...]
) -> None:
    assert thresholds_of(("red fox", "badger"), decision, (0.4, 0.4)) == thresholds


class TestCheck:
    def test_labels_of_the_bundle_are_right(self) -> None:
        check_labels(settings(), LABELS)
        named = ["red fox", "badger"]
        decision = {"thresholds": {"red fox": 0.9}, "background": ["Empty"]}
        outputs = {"hook": {"command": ["true"], "labels": named}, "gpio": {"pin": 17, "labels": named}}
        check_labels(settings(decision=decision, **outputs), LABELS)

    def test_all_that_are_wrong_are_named_with_the_nearest_label(self) -> None:
        wrong = settings(
            decision={"thresholds": {"Red Fox": 0.9, "badger": 1}, "background": ["zzz"]},
            hook={"command": ["true"], "labels": ["bagder"]},
            gpio={"pin": 17, "labels": ["unknown"]},
        )
        with pytest.raises(ConfigError) as caught:
            check_labels(wrong, LABELS)
        assert caught.value.heading == "4 labels in the settings are not in the bundle:"
        assert caught.value.faults == (
            "decision.thresholds: 'Red Fox': the bundle has no such label: did you mean 'red fox'?",
            "decision.background: 'zzz': the bundle has no such label: `fieldfare bundle show` lists them",
            "hook.labels: 'bagder': the bundle has no such label: did you mean 'badger'?",
            "gpio.labels: 'unknown': no label of the bundle; events are called so only with events.unknown = true",
        )

    def test_one_is_one_line(self) -> None:
        with pytest.raises(
            ConfigError, match=r"^decision\.background: 'zzz': the bundle has no such label: "
        ) as caught:
            check_labels(settings(decision={"background": ["zzz"]}), LABELS)
        assert caught.value.faults == ()

    def test_unknown_is_the_name_of_events_if_there_are_such(self) -> None:
        events = {"store": "e.db", "unknown": True}
        check_labels(settings(events=events, gpio={"pin": 17, "labels": ["unknown"]}), LABELS)
        with pytest.raises(ConfigError, match=r"^decision\.thresholds: 'unknown'"):
            check_labels(settings(events=events, decision={"thresholds": {"unknown": 0.5}}), LABELS)

    def test_a_thousand_are_counted_and_twenty_listed(self) -> None:
        wrong = settings(decision={"background": [f"\x1b{number}" * 500 for number in range(30)]})
        with pytest.raises(ConfigError, match="30 labels") as caught:
            check_labels(wrong, LABELS)
        assert len(caught.value.faults) == 21
        assert caught.value.faults[-1] == "and 10 more"
        assert str(caught.value).isprintable()
        assert max(map(len, caught.value.faults)) < 250
