"""Take in what the supervisor sends, and keep it in time: the recorder's loop, without its process."""

import logging
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.errors import DamagedStoreError, DataError, FieldfareError, StoreGoneError
from edge.events.log_clock import ClockPiece
from edge.events.records import Event
from edge.events.wall_clock import ClockHistory, ClockReading, WallClock
from edge.printable import counted
from edge.processes.recorder_messages import (
    Finish,
    KeepEvent,
    KeepSample,
    KeepScores,
    Kept,
    RecorderBegin,
    RecorderChannel,
    RecorderPulse,
)
from edge.recorder.archive import Archive
from edge.recorder.faults import describe
from edge.recorder.score_log import ScoreLogFile
from edge.recorder.waiting import Item, OpenEvents, Waiting
from edge.recorder.written import WrittenToday

_log = logging.getLogger(__name__)

# If nothing comes, half as many pulses let the processor rest.
_PULSE_S = 1.0
_IDLE_PULSE_S = 2.0
_IDLE_AFTER_S = 10.0
# So many messages between two pulses: a flood of them must not hold one up.
_MOST_MESSAGES = 500
# A full disk that was emptied, or a card that was put back, is found this soon. A store of a newer version stays one
# until someone installs that version.
_AGAIN_S = 5.0
_PEOPLE_AGAIN_S = 60.0
# After the supervisor's end, or at its order: time for one slow fsync and a second try.
FINISH_S: Final = 20.0
_FINISH_AGAIN_S = 1.0

_ERRORS = (OSError, FieldfareError)


class Recorder:
    """One recorder, from RecorderBegin to its end. Used by one thread."""

    def __init__(
        self,
        channel: RecorderChannel,
        begin: RecorderBegin,
        *,
        clock: WallClock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        written: WrittenToday | None = None,
    ) -> None:
        """clock, monotonic, written: other clocks and counts, for simulations."""
        events = begin.settings.events
        self._channel, self._monotonic = channel, monotonic
        self._clock, self._written = clock or WallClock(), written or WrittenToday()
        self._history = ClockHistory()
        self._boot = begin.boot
        self._archive = Archive(
            begin.settings, begin.device, begin.boot, self._history, self._written, alive=self._pulse
        )
        self._scores = ScoreLogFile(Path(events.scores), events.scores_max_mb) if events.scores else None
        self._waiting, self._open = Waiting(events.durable_within_s), OpenEvents()
        self._fault: str | None = None
        self._pulsed_fault: str | None = None
        self._again_s = self._looked_s = self._pulsed_s = float("-inf")
        self._heard_s = monotonic()
        self._mends = self._recalled = self._input_ended = False

    def serve(self) -> None:
        """Serve until Finish is received or the supervisor is gone."""
        poll = select.poll()
        while not self._input_ended:
            self.turn()
            # While no more can be taken in, only the other end's closing is reported.
            full = self._waiting.is_full
            poll.register(self._channel, 0 if full else select.POLLIN)
            if poll.poll(1000 * self._wait_s(self._monotonic())) and full:
                return

    def turn(self) -> None:
        """Do what is due now. A disk or a store that fails is reported as a fault, not raised."""
        now = self._monotonic()
        self._look(now)
        self._take_messages(now)
        if now >= self._again_s:
            self._try(self._keep, now)
        self._pulse()

    def finish(self) -> None:
        """Keep what came, events in sight as they were last heard of, then close. Tries for 20 seconds at most."""
        ends_s = self._monotonic() + FINISH_S
        while (now := self._monotonic()) < ends_s:
            self._look(now)
            self._take_messages(now)
            if self._input_ended:
                self._end(self._open.take_all(), now)
            if not self._try(self._commit, now):
                time.sleep(_FINISH_AGAIN_S)
            elif self._input_ended:
                self._try(lambda _: self._archive.end_left_open(), now)
                break
        if self._waiting.items:
            events = sum(isinstance(item.content, Event) for item in self._waiting.items)
            pictures = sum(len(item.files) for item in self._waiting.items)
            _log.error("not kept: %s and %s: %s", counted(events, "event"), counted(pictures, "picture"), self._fault)
        self._waiting.clear()
        self._archive.close()
        if self._scores is not None:
            self._scores.close()

    def _look(self, now: float) -> None:
        """Look at the clock, once a second."""
        if now - self._looked_s < _PULSE_S:
            return
        self._looked_s = now
        self._mends = self._history.add(now, self._clock.look()) or self._mends

    def _take_messages(self, now: float) -> None:
        acknowledged: list[int] = []
        for _ in range(_MOST_MESSAGES):
            if self._input_ended or self._waiting.is_full:
                break
            try:
                received = self._channel.receive_with_files()
            except EOFError:
                self._input_ended = True
                break
            if received is None:
                break
            self._heard_s = now
            self._take(*received, now, acknowledged)
        self._acknowledge(acknowledged)

    def _take(self, message: Any, files: list[int], now: float, acknowledged: list[int]) -> None:
        if isinstance(message, KeepEvent) and message.event.ended:
            self._open.end(message.event)
            self._waiting.add(Item(message.ticket, message.event, message.pictures, files), now)
            return
        if isinstance(message, KeepSample) and self._archive.wants_samples:
            self._waiting.add(Item(message.ticket, message, files=files), now)
            return
        for file in files:
            os.close(file)
        if isinstance(message, KeepEvent):
            self._open.hear(message.event, now)
            acknowledged.append(message.ticket)
        elif isinstance(message, KeepSample):
            acknowledged.append(message.ticket)
        elif isinstance(message, KeepScores) and self._scores is not None:
            self._scores.append(message.piece, ClockPiece(self._boot, now, self._history.at(now)))
        elif isinstance(message, Finish):
            self._input_ended = True

    def _acknowledge(self, tickets: Sequence[int]) -> None:
        if tickets:
            self._send(Kept(tuple(tickets)))

    def _send(self, message: Kept | RecorderPulse) -> None:
        # If the supervisor is gone, what was kept needs no word, and what it sent before is still to be read.
        with suppress(OSError):
            self._channel.send(message)

    def _try(self, work: Callable[[float], None], now: float) -> bool:
        """Open the store if it is not, and do the work. False if it failed."""
        try:
            try:
                self._attempt(work, now)
            except (StoreGoneError, DamagedStoreError) as error:
                # The archive logs it and has another store at once: nothing waits, so it is no fault of the service.
                self._archive.failed(error)
                self._attempt(work, now)
        except _ERRORS as error:
            self._fail(error)
            return False
        if self._fault is not None:
            _log.warning("events are kept again")
            self._fault = None
        return True

    def _attempt(self, work: Callable[[float], None], now: float) -> None:
        if not self._archive.is_open:
            self._recall(self._archive.open())
            self._mends = True
        work(now)

    def _recall(self, reading: ClockReading | None) -> None:
        """Go on from what the recorder before this one knew of the clock."""
        if reading is None or self._recalled:
            return
        self._recalled = True
        self._history.recall(reading)
        self._clock.recall(reading)

    def _fail(self, error: Exception) -> None:
        fault = describe(error)
        # The first failure is reported, repeats are not: a disk may stay full for weeks.
        _log.log(logging.DEBUG if fault == self._fault else logging.ERROR, "events cannot be kept: %s", fault)
        self._fault = fault
        self._again_s = self._monotonic() + _again_after_s(error)
        self._archive.failed(error)

    def _keep(self, now: float) -> None:
        """Do all that is due in the store."""
        if not self._waiting.is_full:  # else what comes is not read, and silence means nothing
            self._end(self._open.take_silent(now), now)
        long = self._open.to_store(now)
        due_s = self._waiting.due_s
        due = self._waiting.is_full or (due_s is not None and (now >= due_s or self._fault is not None))
        if due or long:
            self._commit(now, long)
        if self._mends:
            self._archive.mend()
            self._mends = False
        self._archive.tend(now, self._open.identities())

    def _commit(self, now: float, long: Sequence[Event] = ()) -> None:
        """Keep all that waits, and these events in sight for the case of a power cut."""
        items = self._waiting.items
        if not (items or long):
            return
        self._archive.keep(items, long)
        self._open.stored(long, now)
        tickets = [item.ticket for item in items if item.ticket is not None]
        self._waiting.clear()
        self._acknowledge(tickets)

    def _end(self, events: Sequence[Event], now: float) -> None:
        """Have events in sight kept as ended, in the form that was last heard of them."""
        for event in events:
            self._waiting.add(Item(None, msgspec.structs.replace(event, ended=True)), now)

    def _wait_s(self, now: float) -> float:
        """Return for how long nothing is due, if nothing comes."""
        next_s = [self._pulsed_s + self._pulse_s(now)]
        if self._fault is not None:
            next_s.append(self._again_s)
        elif self._waiting.due_s is not None:
            next_s.append(self._waiting.due_s)
        return max(0.0, min(next_s) - now)

    def _pulse_s(self, now: float) -> float:
        return _PULSE_S if now - self._heard_s < _IDLE_AFTER_S else _IDLE_PULSE_S

    def _pulse(self) -> None:
        """Send a pulse if it is due, or if the fault is another one."""
        now = self._monotonic()
        if self._fault == self._pulsed_fault and now - self._pulsed_s < self._pulse_s(now):
            return
        self._pulsed_s, self._pulsed_fault = now, self._fault
        today = self._written.count()
        held = self._archive.holding
        self._send(
            RecorderPulse(
                fault=self._fault,
                notice=self._archive.notice,
                events=held.events,
                pictures_mb=held.pictures / 1e6,
                harvest_mb=held.samples / 1e6,
                written_bytes=today,
                written_total_bytes=self._written.total,
                dropped_pictures=held.dropped,
                clock=self._history.at(now).quality,
            )
        )


def _again_after_s(error: Exception) -> float:
    """Return after how long it is worth trying again."""
    if isinstance(error, StoreGoneError):
        return 0.0
    people = isinstance(error, DataError) and not isinstance(error, DamagedStoreError)
    return _PEOPLE_AGAIN_S if people else _AGAIN_S
