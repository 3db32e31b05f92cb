"""Which process a change of settings concerns, and what only a restart can apply."""

import msgspec
import pytest

from edge.config.keeping import Device, Events
from edge.config.running import Camera, Load, Output
from edge.config.sending import Metrics
from edge.config.settings import Settings
from edge.supervision.changing.changes import changes_of, needs_restart

OLD = Settings(bundle="birds", camera=Camera(source="synthetic"), events=Events(store="events.db"))


@pytest.mark.parametrize(
    ("change", "concerned"),
    [
        ({}, ""),
        ({"load": Load(max_fps=1.0)}, ""),
        ({"output": Output(console="off")}, ""),
        ({"camera": Camera(source="synthetic", fps=5.0)}, "worker"),
        ({"bundle": "bats"}, "worker"),
        ({"events": Events(store="events.db", gap_s=9.0)}, "worker recorder outputs"),
        ({"device": Device(name="oak")}, "recorder outputs"),
        ({"metrics": Metrics(port=9000)}, "outputs"),
    ],
)
def test_each_section_concerns_those_that_work_by_it(change: dict[str, object], concerned: str) -> None:
    changes = changes_of(OLD, msgspec.structs.replace(OLD, **change), bundle=False)
    found = [name for name in ("worker", "recorder", "outputs") if getattr(changes, name)]
    assert " ".join(found) == concerned
    assert changes.any == bool(change)


def test_every_section_is_known() -> None:
    """A new one must be given to the processes that read it, or be the supervisor's on purpose."""
    of_supervisor = {"load", "recovery", "output", "power", "schedule"}
    of_nobody = {"pages"}  # read by a service of its own when it starts
    for field in msgspec.structs.fields(Settings):
        changes = changes_of(OLD, OLD, bundle=False)
        changes = type(changes)(frozenset((field.name,)), bundle=False)
        assert (changes.worker or changes.recorder or changes.outputs) != (field.name in of_supervisor | of_nobody), (
            field.name
        )


def test_another_bundle_under_the_same_name_takes_another_worker() -> None:
    changes = changes_of(OLD, OLD, bundle=True)
    assert changes.worker
    assert changes.words == "bundle"


def test_what_changed_is_named() -> None:
    new = msgspec.structs.replace(OLD, load=Load(max_fps=1.0), bundle="bats")
    assert changes_of(OLD, new, bundle=True).words == "[load], bundle"
    assert changes_of(OLD, OLD, bundle=False).words == "nothing has changed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"events": Events()}, "events.store"),
        ({"camera": Camera(source="night.mp4")}, "camera.source"),
    ],
)
def test_what_would_lose_something_needs_a_restart(change: dict[str, object], why: str) -> None:
    [line] = needs_restart(OLD, msgspec.structs.replace(OLD, **change))
    assert line.startswith(why)
    assert list(needs_restart(OLD, msgspec.structs.replace(OLD, load=Load(max_fps=1.0)))) == []
