"""fieldfare device budget: how long a battery and a card last."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.budget.boards import BOARDS
from edge.cli.numbers import FloatRange
from edge.cli.streams import echo, echo_json

if TYPE_CHECKING:
    from edge.budget.budget import Row

_WIDE = 80
_MANY_DAYS = 3652


@click.command(
    epilog="Example: fieldfare device budget --board pi4 --config fieldfare.toml --events-a-day 200 --battery-wh 240 "
    "--card-gb 32 --card-tbw 60",
)
@click.option("--board", type=click.Choice(list(BOARDS)), required=True, help="The model of Raspberry Pi.")
@click.option("--config", type=click.Path(path_type=Path), help="The settings.  [default: none: its defaults]")
@click.option("--events-a-day", type=FloatRange(0, 1_000_000), required=True, help="Events a day, on average.")
@click.option("--frame-ms", type=FloatRange(0.01, 60_000), help="A frame on this board, by `fieldfare bench`.")
@click.option("--picture-kb", type=FloatRange(1, 20_000), default=50.0, show_default=True, help="Size of a picture.")
@click.option("--awake-hours", type=FloatRange(0, 24), help="Hours a day.  [default: by the schedule]")
@click.option("--coral", is_flag=True, help="A Coral is plugged in.")
@click.option("--extra-w", type=FloatRange(0, 100), default=0.0, help="Watts of all else, such as a modem.")
@click.option("--battery-wh", type=FloatRange(0.1, 1_000_000), help="The battery's capacity in watt hours (Ah x V).")
@click.option("--usable", type=FloatRange(0.05, 1), default=0.8, show_default=True, help="Share of it that is used.")
@click.option("--efficiency", type=FloatRange(0.1, 1), default=0.85, show_default=True, help="Of the converter.")
@click.option("--card-gb", type=FloatRange(1, 100_000), help="The card's size.")
@click.option("--card-tbw", type=FloatRange(0.001, 100_000), help="Terabytes that its maker lets you write.")
@click.option(
    "--amplification",
    type=FloatRange(1, 1000),
    default=10.0,
    show_default=True,
    help="Bytes that the card writes for one of ours.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def budget(
    board: str,
    config: Path | None,
    events_a_day: float,
    frame_ms: float | None,
    picture_kb: float,
    awake_hours: float | None,
    coral: bool,
    extra_w: float,
    battery_wh: float | None,
    usable: float,
    efficiency: float,
    card_gb: float | None,
    card_tbw: float | None,
    amplification: float,
    as_json: bool,
) -> None:
    """Reckon how long a battery and a card last.

    From the settings (schedule, fps, pictures, durable_within_s), and from figures of named sources. Nothing is
    measured here, and no figure is from a board of ours: measure yours before you rely on it.
    """
    from edge.budget.budget import Card, Use
    from edge.budget.budget import budget as reckon
    from edge.budget.power import Battery
    from edge.config.loading import load_settings
    from edge.config.settings import NO_BUNDLE

    if card_tbw is not None and card_gb is None:
        raise click.UsageError("--card-tbw is for --card-gb: give both")
    settings = load_settings(config, bundle=NO_BUNDLE if config is None else None)
    use = Use(events_a_day, frame_ms, round(picture_kb * 1000), awake_hours, coral, extra_w)
    battery = None if battery_wh is None else Battery(battery_wh, usable, efficiency)
    endurance = None if card_tbw is None else card_tbw * 1e12
    card = None if card_gb is None else Card(round(card_gb * 1e9), endurance, amplification)
    rows = reckon(settings, BOARDS[board], use, battery, card)
    if as_json:
        echo_json({"board": board, "rows": rows})
    else:
        _show(BOARDS[board].title, rows)


def _show(title: str, rows: "list[Row]") -> None:
    echo(f"{title}, reckoned: measure yours before you rely on it")
    for row in rows:
        origin, *more = textwrap.wrap(row.origin, _WIDE)
        echo(f"{row.name:<19}{_figure(row):>17}   {origin}")
        for line in more:
            echo(f"{'':<39}{line}")


def _figure(row: "Row") -> str:
    if row.value is None:
        return "never"
    if row.unit == "days" and row.value > _MANY_DAYS:
        return "over 10 years"
    digits = 0 if abs(row.value) >= 100 else 1 if abs(row.value) >= 10 else 2
    return f"{row.value:,.{digits}f} {row.unit}"
