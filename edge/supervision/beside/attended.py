"""Keep one process beside the worker running: start it, judge it by what it sends, end it and start it again.

Nothing here waits. A process that was killed is looked at again at the next tick; one that even SIGKILL does not end is
left alone.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from edge.decoding import DecodingError
from edge.errors import ConfigError, DataError, MissingPackageError
from edge.processes.channel import Channel, Message
from edge.processes.child import Child
from edge.processes.listener import Listener
from edge.processes.process import describe_exit
from edge.supervision.announcer import Repeats
from edge.supervision.beside.kinds import Failed, Kind
from edge.supervision.beside.starting import StartHelper

_log = logging.getLogger(__name__)

# Seconds before the next start, after so many ends in a row; the last one stays.
_PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
# A newer schema or wrong settings do not mend themselves, but a person may do it, and nobody restarts the service.
_HOPELESS_PAUSE_S = 60.0
_HOPELESS = frozenset(kind.exit_status for kind in (DataError, MissingPackageError, ConfigError))
# One that ran so long before it ended begins with the shortest pause again.
_PROVEN_S = 60.0
# SIGKILL waits for a process that hangs in the kernel, such as in fsync on a dying card.
_DIE_S = 2.0
# One whose end was ordered has work to finish: the recorder takes 25 s at most, the outputs 9 s.
_FINISH_S = 30.0
# Each holds its memory for good, and what hung two of them in the kernel would hang a third.
_MAX_UNKILLABLE = 2
# Messages taken in one go, so that one that floods the line does not hold up the supervisor.
_BATCH = 64
# Reads of 64 KB, as much as a pipe holds: last words.
_LAST_READS = 4


class Attended:
    """One such process at a time. Used by one thread.

    line: to the process; None if there is none at present.
    fault: why it does not serve; None if it does, or if it was just started for the first time.
    moves: a count that grows with all that it sends, and all that is done about it.
    """

    def __init__(
        self, kind: Kind, start: StartHelper, begin: Message, listener: Listener, hear: Callable[[], object]
    ) -> None:
        """begin: its first message. hear: called when the line can be read; it must consume `messages`."""
        self._kind, self._start, self._begin, self._listener, self._hear = kind, start, begin, listener, hear
        self.line: Channel[Any] | None = None
        self.moves = 0  # messages, starts and ends so far
        self.fault: str | None = None
        self._child: Child | None = None
        self._started_s = self._heard_s = 0.0
        self._beat_s = float("inf")  # when the last one came; no beat, no judgement
        self._has_spoken = False
        self._hung_up_s: float | None = None  # when it closed the line, until it is known how it ended
        self._failed: Failed | None = None
        self._ends = 0  # in a row
        self._next_s = self._ended_s = float("-inf")
        self._is_hopeless = False
        self._is_ordered = False  # its end
        self._is_held = False  # none is to be started
        self._dying: list[tuple[Child, float]] = []
        self._repeats = Repeats(time.monotonic())
        self._in_log = False  # the present fault is in the log, and so its end must be

    @property
    def is_alive(self) -> bool:
        """Does it run, as far as is known?"""
        return self._child is not None and self._hung_up_s is None

    @property
    def allowed_s(self) -> float:
        """Within so many seconds it sends something, or something is done about it; infinite if nothing need be."""
        if self._child is not None:
            return self._limit_s() if self._hung_up_s is None else _FINISH_S
        stuck = len(self._dying) >= _MAX_UNKILLABLE
        return float("inf") if self._is_held or stuck else _HOPELESS_PAUSE_S

    @property
    def is_leaving(self) -> bool:
        """Was its end ordered?"""
        return self._is_ordered

    @property
    def pid(self) -> int | None:
        """Its process; None if there is none."""
        return self._child.pid if self._child is not None else None

    def tick(self, now: float) -> bool:
        """Do what is due; True if another process was just started. Call it about once a second or more often."""
        self._reap()
        if self._child is None:
            return not self._is_held and now >= self._next_s and self._try_to_begin(now)
        if self._hung_up_s is not None:
            patience_s = _FINISH_S if self._is_ordered else _DIE_S
            if self._child.exit_status() is not None or now - self._hung_up_s > patience_s:
                self._post_mortem(self._child)
        elif now - self._heard_s > (limit_s := self._limit_s()):
            self.replace(f"the {self._kind.name} sent nothing for {limit_s:g} s")
        elif now - self._beat_s > self._kind.hung_s:
            self.replace(f"the {self._kind.name} hung: no sign of life for {self._kind.hung_s:g} s")
        return False

    def messages(self) -> Iterator[Any]:
        """Yield what was received, except its last words. Never waits."""
        for _ in range(_BATCH):
            if self.line is None:
                return
            try:
                message = self.line.receive()
            except EOFError:
                self._hang_up()
                return
            except DecodingError as error:
                self.replace(f"the {self._kind.name} sent what is no message: {error}")
                return
            if message is None:
                return
            if self._kind.beat is not None and isinstance(message, self._kind.beat):
                self._beat_s = time.monotonic()
                continue
            self._heard(time.monotonic())
            if isinstance(message, self._kind.failed):
                self._failed = message
            else:
                self._serves()
                yield message

    def replace(self, why: str) -> None:
        """Kill it; another one is started after a pause."""
        if self._child is not None:
            self._let_go(self._child, why)

    def works(self) -> None:
        """Note that it did its work: the next one is started after the shortest pause."""
        self._ends = 0

    def excuse(self, away_s: float) -> None:
        """Extend the deadline by `away_s`, during which this process was not running."""
        now = time.monotonic()
        self._heard_s = min(now, self._heard_s + away_s)
        if self._beat_s <= now:
            self._beat_s = min(now, self._beat_s + away_s)

    def be_back_within(self, seconds: float) -> None:
        """Start the next one so long after the last one's end, or earlier; but not if only a person can mend why it
        ended."""
        if not self._is_hopeless:
            self._next_s = min(self._next_s, self._ended_s + seconds)

    def renew(self, begin: Message) -> None:
        """Give the next one another first message. Order the end of the present one, too."""
        self._begin = begin

    def hold(self, *, held: bool) -> None:
        """Start no other one when this one has ended, or start them again."""
        self._is_held = held

    def expect_end(self) -> None:
        """Note that its end was ordered, and is no fault: the next one is started without a pause."""
        self._is_ordered = self._child is not None

    def leave(self) -> None:
        """Order its end by closing the line, for those that end so. The next one is started without a pause."""
        if self.is_alive:
            self.expect_end()
            self._hang_up()

    def hurry(self) -> None:
        """Start the next one without a pause."""
        self._next_s = float("-inf")

    def hang_up(self, seconds: float) -> bool:
        """Close the line, so that the process comes to its end by itself; False if it has not after `seconds`."""
        self._close_line()
        return self._child is None or self._child.wait(seconds)

    def close(self, patience_s: float, *, kill: bool = True) -> None:
        """Hang up, give the process `patience_s` to end, and then kill it, or leave it to itself."""
        child, self._child = self._child, None
        self._close_line()
        if child is not None:
            self._listener.remove(child.stderr)
            child.wait(patience_s)
            _last_words(child)
            if kill:
                child.end(_DIE_S)
            child.close()
        for dying, _ in self._dying:
            dying.close()
        self._dying.clear()

    # --- it begins ---

    def _try_to_begin(self, now: float) -> bool:
        if len(self._dying) >= _MAX_UNKILLABLE:
            self._note(f"{len(self._dying)} processes of the {self._kind.name} cannot be killed: only a reboot helps")
            return False
        if any(now - killed_s < _DIE_S for _, killed_s in self._dying):
            return False
        try:
            self._child = self._started()
        except OSError as error:
            self._pause(f"the {self._kind.name} could not be started: {error}", now)
            return False
        self._started_s = self._heard_s = time.monotonic()
        self.moves += 1
        self._beat_s = float("inf")
        self._has_spoken, self._failed, self._is_ordered = False, None, False
        self._listener.add(self._child.stderr, self._relay)
        return True

    def _started(self) -> Child:
        """Start the process and send it its first message. Raises OSError."""
        line, theirs = self._kind.pair()
        try:
            with theirs:
                child = self._start([str(theirs.fileno()), str(os.getpid())], pass_fds=[theirs.fileno()])
            try:
                # The line is empty: this message always fits.
                line.send(self._begin, wait=False)
            except OSError:
                child.end(0.0)
                raise
        except OSError:
            line.close()
            raise
        self.line = line
        self._listener.add(line, self._hear)
        return child

    def _serves(self) -> None:
        if self.fault is not None:
            self.fault = None
            verb = "are" if self._kind.name.endswith("s") else "is"
            _log.log(logging.WARNING if self._in_log else logging.DEBUG, "the %s %s back", self._kind.name, verb)

    def _heard(self, now: float) -> None:
        self._heard_s, self._has_spoken = now, True
        self.moves += 1
        if now - self._started_s > _PROVEN_S:
            self._ends = 0

    def _limit_s(self) -> float:
        return self._kind.silence_s if self._has_spoken else self._kind.starting_s

    def _relay(self) -> None:
        if self._child is not None and not self._child.relay():
            self._listener.remove(self._child.stderr)

    # --- it ends ---

    def _hang_up(self) -> None:
        """Note that it closed the line; how it ended shows a moment later."""
        self._hung_up_s = time.monotonic()
        self._close_line()

    def _post_mortem(self, child: Child) -> None:
        _last_words(child)
        status = child.exit_status()
        if self._is_ordered and self._failed is None and status == 0:
            self._forget(child)
            self._ends, self._next_s = 0, float("-inf")
            return
        if self._failed is not None:
            why = self._failed.why
        else:
            words = f" (last words: {child.tail[-1]})" if child.tail else ""
            how = "hung up" if status is None else describe_exit(status)
            why = f"the {self._kind.name} {how}{words}"
        self._let_go(child, why)

    def _let_go(self, child: Child, why: str) -> None:
        self._forget(child)
        self._pause(why, time.monotonic())

    def _forget(self, child: Child) -> None:
        """Kill what is left of it, and look at it again at the next tick."""
        self._close_line()
        self._listener.remove(child.stderr)
        child.kill()
        _last_words(child)
        self._child, self._hung_up_s = None, None
        self._dying.append((child, time.monotonic()))

    def _pause(self, why: str, now: float) -> None:
        self.moves += 1
        pause_s = _PAUSES_S[min(self._ends, len(_PAUSES_S) - 1)]
        self._ends += 1
        self._is_hopeless = self._failed is not None and self._failed.status in _HOPELESS
        if self._is_hopeless:
            pause_s = _HOPELESS_PAUSE_S
        self._ended_s, self._next_s = now, now + pause_s
        self._note(why, f"; starting another in {pause_s:g} s")

    def _note(self, why: str, more: str = "") -> None:
        if self.fault == why:
            return
        self.fault = why
        repeated = self._repeats.words(why, time.monotonic())
        self._in_log = repeated is not None
        _log.log(logging.WARNING if self._in_log else logging.DEBUG, "%s%s%s", why, more, repeated or "")

    def _close_line(self) -> None:
        if self.line is not None:
            # Before it is closed: a selector cannot forget what is closed.
            self._listener.remove(self.line)
            self.line.close()
            self.line = None

    def _reap(self) -> None:
        still = []
        for child, killed_s in self._dying:
            if child.exit_status() is None:
                still.append((child, killed_s))
            else:
                child.close()
        self._dying = still


def _last_words(child: Child) -> None:
    for _ in range(_LAST_READS):
        if not child.relay():
            break
