"""Events as text for other programs: always valid, always harmless."""

import json
import re

from fake_store import stored
from hypothesis import given
from hypothesis import strategies as st

from edge.outputs.event_record import event_record, iso_time, to_json
from edge.outputs.feed import Gap
from edge.outputs.harmless import MAX_LABEL, harmless

NASTY = st.text(max_size=300) | st.sampled_from(["<img src=x onerror=alert(1)>", "../../etc/passwd", "x" * 10_000])


def test_an_event_as_json() -> None:
    assert json.loads(to_json(stored(3))) == {
        "event_id": "barn-0b1c2d3e-3000",
        "number": 3,
        "device": "barn",
        "label": "fox",
        "score": 0.9,
        "mean": 0.8,
        "begin": "2026-09-21T14:13:24.500Z",
        "end": "2026-09-21T14:13:26.000Z",
        "duration_s": 1.5,
        "clock": "ntp",
        "frames": 15,
        "engine": "litert cpu",
        "bundle": "0123456789ab",
        "camera": "barn door",
        "runner_up": {"label": "hare", "score": 0.05},
        "temperature_c": 51.5,
    }


def test_a_gap_as_json() -> None:
    assert json.loads(to_json(Gap(3, 7, 5))) == {"gap": {"from": 3, "to": 7, "events": 5}}


@given(label=NASTY.filter(lambda text: text.isascii() or max(text) < "\ud800" or min(text) > "\udfff"))
def test_a_line_of_json_is_one_line_with_the_same_label_and_nothing_that_a_terminal_acts_on(label: str) -> None:
    line = to_json(stored(1, label)).decode()
    assert line.isprintable()
    assert json.loads(line)["label"] == label


@given(seconds=st.floats(allow_nan=True))
def test_any_time_is_a_time(seconds: float) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", iso_time(seconds))


@given(text=NASTY)
def test_a_harmless_label_is_short_and_acts_nowhere(text: str) -> None:
    label = harmless(text)
    assert 1 <= len(label) <= MAX_LABEL
    assert label.isprintable() or set(label) & set("\u200c\u200d\u3000\xa0") or not label.isascii()
    assert not set(label) & set('<>&"`{}$\\\r\n\x00')


def test_ordinary_labels_stay_as_they_are() -> None:
    for label in ("fox", "crow's nest", "Rötlicher Fuchs", "落ち葉", "part #3 (left)"):
        assert harmless(label) == label


def test_the_label_is_the_one_that_a_person_gave() -> None:
    import msgspec

    from edge.store.records import Mark

    marked = msgspec.structs.replace(stored(1), mark=Mark(verdict="other", label="cat"))
    assert event_record(marked).label == "cat"
