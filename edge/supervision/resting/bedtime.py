"""Decide whether the camera must sleep: because the service must rest, or by the schedule."""

from edge.supervision.beside.company import Company
from edge.supervision.load.sleep import Sleep
from edge.supervision.resting.rest import Rest
from edge.supervision.status import Status


def why_asleep(
    rest: Rest, sleep: Sleep | None, company: Company, status: Status, now: float, *, working: bool
) -> str | None:
    """Return why, None if the camera must be awake, and note it in the status. Call it at each tick.

    rest: the order to rest; it comes before the schedule.
    sleep: the schedule, if there is one.
    company: what must have kept everything before the rest is complete.
    working: there is a worker.
    """
    # The schedule is looked up all the same: that keeps what is known of the clock.
    scheduled = _by_schedule(sleep, status, now)
    ordered = rest.why()
    company.rest(rests=ordered is not None)
    all_kept = ordered is not None and not working and company.at_rest
    status.at_rest = rest.is_complete(now, all_kept=all_kept)
    if ordered is None:
        return scheduled
    return f"{'everything is on the disk' if status.at_rest else 'writing what waits'}: {ordered}"


def _by_schedule(sleep: Sleep | None, status: Status, now: float) -> str | None:
    if sleep is None:
        status.asleep_until_wall_s = status.awake_until_wall_s = None
        return None
    sleep.look(now)
    status.clock = sleep.quality
    status.asleep_until_wall_s = None if sleep.awake else sleep.until_wall_s
    status.awake_until_wall_s = sleep.until_wall_s if sleep.awake else None
    return None if sleep.awake else sleep.words
