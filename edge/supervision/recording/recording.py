"""Carry events from the worker to the recorder. Nothing here waits for the recorder until the service ends."""

import errno
import logging
import time
from collections import deque
from collections.abc import Sequence

from edge.config.settings import Settings
from edge.events.records import Event, PictureInfo
from edge.printable import counted, without_secrets
from edge.processes.channel import Message
from edge.processes.listener import Listener
from edge.processes.messages import Sampled, Scored, Sighted, Started
from edge.processes.recorder_messages import (
    Finish,
    KeepScores,
    Kept,
    RecorderBeat,
    RecorderBegin,
    RecorderFailed,
    RecorderPulse,
    recorder_pair,
)
from edge.supervision.announcer import Repeats
from edge.supervision.beside.attended import Attended
from edge.supervision.beside.kinds import Kind
from edge.supervision.beside.starting import StartHelper, start_recorder
from edge.supervision.recording.checking import fault_of
from edge.supervision.recording.pending import Pending, room_for_files
from edge.supervision.recording.sightings import Sightings
from edge.supervision.status import EventStatus, LastEvent, Status
from edge.supervision.watchdog.duties import FOREVER_S, Duty

_log = logging.getLogger(__name__)

# An fsync may take a minute on a worn card, and the check of a store of gigabytes several minutes.
# Neither holds its beat up, so without one it hangs: 20 s, and at most 5 s since the last one, are under 30 s.
_KIND = Kind(
    "recorder", recorder_pair, RecorderFailed, starting_s=600.0, silence_s=120.0, beat=RecorderBeat, hung_s=20.0
)
# Beyond the time within which events must be on the disk, with no fault reported: then people must know, and at last
# another recorder must try.
_LATE_S = 5.0
_OVERDUE_S = 300.0
# Sending may take this much of the supervisor's time in one go: the recorder may have to get 20,000 events anew.
_SEND_S = 0.005
# If events wait, only this process holds them: they must not be in its memory alone for half a minute.
_BACK_S = 5.0
# At the end: for the recorder to write what is there; if nothing is, only to end.
FINISH_S = 20.0
_REST_S = 2.0
# A recorder that is well has written by then. Who waits longer at a terminal must know for what.
_SILENT_S = 2.0
# Pieces of the score log are for tuning and never acknowledged. Ten minutes of them, at 30 frames a second.
_MOST_SCORES = 1_000_000


class Recording:
    """What the supervisor has to do with events. Reports in `status.events`. Used by one thread."""

    def __init__(
        self, settings: Settings, device: str, status: Status, listener: Listener, start: StartHelper = start_recorder
    ) -> None:
        """device: its name. start: starts the process of a recorder."""
        self._settings = settings
        begin = RecorderBegin(settings, device, status.boot_id)
        source = without_secrets(settings.camera.source)
        self._sightings = Sightings(settings.device, source, device, status.boot_id)
        self._pending = Pending(room_for_files())
        self._process = Attended(_KIND, start, begin, listener, self._receive)
        self._late: str | None = None  # why events wait, though no fault was reported
        self._late_in_log = False
        self._listener, self._service = listener, status
        self._finishing = self._rests = False
        self._status = status.events = EventStatus()
        self._scores: deque[bytes] = deque()
        self._scores_size = 0
        self._pulse: RecorderPulse | None = None
        self._progress_s = time.monotonic()  # since then something should have been kept
        self._repeats = Repeats(time.monotonic())
        self._lost = 0

    @property
    def reason(self) -> str | None:
        """Why events wait in memory; None if they are written."""
        if self._status.fault is None:
            return None
        lost = f", {self._lost} lost" if self._lost else ""
        return f"events wait in memory: {self._status.fault} ({self._status.waiting} waiting{lost})"

    @property
    def pid(self) -> int | None:
        """The recorder's process; None if there is none."""
        return self._process.pid

    @property
    def at_rest(self) -> bool:
        """Whether `rest` was called and all is on the disk: nothing waits, and no process has the store open."""
        return self._rests and not self._pending.waiting and self._process.pid is None

    @property
    def duties(self) -> list[Duty]:
        """What must move: what the recorder sends, and what it keeps. A fault that it reports, such as a full disk, is
        for a person to mend, and nothing here can."""
        oldest = self._pending.oldest
        rests = oldest is None or oldest.sent_s is None or self._status.fault is not None
        kept_s = FOREVER_S if rests else self._settings.events.durable_within_s + _OVERDUE_S
        return [
            Duty("the recorder", self._process.moves, self._process.allowed_s),
            Duty("what waits for the recorder", (self._process.pid, self._progress_s), kept_s),
        ]

    # --- other settings, and rest ---

    def apply(self, settings: Settings, device: str) -> None:
        """Take other settings, which name a store, too. The recorder keeps what it has and ends, and another one
        begins with them. What is not acknowledged by then is sent to that one, so nothing is lost."""
        self._settings = settings
        self._sightings.describe(settings.device, without_secrets(settings.camera.source), device)
        self._process.renew(RecorderBegin(settings, device, self._service.boot_id))
        self._finishing = True

    def rest(self, *, rests: bool) -> None:
        """Have everything kept and the store closed, and keep it so; or go on. Call it again and again: what waits
        starts another recorder."""
        if rests and self._process.is_alive and not self._process.is_leaving:
            self._finishing = True
        self._rests = rests
        self._process.hold(held=rests and not self._pending.waiting)

    def _finish_if_due(self) -> None:
        """Order the recorder to end, once all that waits was sent to it."""
        if self._finishing and self._pending.next is None:
            if self._process.line is None:  # there is none at present: the next one begins with what is new
                self._finishing = False
            elif self._sends(Finish()):
                self._process.expect_end()
                self._finishing = False

    # --- from the worker ---

    def heard(self, message: Sighted | Sampled | Scored, files: list[int], worker: Started) -> None:
        """Take a message of the worker, and the files out of the list."""
        now = time.monotonic()
        if not isinstance(message, Scored) and (fault := fault_of(message, now)) is not None:
            # The files stay in the list, so that the caller closes them.
            self._refuse(message, fault, now)
            return
        taken, files[:] = files[:], []
        if isinstance(message, Sampled):
            self._pending.keep_sample(message.sample, worker.engine, worker.bundle, taken)
        elif isinstance(message, Scored):
            self._keep_scores(message.piece)
        else:
            temperature_c = self._service.load.temperature_c
            *ended, event = self._sightings.events(message.sighting, worker, temperature_c, now)
            for other in ended:
                self._keep(other)
            self._keep(event, message.pictures, taken)
        self._send()

    def _refuse(self, message: Sighted | Sampled, fault: str, now: float) -> None:
        """Drop what cannot be right. What it would have ended ends as it was last heard of."""
        what = "sighting" if isinstance(message, Sighted) else "sample"
        if (more := self._repeats.words(f"{what}: {fault}", now)) is not None:
            _log.error("a %s from the worker is dropped: %s%s", what, fault, more)
        if isinstance(message, Sighted) and message.sighting.ended:
            for event in self._sightings.end(message.sighting.number):
                self._keep(event)
            self._send()

    def worker_ended(self) -> None:
        """End what a worker has left open."""
        for event in self._sightings.worker_ended():
            self._keep(event)
        self._send()

    def _keep(self, event: Event, pictures: Sequence[PictureInfo] = (), files: Sequence[int] = ()) -> None:
        self._pending.keep_event(event, pictures, files)
        self._status.heard += event.ended
        begin_wall_s = time.time() - (time.monotonic() - event.begin_mono_s)
        self._status.last = LastEvent(label=event.label, peak=event.peak, begin_wall_s=begin_wall_s, ended=event.ended)

    def _keep_scores(self, piece: bytes) -> None:
        self._scores.append(piece)
        self._scores_size += len(piece)
        while self._scores_size > _MOST_SCORES:
            self._scores_size -= len(self._scores.popleft())

    # --- to the recorder and from it ---

    def tick(self, now: float) -> None:
        """Do the regular work; call it about once a second or more often."""
        if self._pending.waiting:
            self._process.be_back_within(_BACK_S)
        if self._process.tick(now):
            self._pending.recorder_begins()
            self._pulse, self._progress_s = None, now
        self._mind_progress(now)
        self._send()
        self._finish_if_due()
        self._report()

    @property
    def _within_s(self) -> float:
        """How long an event may wait for the disk: of the settings in use, which a reload may change."""
        return self._settings.events.durable_within_s

    def _mind_progress(self, now: float) -> None:
        """Report that nothing is kept, though no fault is reported; replace a recorder that goes on like that."""
        oldest, waits_s = self._pending.oldest, 0.0
        if oldest is not None and oldest.sent_s is not None and self._reported is None:
            waits_s = now - max(oldest.sent_s, self._progress_s)
        self._note_late(now, is_late=waits_s > self._within_s + _LATE_S)
        if waits_s > self._within_s + _OVERDUE_S:
            self._process.replace(f"the recorder kept nothing for {waits_s:.0f} s")

    def _note_late(self, now: float, *, is_late: bool) -> None:
        if is_late == (self._late is not None):
            return
        if not is_late:
            self._late = None
            # Another fault has a line of its own.
            _log.log(
                logging.WARNING if self._late_in_log and self._reported is None else logging.DEBUG,
                "events are kept again",
            )
            return
        self._late = (
            f"the recorder wrote nothing for over {self._within_s + _LATE_S:g} s: its disk is slow or hangs: "
            "check or replace the card"
        )
        more = self._repeats.words(self._late, now)
        self._late_in_log = more is not None
        _log.log(logging.WARNING if self._late_in_log else logging.DEBUG, "%s%s", self._late, more or "")

    @property
    def _reported(self) -> str | None:
        """The fault that the recorder reports, or that it has itself; None if there is none."""
        return self._process.fault or (self._pulse.fault if self._pulse is not None else None)

    def excuse(self, away_s: float) -> None:
        """Extend all deadlines by `away_s`, during which this process was not running."""
        self._process.excuse(away_s)
        self._progress_s += away_s

    def _receive(self) -> None:
        for message in self._process.messages():
            if isinstance(message, Kept):
                kept = self._pending.kept(message.tickets)
                if any(item.is_final for item in kept):
                    self._progress_s = time.monotonic()
                    self._process.works()
            elif isinstance(message, RecorderPulse):
                if message.fault is not None:
                    self._progress_s = time.monotonic()
                self._pulse = message
        self._send()
        self._report()

    def _send(self) -> None:
        """Send what is due, as much as fits into the line now."""
        ends_s = time.monotonic() + _SEND_S
        while (item := self._pending.next) is not None and (now := time.monotonic()) < ends_s:
            sent = self._sends(item.message, item.files)
            if sent is None:
                return
            if sent:
                self._pending.sent(item, now)
            else:
                self._pending.give_up(item)
        while self._scores and time.monotonic() < ends_s and self._sends(KeepScores(self._scores[0])) is not None:
            self._scores_size -= len(self._scores.popleft())

    def _sends(self, message: Message, files: Sequence[int] = ()) -> bool | None:
        """Return True if it was sent, False if it never can be, None if it must be sent later."""
        if self._process.line is None:
            return None
        try:
            self._process.line.send(message, files, wait=False)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                _log.error("a message is too large for the recorder: it is lost")
                return False
            # The line is full (EAGAIN), or too many files are under way (ETOOMANYREFS). If the other end is closed,
            # `messages` finds that.
            return None
        return True

    def _report(self) -> None:
        status, pulse, pending = self._status, self._pulse, self._pending
        status.waiting = pending.waiting
        status.fault = self._reported or self._late
        status.lost_events, status.lost_pictures = pending.lost_events, pending.lost_pictures
        if pulse is not None:
            status.notice, status.stored = pulse.notice, pulse.events
            status.pictures_mb, status.harvest_mb = pulse.pictures_mb, pulse.harvest_mb
            status.dropped_pictures, status.written_bytes = pulse.dropped_pictures, pulse.written_bytes
            # With a schedule, the supervisor reads the clock itself and acts on that: the two may differ for a moment.
            if not self._settings.schedule.awake:
                self._service.clock = pulse.clock
        lost = pending.lost_events + pending.lost_pictures
        if lost > self._lost:
            self._lost = lost
            why = (
                f"too much waits for the recorder: {counted(pending.lost_events, 'event')} and "
                f"{counted(pending.lost_pictures, 'picture')} were given up so far"
            )
            if (more := self._repeats.words(why, time.monotonic())) is not None:
                _log.error("%s%s", why, more)

    # --- the end ---

    def finish(self) -> str | None:
        """End open events, give the recorder some seconds to write, and close the line. Return what was not kept, and
        why; None if all was. Logs, once, what it waits for."""
        self.worker_ended()
        if self._pending.waiting and not self._process.is_alive:
            self._process.hurry()
        self._await_end()
        self._report()
        unkept = self._unkept()
        # It is not killed: what it has received it can still write, and then it ends.
        self._process.close(0.0 if self._process.is_alive else _REST_S, kill=False)
        self._pending.close()
        return unkept

    def _await_end(self) -> None:
        """Wait until the recorder has what it must write, and has ended, but not for ever."""
        began_s, finishing, silent = time.monotonic(), False, True
        patience_s = FINISH_S if self._pending.waiting else _REST_S
        while (waited_s := time.monotonic() - began_s) < patience_s and (
            self._process.is_alive or (self._pending.waiting and not finishing)
        ):
            if not finishing:
                self.tick(time.monotonic())
                finishing = self._pending.next is None and bool(self._sends(Finish()))
            if silent and waited_s >= _SILENT_S and self._pending.waiting:
                silent = False
                what = _in_words(*self._pending.unkept)
                _log.warning("waiting for %s to be written, at most %g s", what, patience_s)
            for callback in self._listener.wait(0.05):
                callback()

    def _unkept(self) -> str | None:
        events, pictures = self._pending.unkept
        if not (events or pictures):
            return None
        why = self._status.fault or ("too much waited" if self._lost else "the recorder did not report it as written")
        return f"not kept: {_in_words(events, pictures)}: {why}"


def _in_words(events: int, pictures: int) -> str:
    """Return '2 events', '1 picture', or '2 events and 1 picture'."""
    named = ((events, "event"), (pictures, "picture"))
    return " and ".join(counted(number, noun) for number, noun in named if number)
