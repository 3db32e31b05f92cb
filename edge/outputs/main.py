"""Run the outputs as a child of the supervisor: `python -m edge.outputs.main FD PARENT`.

They end when the supervisor closes the line, once they have sent what the recorder wrote last, or with the supervisor.
As a service of their own they are `fieldfare outputs`.
"""

import logging
import os
import select
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from edge.errors import FieldfareError, UnavailableError
from edge.outputs.service import Outputs, Places
from edge.processes.child import die_with, join_parent
from edge.processes.outputs_messages import OutputsBegin, OutputsChannel, OutputsFailed, OutputsPulse, OutputState

# Between two looks at the store. An event is on the disk within 15 s, so a second more does not matter.
LOOK_S = 1.0
_PULSE_S = 2.0
_BEGIN_S = 60.0
# Before the end, for what the recorder has just written. What is not sent then is sent by the next one.
_DRAIN_S = 5.0


def main() -> NoReturn:
    """Entry point."""
    die_with(int(sys.argv[2]))
    channel = OutputsChannel(join_parent())
    try:
        _serve(channel)
    except FieldfareError as error:
        with suppress(OSError):  # the supervisor is gone, and nobody else listens
            channel.send(OutputsFailed(str(error).encode(errors="replace").decode(), error.exit_status))
    logging.shutdown()
    sys.stderr.flush()
    os._exit(0)  # a thread may hang in a name server's answer


def _serve(channel: OutputsChannel) -> None:
    begin = _receive_begin(channel)
    if begin is None:
        return
    run = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    folder = Path(run) if run else None
    outputs = Outputs(begin.settings, begin.device, Places(folder / "status.json" if folder else None, folder))
    last: tuple[OutputState, ...] = ()
    sent_s = float("-inf")

    def pulse() -> None:
        nonlocal last, sent_s
        states, now_s = outputs.states(), time.monotonic()
        changed = [state.fault for state in states] != [state.fault for state in last]
        if changed or now_s - sent_s >= _PULSE_S:
            last, sent_s = states, now_s
            channel.send(OutputsPulse(states), wait=False)

    follow(outputs, lambda: _is_closed(channel, LOOK_S), pulse, drain_s=_DRAIN_S)


def follow(outputs: Outputs, ends: Callable[[], bool], pulse: Callable[[], None], *, drain_s: float = 0.0) -> None:
    """Run the outputs until `ends`, which waits for about a second, returns True. pulse: called after each. drain_s:
    seconds at most to send what waits then."""
    outputs.start()
    try:
        with suppress(OSError):  # the supervisor has closed the line, or is gone
            while True:
                outputs.look()
                with suppress(BlockingIOError):  # the supervisor is busy
                    pulse()
                if ends():
                    break
        outputs.drain(drain_s)
    finally:
        outputs.close()
        outputs.report_left()


def _receive_begin(channel: OutputsChannel) -> OutputsBegin | None:
    """Return the first message, None if the line was closed before it."""
    select.select([channel], [], [], _BEGIN_S)
    try:
        message = channel.receive()
    except EOFError:
        return None
    if not isinstance(message, OutputsBegin):
        raise UnavailableError("the outputs are started by `fieldfare run`, or as `fieldfare outputs`")
    return message


def _is_closed(channel: OutputsChannel, seconds: float) -> bool:
    if not select.select([channel], [], [], seconds)[0]:
        return False
    try:
        channel.receive()
    except EOFError:
        return True
    return False


if __name__ == "__main__":
    main()
