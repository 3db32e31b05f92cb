"""Bytes written a day, and how long a card lasts; pure."""

# From two measurements of one simulated day of 10,071 events (docs/events.md, What it writes): 42 MB with
# durable_within_s = 15, 16 MB with 120. If events come evenly, they share 3,665 and 672 commits. Two equations give
# what a commit writes, and what each event adds. It foretells 9.7 kB for an event alone (14.8 were measured with the
# file system's own writing), and 1.4 for one of twenty (1.3).
COMMIT_BYTES = 8_690
EVENT_BYTES = 1_010
# docs/events.md: 40 to 60 kB at 640x480.
PICTURE_BYTES = 50_000
# docs/raspberry-pi.md, The results; docs/events.md, Try settings on a recording: 12 with seven labels, 50 with many.
RESULT_BYTES = 400
SCORES_BYTES = 12
_DAY_S = 86_400.0


def commits(events: float, durable_s: float, awake_s: float) -> float:
    """Return how many commits a day's `events` share, if they come evenly while the camera is awake and each must be on
    the disk `durable_s` after its end."""
    if not events or not awake_s:
        return 0.0
    return events / (1 + events * durable_s / awake_s)


def store_bytes(events: float, durable_s: float, awake_s: float) -> float:
    """Return what the store writes a day."""
    return commits(events, durable_s, awake_s) * COMMIT_BYTES + events * EVENT_BYTES


def card_days(endurance_bytes: float, amplification: float, bytes_a_day: float) -> float | None:
    """Return after how many days a card has taken what its maker promises; None if nothing is written.

    amplification: how many bytes the card itself writes for one of ours."""
    return endurance_bytes / (bytes_a_day * amplification) if bytes_a_day else None


def full_days(budget_bytes: float, bytes_a_day: float) -> float | None:
    """Return after how many days a budget is used up, from when on the oldest go; None if never."""
    return budget_bytes / bytes_a_day if bytes_a_day else None
