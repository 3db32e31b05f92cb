"""What is built for which settings."""

from collections.abc import Iterator

import pytest
from kept import Outbox
from scripted import ScriptedEngine, pipeline

from edge.bundle.store import Bundle
from edge.config.keeping import Events, Harvest, Pictures
from edge.config.settings import Settings
from edge.errors import EngineError
from edge.worker.keeping import opening
from edge.worker.keeping.keeper import Keeper
from edge.worker.pipeline import Pipeline

STORE = Events(store="unused")


@pytest.fixture
def keepers() -> Iterator[list[Keeper]]:
    opened: list[Keeper] = []
    yield opened
    for keeper in opened:
        keeper.close()


def on_tpu(bundle: Bundle) -> Pipeline:
    made = pipeline(bundle, ScriptedEngine())
    made.on_edgetpu = True
    return made


def keeper_of(bundle: Bundle, keepers: list[Keeper], serving: Pipeline | None = None, **sections: object) -> Keeper:
    settings = Settings(bundle=str(bundle.path), **sections)  # type: ignore[arg-type]
    keepers.append(opening.open_keeper(settings, serving or pipeline(bundle, ScriptedEngine()), Outbox().send))
    return keepers[-1]


def test_events_alone(sealed: Bundle, keepers: list[Keeper]) -> None:
    keeper = keeper_of(sealed, keepers, events=STORE)
    assert keeper._sightings is not None
    assert keeper._harvester is None
    assert keeper._scores is None


def test_scores_alone_and_no_harvest_without_a_store(sealed: Bundle, keepers: list[Keeper]) -> None:
    keeper = keeper_of(sealed, keepers, events=Events(scores="unused"), harvest=Harvest(max_mb=10))
    assert keeper._sightings is None
    assert keeper._harvester is None
    assert keeper._scores is not None


def test_no_burst_is_held_that_is_not_wanted(sealed: Bundle, keepers: list[Keeper]) -> None:
    sightings = keeper_of(sealed, keepers, events=STORE)._sightings
    assert sightings is not None
    assert sightings._sender._bursts is None
    with_burst = keeper_of(sealed, keepers, events=STORE, pictures=Pictures(after=2))._sightings
    assert with_burst is not None
    assert with_burst._sender._bursts is not None


def test_engines_are_compared_only_on_an_edge_tpu(sealed: Bundle, keepers: list[Keeper]) -> None:
    harvest = Harvest(max_mb=10)
    on_cpu = keeper_of(sealed, keepers, events=STORE, harvest=harvest)._harvester
    assert on_cpu is not None
    assert on_cpu._opinion is None
    compared = keeper_of(sealed, keepers, on_tpu(sealed), events=STORE, harvest=harvest)._harvester
    assert compared is not None
    assert compared._opinion is not None
    unwanted = keeper_of(sealed, keepers, on_tpu(sealed), events=STORE, harvest=Harvest(max_mb=10, disagreement=False))
    assert unwanted._harvester is not None
    assert unwanted._harvester._opinion is None


def test_an_engine_for_comparison_that_fails_keeps_nothing_from_running(
    sealed: Bundle, keepers: list[Keeper], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise EngineError("no memory")

    monkeypatch.setattr(opening, "TfliteClassifier", fails)
    harvester = keeper_of(sealed, keepers, on_tpu(sealed), events=STORE, harvest=Harvest(max_mb=10))._harvester
    assert harvester is not None
    assert harvester._opinion is None
    assert "frames are not compared between the engines: no memory" in caplog.text
