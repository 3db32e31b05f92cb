"""Watts, and how long a battery lasts; pure."""

from dataclasses import dataclass

from edge.budget.boards import CAMERA_W, CORAL_W, Board

_DAY_H = 24.0


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery.

    capacity_wh: what its label promises
    usable: the share of it that may be taken
    efficiency: the share of what is taken that the converter to 5 V passes on
    """

    capacity_wh: float
    usable: float
    efficiency: float


def busy_share(fps: float | None, frame_ms: float | None, cores: int = 4) -> float:
    """Return the share of its full power that the board works with: `fps` frames of `frame_ms` on all `cores`, at most
    1; and 1 if either is not known."""
    if fps is None or frame_ms is None:
        return 1.0
    return min(1.0, fps * frame_ms / 1000 / cores)


def awake_w(board: Board, share: float, *, coral: bool = False, extra_w: float = 0.0) -> float:
    """Return the watts while the camera is awake."""
    return board.idle_w + share * (board.full_w - board.idle_w) + CAMERA_W + (CORAL_W if coral else 0.0) + extra_w


def day_wh(awake: float, asleep: float, awake_h: float) -> float:
    """Return the watt hours of a day of which the camera is awake `awake_h`. awake, asleep: watts."""
    return awake * awake_h + asleep * (_DAY_H - awake_h)


def battery_days(battery: Battery, wh_a_day: float) -> float:
    """Return how many days the battery lasts."""
    return battery.capacity_wh * battery.usable * battery.efficiency / wh_a_day
