"""Settings, a board, a battery and a card to a table of how long they last, each row with where it comes from."""

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from edge.budget import power, writing
from edge.budget.boards import CAMERA_FROM, CORAL_FROM, CORAL_W, Board
from edge.config.settings import Settings
from edge.events.schedule import Timetable

_YEAR_S = 366 * 86_400
_MB = 1_000_000
# Any year does; a leap year has all days.
_BEGIN_S = datetime(2028, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class Use:
    """What the settings do not say.

    events_a_day: on average over all days
    frame_ms: what classifying a frame takes on one core, as `fieldfare bench` shows it; None: not known
    picture_bytes: of one picture
    awake_h: hours a day that the camera is awake; None: by the schedule
    coral: whether one is plugged in
    extra_w: watts of all else, such as a modem
    """

    events_a_day: float
    frame_ms: float | None = None
    picture_bytes: int = writing.PICTURE_BYTES
    awake_h: float | None = None
    coral: bool = False
    extra_w: float = 0.0


@dataclass(frozen=True, slots=True)
class Card:
    """A card or a stick.

    size_bytes: its size
    endurance_bytes: what its maker promises that can be written; None: not known
    amplification: bytes that it writes itself for one of ours
    """

    size_bytes: int
    endurance_bytes: float | None
    amplification: float


class Row(msgspec.Struct, frozen=True):
    """A figure. value: None if it is not known or never comes. origin: where it comes from."""

    name: str
    value: float | None
    unit: str
    origin: str


def budget(settings: Settings, board: Board, use: Use, battery: power.Battery | None, card: Card | None) -> list[Row]:
    """Return all rows. Raises MissingPackageError if the schedule needs the sun and astral does not import."""
    awake_h, awake_from = awake_hours(settings, use)
    rows = [Row("camera awake", awake_h, "h a day", awake_from)]
    rows += _power_rows(settings, board, use, battery, awake_h)
    return rows + _card_rows(settings, use, card, awake_h)


def awake_hours(settings: Settings, use: Use) -> tuple[float, str]:
    """Return the hours a day that the camera is awake, over a year, and where that comes from."""
    if use.awake_h is not None:
        return use.awake_h, "--awake-hours"
    if not settings.schedule.awake:
        return 24.0, "no schedule: always awake"
    place = settings.device
    position = None if place.latitude is None or place.longitude is None else (place.latitude, place.longitude)
    table = Timetable(settings.schedule, position)
    now_s, end_s, awake_s = _BEGIN_S, _BEGIN_S + _YEAR_S, 0.0
    while now_s < end_s:
        next_s = min(table.next_change(now_s) or end_s, end_s)
        awake_s += (next_s - now_s) * table.is_awake(now_s)
        now_s = next_s
    return awake_s / _YEAR_S * 24, "[schedule], mean of a year"


def _power_rows(settings: Settings, board: Board, use: Use, battery: power.Battery | None, awake_h: float) -> list[Row]:
    fps = _fps(settings)
    share = power.busy_share(fps, use.frame_ms)
    awake_w = power.awake_w(board, share, coral=use.coral, extra_w=use.extra_w)
    asleep_w = board.idle_w + use.extra_w
    work = "all the time: no --frame-ms, or no fps in the settings" if share == 1 else f"{share:.0%} of the time"
    wh_a_day = power.day_wh(awake_w, asleep_w, awake_h)
    rows = [
        Row("power, awake", awake_w, "W", f"{board.full_from}; at work {work}; {CAMERA_FROM}"),
        Row("power, asleep", asleep_w, "W", board.idle_from),
        Row("energy", wh_a_day, "Wh a day", "the two above"),
    ]
    if use.coral:
        rows.insert(1, Row("of that, Coral", CORAL_W, "W", CORAL_FROM))
    if battery is not None:
        taken = f"{battery.usable:.0%} of it usable, {battery.efficiency:.0%} through the converter (assumed)"
        rows.append(Row("battery lasts", power.battery_days(battery, wh_a_day), "days", taken))
    return rows


def _fps(settings: Settings) -> float | None:
    both = [fps for fps in (settings.camera.fps, settings.load.max_fps) if fps is not None]
    return min(both) if both else None


def _card_rows(settings: Settings, use: Use, card: Card | None, awake_h: float) -> list[Row]:
    wanted = settings.pictures
    durable_s, awake_s = settings.events.durable_within_s, awake_h * 3600
    each = int(wanted.best) + int(wanted.crop) + wanted.before + wanted.after
    store = writing.store_bytes(use.events_a_day, durable_s, awake_s)
    pictures = use.events_a_day * each * use.picture_bytes
    lines, lines_from = _lines(settings, awake_s)
    total = store + pictures + lines
    shared = f"{use.events_a_day:g} events a day, durable_within_s = {durable_s:g}; measured on x86-64 (docs/events.md)"
    rows = [
        Row("store writes", store / _MB, "MB a day", shared),
        Row("pictures write", pictures / _MB, "MB a day", f"{each} an event, {use.picture_bytes / 1000:g} kB each"),
        Row("results and scores", lines / _MB, "MB a day", lines_from),
        Row("pictures last", writing.full_days(wanted.max_mb * _MB, pictures), "days", _picture_budget(settings)),
    ]
    if card is not None:
        budgets = (settings.events.max_mb + wanted.max_mb + wanted.reserve_mb + settings.harvest.max_mb) * _MB
        rows.append(Row("card left", (card.size_bytes - budgets) / _MB, "MB", "for the system, beside all budgets"))
        if card.endurance_bytes is not None:
            lasts = writing.card_days(card.endurance_bytes, card.amplification, total)
            origin = f"the maker's promise; it writes {card.amplification:g} bytes for one of ours (assumed)"
            rows.append(Row("card lasts", lasts, "days", f"{origin}; the system's own writing is not counted"))
    return rows


def _picture_budget(settings: Settings) -> str:
    return f"[pictures] max_mb = {settings.pictures.max_mb}: from then on the oldest go"


def _lines(settings: Settings, awake_s: float) -> tuple[float, str]:
    """Return the bytes a day of the files with something for each frame, and where that comes from."""
    wanted = {"[output] jsonl": (settings.output.jsonl, writing.RESULT_BYTES)}
    wanted["[events] scores"] = (settings.events.scores, writing.SCORES_BYTES)
    there = {key: size for key, (file, size) in wanted.items() if file is not None}
    fps = _fps(settings)
    if not there:
        return 0.0, "neither is written"
    if fps is None:
        return 0.0, f"{' and '.join(there)}: not counted, as the settings have no fps"
    each = " and ".join(f"{key}, {size} bytes" for key, size in there.items())
    return fps * awake_s * sum(there.values()), f"{each} a frame, {fps:g} frames/s"
