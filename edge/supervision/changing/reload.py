"""Judge the settings anew when that is ordered, beside the worker, which goes on meanwhile."""

import logging
import os
import time
from dataclasses import dataclass

import msgspec

from edge.config.request import Judged, SettingsRequest
from edge.config.settings import Settings
from edge.decoding import DecodingError, decode_json
from edge.processes.side_jobs import SideJobs
from edge.supervision.changing.changes import needs_restart
from edge.supervision.status import Reloaded

_log = logging.getLogger(__name__)

_JOB = "judging the settings"
_MODULE = "edge.worker.settings_trial"
# To load NumPy from a slow card and to read a bundle of 64 MB from a slow stick.
_LIMIT_S = 60.0
# Settings of 64 KB as JSON, or 20 faults of 8 KB.
_MOST_ANSWERED = 1 << 20


@dataclass(frozen=True, slots=True)
class Sound:
    """Settings that may be applied. bundle: the id of their bundle."""

    settings: Settings
    bundle: str


class Reload:
    """One trial of the settings at a time. Used by one thread; `order` may be called from a signal handler."""

    def __init__(self, request: SettingsRequest | None, jobs: SideJobs) -> None:
        """request: what to read; None if nothing can be read again, as without a settings file."""
        self._request, self._jobs = request, jobs
        self._ordered = False
        self._memory: int | None = None

    def order(self) -> None:
        """Read the settings again soon. An order that comes during a trial is followed by another trial."""
        self._ordered = True

    def begins(self) -> bool:
        """Start a trial if one was ordered; True if that was done, False if there is nothing to do."""
        if not self._ordered or self._memory is not None:
            return False
        self._ordered = False
        if self._request is None:
            _log.warning("there is no settings file to read again")
            return False
        try:
            self._memory = os.memfd_create("fieldfare-settings")
            os.write(self._memory, msgspec.json.encode(self._request))
            os.lseek(self._memory, 0, os.SEEK_SET)
            words = [str(self._memory), str(os.getpid())]
            if self._jobs.start(_JOB, _MODULE, words, _LIMIT_S, pass_fds=[self._memory]):
                return True
        except (OSError, UnicodeEncodeError) as error:
            _log.warning("the settings cannot be judged: %s", error)
        self._close()
        return False

    def outcome(self, job: str, status: int | None) -> Sound | Reloaded | None:
        """Take the end of a side job; return the settings if they are sound, why they are refused if not, None if it
        was another job. status: as of SideJobs.finished."""
        if job != _JOB or self._memory is None:
            return None
        try:
            answer = self._answer(self._memory, status)
        finally:
            self._close()
        if answer.settings is not None and answer.bundle is not None:
            return Sound(answer.settings, answer.bundle)
        return refused(answer.faults)

    def _answer(self, memory: int, status: int | None) -> Judged:
        if status is None:
            return Judged(faults=(f"a file that they name could not be read within {_LIMIT_S:g} s",))
        size = os.fstat(memory).st_size
        try:
            if status == 0 and size <= _MOST_ANSWERED:
                return decode_json(os.pread(memory, size, 0), Judged)
        except DecodingError as error:
            _log.debug("judging the settings: no answer: %s", error)
        return Judged(faults=("they could not be judged: the journal has the reason",))

    def _close(self) -> None:
        if self._memory is not None:
            os.close(self._memory)
            self._memory = None

    def close(self) -> None:
        """Forget the trial; the caller ends its process."""
        self._close()


def applied(words: str) -> Reloaded:
    """Return the outcome of settings that are in use now. words: what has changed."""
    return Reloaded(at_wall_s=time.time(), at_mono_s=time.monotonic(), applied=True, words=words)


def refusal(old: Settings, new: Settings) -> Reloaded | None:
    """Return the outcome of sound settings that only a restart can apply; None if they can be applied now."""
    lines = tuple(needs_restart(old, new))
    return refused(("only a restart can apply them: sudo systemctl restart fieldfare", *lines)) if lines else None


def refused(faults: tuple[str, ...]) -> Reloaded:
    """Return the outcome of settings that are refused. faults: a line each, at least one."""
    words, *more = faults
    return Reloaded(at_wall_s=time.time(), at_mono_s=time.monotonic(), applied=False, words=words, faults=tuple(more))
