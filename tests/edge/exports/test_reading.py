"""What is read of a store: where pictures are, when devices stood where, and times as others read them."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from exporting import FakeStore, stored
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import DataError
from edge.exports.locate import Locator
from edge.exports.media import takes_all
from edge.exports.selection import Selection, Stays
from edge.exports.times import day_of, milliseconds, to_millisecond, to_second
from edge.store.records import Filter
from tools.make_store import SPRING_S, made_events


def test_pictures_are_where_the_store_says_or_beside_it(tmp_path: Path) -> None:
    there, moved = tmp_path / "there", tmp_path / "card" / "photos" / "pictures" / "2026-11-28"
    there.mkdir()
    moved.mkdir(parents=True)
    (there / "1.jpg").touch()
    (moved / "2.jpg").touch()
    (moved / "3.jpg").touch()
    locator = Locator(tmp_path / "card" / "photos" / "events.db")
    assert locator.find(there / "1.jpg") == there / "1.jpg"
    for name in ("2.jpg", "3.jpg"):
        was = Path("/var/lib/fieldfare/pictures/2026-11-28") / name
        assert locator.find(was) == moved / name
    gone = Path("/var/lib/fieldfare/pictures/2026-11-28/4.jpg")
    assert locator.find(gone) == gone


def test_no_path_leads_out_of_the_folder_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "card").mkdir()
    was = Path("/nowhere/../secret.jpg")
    assert Locator(tmp_path / "card" / "events.db").find(was) == was


@pytest.mark.parametrize("wall_s", [float("nan"), float("inf"), -float("inf"), 1e18, -1e18])
def test_a_time_of_no_era_is_damage(wall_s: float) -> None:
    for written in (to_second, to_millisecond, day_of):
        with pytest.raises(DataError, match="damaged"):
            written(wall_s)


@given(st.floats(-30e9 + 1, 250e9 - 1))
def test_times_agree(wall_s: float) -> None:
    whole, fine = to_second(wall_s), to_millisecond(wall_s)
    assert len(whole) == 20
    assert fine.endswith("Z")
    assert int(fine[-4:-1]) == milliseconds(wall_s) % 1000
    assert fine.startswith(whole[:-1])
    assert whole.startswith(day_of(wall_s))


def test_events_that_come_during_an_export_are_for_the_next_one() -> None:
    events = stored(made_events(20), Path())
    store = FakeStore(events[:10])
    selection = Selection(store, Filter())  # type: ignore[arg-type]
    assert selection.survey(takes_all).events == 10
    store.held = events
    assert sum(map(len, selection.batches())) == 10


def test_batches_are_small_and_lose_nothing(tmp_path: Path) -> None:
    events = stored(made_events(300, side=24), tmp_path)
    batches = list(Selection(FakeStore(events), Filter()).batches())  # type: ignore[arg-type]
    assert [one for batch in batches for one in batch] == events
    assert max(sum(len(one.pictures) for one in batch) for batch in batches) <= 64 + 3


def test_a_period_spans_its_events_and_pictures_but_not_lost_clocks(tmp_path: Path) -> None:
    events = stored(made_events(20, side=24), tmp_path)
    lost = msgspec.structs.replace(events[0], begin_wall_s=0.0, end_wall_s=1.0, clock="none", pictures=())
    store = FakeStore([lost, *events])
    survey = Selection(store, Filter()).survey(takes_all, Stays(store.stays()))  # type: ignore[arg-type]
    (period,) = survey.periods.values()
    times = [one.begin_wall_s for one in events] + [p.captured_wall_s for one in events for p in one.pictures]
    assert period.begin_s == min(times) > SPRING_S
    assert (period.events, period.untrusted) == (21, 1)


def test_neither_numpy_nor_pyarrow_is_needed_before_it_is_used() -> None:
    look = "import sys, edge.exports.export, edge.cli.events.command; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert not {"numpy", "pyarrow", "cv2"} & set(done.stdout.split())
