"""Find what the supervisor should have repaired long ago: pure rules, driven by its clock.

The supervisor judges worker and recorder, and acts within known times. This looks at the same things apart from that
judgement: did anything move, or was anything done, within the time allowed and GRACE_S more? If not, the supervisor has
lost its ability to repair, whatever the reason, and only systemd can help. It never counts what rests on purpose or
waits for a person: a service that reports a missing camera or a full disk for months acts all the time.

No time is excused here, unlike in the judgement: a supervisor that is held up at every turn would excuse everything,
for ever.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

# Beyond the time in which the supervisor itself acts. It needs 2 s to kill a process, and 3 s to let one end.
GRACE_S = 30.0
FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Duty:
    """What must move, at this moment.

    what: for people, such as "frames".
    mark: anything that changes when it moves, or when something is done about it.
    limit_s: after so many seconds without a change the supervisor itself acts; infinite: it may rest.
    """

    what: str
    mark: Hashable
    limit_s: float


@dataclass(slots=True)
class Duties:
    """When each duty last moved. Used by one thread."""

    _seen: dict[str, tuple[Hashable, float]] = field(default_factory=dict)

    def overdue(self, duties: list[Duty], now_s: float) -> str | None:
        """Return the first that did not move in time, and for how long, None if all is well. now_s: monotonic. Call it
        at each tick with all duties."""
        late = None
        for duty in duties:
            mark, since_s = self._seen.get(duty.what, (None, now_s))
            # A duty that rests begins anew when it no longer does.
            if mark != duty.mark or duty.limit_s == FOREVER_S or duty.what not in self._seen:
                self._seen[duty.what] = duty.mark, now_s
            elif late is None and now_s - since_s > duty.limit_s + GRACE_S:
                late = f"{duty.what}: nothing moved for {now_s - since_s:.0f} s, and nothing was done about it"
        return late
