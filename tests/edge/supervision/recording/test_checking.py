"""What a worker with a fault, or one that was taken over, may not have kept."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorders import PICTURE, SAMPLE, STARTED, sighting

from edge.config.keeping import Device
from edge.events.records import PictureInfo, Sample, Sighting
from edge.processes.messages import Sampled, Sighted
from edge.results import Candidate
from edge.store.writing import StoreWriter
from edge.supervision.recording.checking import fault_of
from edge.supervision.recording.sightings import Sightings

NOW = 1000.0
NAN, INFINITY = float("nan"), float("inf")


def seen(**changes: Any) -> str | None:
    return fault_of(Sighted(msgspec.structs.replace(sighting(), **changes), (PICTURE,)), NOW)


def sampled(**changes: Any) -> str | None:
    return fault_of(Sampled(msgspec.structs.replace(SAMPLE, **changes)), NOW)


def test_what_a_right_worker_sends() -> None:
    assert seen() is None
    assert seen(peak=1.0000001, mean=-0.0000001, runner_up=Candidate("\x1b[2J<b>", 0.0), box=(0, 0, 1, 1)) is None
    assert seen(label="\N{OWL}" * 250, begin_mono_s=NOW, end_mono_s=NOW) is None
    assert sampled() is None
    assert sampled(top=(Candidate("owl", 0.5), Candidate("fox", 0.4)), reasons=("random", "unknown")) is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"begin_mono_s": NAN}, "a time of nan s"),
        ({"end_mono_s": INFINITY}, "a time of inf s"),
        ({"peak_mono_s": -1e300}, "a time of -1e+300 s"),
        ({"end_mono_s": 1e9}, "a time of 1e+09 s"),
        ({"begin_mono_s": 9.0}, "it ends before it begins"),
        ({"label": "x" * 10_000}, "a label of 10000 bytes"),
        ({"runner_up": Candidate("x" * 1001, 0.1)}, "a label of 1001 bytes"),
        ({"runner_up": Candidate("fox", NAN)}, "a score of nan"),
        ({"peak": 7.0}, "a score of 7"),
        ({"mean": -INFINITY}, "a mean of -inf"),
        ({"box": (0.0, 0.0, NAN, 1.0)}, "a box of nan"),
        ({"frames": 1 << 63}, "number 1, of 9223372036854775808 frames"),
        ({"number": -1 << 63}, "number -9223372036854775808, of 9 frames"),
    ],
)
def test_a_sighting_that_cannot_be(changes: dict[str, Any], fault: str) -> None:
    assert seen(**changes) == fault


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"captured_mono_s": NAN}, "a time of nan s"),
        ({"label": "x" * 10_000}, "a label of 10000 bytes"),
        ({"score": INFINITY}, "a score of inf"),
        ({"top": (Candidate("owl", NAN),)}, "a score of nan"),
        ({"top": (Candidate("owl", 0.0),) * 5000}, "5000 candidates"),
        ({"reasons": ("random",) * 5000}, "a reason twice"),
        ({"width": 0}, "a picture of 0 x 3 pixels"),
    ],
)
def test_a_sample_that_cannot_be(changes: dict[str, Any], fault: str) -> None:
    assert sampled(**changes) == fault


def test_a_picture_that_cannot_be() -> None:
    for changes in ({"captured_mono_s": NAN}, {"width": 1 << 40}, {"height": -1}):
        assert fault_of(Sighted(sighting(), (msgspec.structs.replace(PICTURE, **changes),)), NOW)


floats = st.floats() | st.floats(0, 1) | st.integers(-(1 << 63), (1 << 64) - 1).map(float)
counts = st.integers(-(1 << 63), (1 << 64) - 1)
labels = st.text(max_size=20)
candidates = st.builds(Candidate, labels, floats)
sightings = st.builds(
    Sighting,
    **dict.fromkeys(("begin_mono_s", "end_mono_s", "peak", "peak_mono_s", "mean"), floats),
    number=counts,
    frames=counts,
    label=labels,
    runner_up=candidates | st.none(),
    box=st.tuples(floats, floats, floats, floats) | st.none(),
    ended=st.booleans(),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with StoreWriter(tmp_path_factory.mktemp("store") / "events.db") as writer:
        yield writer


@given(sightings, st.builds(PictureInfo, kind=st.just("best"), captured_mono_s=floats, width=counts, height=counts))
def test_whatever_is_let_through_can_be_stored(store: StoreWriter, one: Sighting, info: PictureInfo) -> None:
    if fault_of(Sighted(one, (info,)), NOW) is not None:
        return
    for event in Sightings(Device(), "camera", "pi", "boot").events(one, STARTED, None, NOW):
        store.add_events([(event, event.begin_mono_s, event.end_mono_s, "ntp", ())])


@given(
    st.builds(
        Sample,
        captured_mono_s=floats,
        label=labels,
        score=floats,
        top=st.lists(candidates).map(tuple),
        reasons=st.just(()),
        width=counts,
        height=counts,
    )
)
def test_no_sample_is_a_crash(one: Sample) -> None:
    fault_of(Sampled(one), NOW)
