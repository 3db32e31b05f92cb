"""Run a program for each event, with the event as JSON on its standard input. Never through a shell."""

import logging
import shutil
import threading

from edge.config.sending import Hook
from edge.outputs.base import DeliveryError
from edge.outputs.event_record import to_json
from edge.outputs.feed import Gap
from edge.printable import were
from edge.processes.process import Command, describe_exit, last_line
from edge.processes.run import run
from edge.store.records import StoredEvent

_log = logging.getLogger(__name__)

# A program that prints more is killed.
_MAX_OUTPUT = 1 << 16
# Before a failed program is run again for the same event; the last value stays.
_AGAIN_S = (1.0, 5.0, 30.0)


class HookTaker:
    """A program for events. One that hangs, fails or floods is killed with all that it started, and the next event
    gets a new one. The first failure is logged as a warning, and the next success."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._command = Command(hook.command)
        self._failed: str | None = None

    def take(self, what: StoredEvent | Gap, stop: threading.Event) -> None:
        """See Taker.take. An event whose tries are used up is skipped; one whose program was ended with the service is
        not, and comes again."""
        if isinstance(what, Gap):
            _log.warning("hook: %s dropped before the program could be run", were(what.events, "event"))
            return
        if self._hook.labels and what.label not in self._hook.labels:
            return
        given = to_json(what) + b"\n"
        for number in range(self._hook.tries):
            why = self._run(given, stop)
            if why is None or stop.is_set():
                break
            if number + 1 < self._hook.tries:
                stop.wait(_AGAIN_S[min(number, len(_AGAIN_S) - 1)])
        if why is not None and stop.is_set():
            raise DeliveryError(why)
        self._note(why, what.event.name)

    def _run(self, given: bytes, stop: threading.Event) -> str | None:
        """Run it once; return why it failed, None if it did not."""
        if shutil.which(self._command.words[0]) is None:
            return "cannot be started: no such program, or none that this user may run: name it with its whole path"
        try:
            done = run(
                self._command,
                self._hook.timeout_s,
                given=given,
                max_output=_MAX_OUTPUT,
                max_errors=_MAX_OUTPUT,
                cancelled=stop,
                tied=True,
            )
        except OSError as error:
            return f"cannot be started: {error.strerror or error}"
        if done.killed_for == "time":
            return f"did not end within {self._hook.timeout_s:g} s"
        if done.killed_for == "output":
            return f"printed more than {_MAX_OUTPUT} bytes"
        if done.killed_for == "cancelled":
            return "was ended with the service"
        if done.status:
            return describe_exit(done.status, done.errors or done.output)
        if done.output.strip():
            _log.debug("hook: %s", last_line(done.output))
        return None

    def _note(self, why: str | None, event: str) -> None:
        if why is None:
            if self._failed is not None:
                _log.info("hook %s: works again", self._hook.command[0])
        else:
            # The reason may quote what the program printed, which differs each time.
            level = logging.WARNING if self._failed is None else logging.DEBUG
            _log.log(level, "hook %s: %s; event %s is skipped", self._hook.command[0], why, event)
        self._failed = why

    def next_s(self) -> None:
        """See Taker.next_s."""

    def tick(self) -> None:
        """See Taker.tick."""

    def close(self) -> None:
        """See Taker.close."""
