"""How long a battery and a card last, by figures reckoned by hand."""

from pathlib import Path

import pytest

from edge.budget import power, writing
from edge.budget.boards import BOARDS, Board
from edge.budget.budget import Card, Row, Use, awake_hours, budget
from edge.budget.power import Battery
from edge.config.loading import settings_from
from edge.config.settings import Settings

BOARD = Board("a board", 2.0, "idle by hand", 6.0, "full by hand")
DAY_S = 86_400.0


def settings(**sections: object) -> Settings:
    return settings_from({"bundle": "birds", **sections})


def value(rows: list[Row], name: str) -> float | None:
    return next(row.value for row in rows if row.name == name)


@pytest.mark.parametrize(
    ("fps", "frame_ms", "share"),
    [(None, 40, 1.0), (2, None, 1.0), (2, 200, 0.1), (10, 40, 0.1), (100, 400, 1.0)],
)
def test_the_share_of_its_power_that_the_board_works_with(fps: float, frame_ms: float, share: float) -> None:
    assert power.busy_share(fps, frame_ms) == pytest.approx(share)


def test_watts_and_watt_hours() -> None:
    assert power.awake_w(BOARD, 0.25) == pytest.approx(2 + 1 + 1.275)
    assert power.awake_w(BOARD, 1.0, coral=True, extra_w=0.5) == pytest.approx(6 + 1.275 + 2 + 0.5)
    assert power.day_wh(4.0, 1.0, 6.0) == 4 * 6 + 18
    assert power.battery_days(Battery(100, 0.8, 0.5), 10) == 4


def test_events_that_come_close_share_commits() -> None:
    assert writing.commits(10, 15, DAY_S) == pytest.approx(10 / (1 + 150 / DAY_S))
    assert writing.commits(5760, 15, DAY_S) == 2880  # one in 15 s on average, so two share each
    assert writing.commits(0, 15, DAY_S) == 0
    assert writing.commits(10, 15, 0.0) == 0


@pytest.mark.parametrize(("durable_s", "measured_mb"), [(15, 42), (120, 16)])
def test_the_store_writes_what_was_measured(durable_s: float, measured_mb: float) -> None:
    """docs/events.md, What it writes: 10,071 events in a simulated day."""
    assert writing.store_bytes(10_071, durable_s, DAY_S) / 1e6 == pytest.approx(measured_mb, rel=0.01)


def test_a_card_and_a_budget() -> None:
    assert writing.card_days(1000.0, 10, 5.0) == 20
    assert writing.card_days(1000.0, 10, 0.0) is None
    assert writing.full_days(100.0, 5.0) == 20
    assert writing.full_days(100.0, 0.0) is None


def test_a_schedule_by_the_clock() -> None:
    night = settings(schedule={"awake": [{"from": "20:00", "to": "02:00"}], "timezone": "UTC"})
    assert awake_hours(night, Use(1)) == (pytest.approx(6.0), "[schedule], mean of a year")
    weekend = settings(
        schedule={"awake": [{"from": "00:00", "to": "12:00", "days": ["sat", "sun"]}], "timezone": "UTC"}
    )
    assert awake_hours(weekend, Use(1))[0] == pytest.approx(12 * 106 / 366)  # 2028 begins with a Saturday
    assert awake_hours(night, Use(1, awake_h=3.0)) == (3.0, "--awake-hours")
    assert awake_hours(settings(), Use(1)) == (24.0, "no schedule: always awake")


def test_a_schedule_by_the_sun_is_half_of_the_year() -> None:
    by_day = settings(
        schedule={"awake": [{"from": "sunrise", "to": "sunset"}], "timezone": "UTC"},
        device={"latitude": 0.0, "longitude": 0.0},
    )
    assert awake_hours(by_day, Use(1))[0] == pytest.approx(12.1, abs=0.1)


def test_all_rows_of_a_day_reckoned_by_hand() -> None:
    made = settings(
        camera={"source": "synthetic", "fps": 2},
        events={"store": "events.db", "max_mb": 500, "scores": "scores.log"},
        pictures={"crop": True, "before": 1, "max_mb": 900, "reserve_mb": 100},
        output={"jsonl": "results.jsonl"},
        schedule={"awake": [{"from": "06:00", "to": "18:00"}], "timezone": "UTC"},
    )
    use = Use(100, frame_ms=200, picture_bytes=40_000, extra_w=0.5)
    rows = budget(made, BOARD, use, Battery(120, 0.5, 0.5), Card(4 * 10**9, 1e12, 10))
    awake_w = 2 + 0.1 * 4 + 1.275 + 0.5
    assert value(rows, "camera awake") == pytest.approx(12)
    assert value(rows, "power, awake") == pytest.approx(awake_w)
    assert value(rows, "power, asleep") == pytest.approx(2.5)
    wh_a_day = 12 * awake_w + 12 * 2.5
    assert value(rows, "energy") == pytest.approx(wh_a_day)
    assert value(rows, "battery lasts") == pytest.approx(30 / wh_a_day)
    store = 100 / (1 + 100 * 15 / 43_200) * 8690 + 100 * 1010
    assert value(rows, "store writes") == pytest.approx(store / 1e6)
    assert value(rows, "pictures write") == pytest.approx(100 * 3 * 40_000 / 1e6)
    lines = 2 * 43_200 * 412
    assert value(rows, "results and scores") == pytest.approx(lines / 1e6)
    assert value(rows, "pictures last") == pytest.approx(75)
    assert value(rows, "card left") == 4000 - 500 - 900 - 100
    assert value(rows, "card lasts") == pytest.approx(1e12 / 10 / (store + 12e6 + lines))


def test_what_is_not_known_is_said_and_nothing_is_made_up() -> None:
    rows = budget(settings(output={"jsonl": "results.jsonl"}), BOARD, Use(0), None, Card(32 * 10**9, None, 10))
    assert [row.name for row in rows if "lasts" in row.name] == []
    assert value(rows, "pictures last") is None
    assert "not counted, as the settings have no fps" in next(r.origin for r in rows if r.name == "results and scores")
    assert "all the time" in next(row.origin for row in rows if row.name == "power, awake")
    assert all(row.origin for row in rows)


def test_the_page_has_the_figures_of_the_table() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "power-heat-storage.md").read_text()
    for board in BOARDS.values():
        title = board.title.removeprefix("Raspberry ")
        assert f"| {title} | {board.idle_w:.1f} W | {board.full_w:.1f} W |" in page


def test_every_board_names_its_sources() -> None:
    for board in BOARDS.values():
        assert 0 < board.idle_w < board.full_w < 15
        assert len(board.idle_from) > 20
        assert len(board.full_from) > 20
