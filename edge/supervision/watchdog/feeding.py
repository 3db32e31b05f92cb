"""Feed systemd's watchdog while all moves, rests on purpose, or is being repaired."""

import logging

from edge.config.settings import Settings
from edge.supervision.announcer import Announcer
from edge.supervision.life_watch import LifeWatch
from edge.supervision.recovery import RESTART_S
from edge.supervision.status import Counts
from edge.supervision.watchdog.duties import FOREVER_S, Duties, Duty
from edge.supervision.worker_watch import SILENCE_S, Life

_log = logging.getLogger(__name__)


class Feeding:
    """Feeds the watchdog at each tick, or not. Used by one thread."""

    def __init__(self, announcer: Announcer, counts: Counts) -> None:
        self._announcer, self._counts = announcer, counts
        self._duties = Duties()
        self._starves = False

    def look(self, duties: list[Duty], now: float) -> None:
        """Feed the watchdog unless a duty is overdue. now: monotonic."""
        late = self._duties.overdue(duties, now)
        if late is None:
            if self._starves:
                _log.warning("the watchdog is fed again")
            self._starves = False
            self._announcer.alive()
        elif not self._starves:
            self._starves = True
            _log.critical("%s: the watchdog is not fed any more, so systemd starts the service again", late)

    def of_worker(
        self,
        life: Life | None,
        settings: Settings,
        life_watch: LifeWatch,
        limit_fps: float | None,
        *,
        tries: int,
        rests: bool,
    ) -> list[Duty]:
        """Return the duties about frames and inferences.

        life: of the worker; None if there is none.
        limit_fps: frames a second that may be looked at; None for all.
        tries: how often one was started, or could not be.
        rests: there must be none: by the schedule, for a rest, or since only a reboot helps.
        """
        if rests:
            return [Duty("frames", None, FOREVER_S), Duty("inferences", None, FOREVER_S)]
        if life is None:
            # Another one is started after a pause. Each try counts, also if no process can be started.
            return [Duty("frames", ("none", tries), RESTART_S[-1]), Duty("inferences", None, FOREVER_S)]
        watch = life.watch
        frames_s = watch.step.limit_s if watch.step.limit_s != FOREVER_S else life_watch.patience_s(limit_fps)
        computing_s = max(watch.pulse.inferring_s, watch.pulse.judging_s)
        # The pulse itself gives the length: as long as it is within its limit, or none is under way, inferences move.
        moves = computing_s <= settings.engine.timeout_s + SILENCE_S
        return [
            Duty("frames", (life.number, watch.steps, self._counts.looked_at), frames_s),
            Duty("inferences", life.number, FOREVER_S if moves else 0.0),
        ]
