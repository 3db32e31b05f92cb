"""Watch the power supply: `python -m edge.power.main FD PARENT`. It ends when the supervisor closes the line."""

import logging
import os
import select
import sys
import time
from contextlib import suppress
from typing import NoReturn

from edge.errors import FieldfareError
from edge.power.messages import PowerBegin, PowerChannel, PowerFailed, PowerPulse
from edge.power.signals import Judge, open_signal
from edge.processes.child import die_with, join_parent

_BEGIN_S = 60.0
# A supply gives seconds at least, and nobody notices half of one.
_LOOK_S = 0.25
_PULSE_S = 2.0


def main() -> NoReturn:
    """Entry point."""
    die_with(int(sys.argv[2]))
    channel = PowerChannel(join_parent())
    try:
        with suppress(EOFError, ConnectionError):  # the supervisor is gone, or closed the line
            _watch(channel)
    except FieldfareError as error:
        with suppress(OSError):
            channel.send(PowerFailed(str(error).encode(errors="replace").decode(), error.exit_status))
    logging.shutdown()
    os._exit(0)  # a library for pins may have threads


def _watch(channel: PowerChannel) -> None:
    select.select([channel], [], [], _BEGIN_S)
    begin = channel.receive()
    if not isinstance(begin, PowerBegin):
        return
    source, judge, pulsed_s = open_signal(begin.power), Judge(begin.power.lasts_s), float("-inf")
    while True:
        before, now_s = judge.failing, time.monotonic()
        if judge.look(now_s, on=source.is_on()) != before or now_s - pulsed_s >= _PULSE_S:
            pulsed_s = now_s
            channel.send(PowerPulse(judge.failing))
        if select.select([channel], [], [], _LOOK_S)[0]:
            channel.receive()  # raises EOFError once the line is closed


if __name__ == "__main__":
    main()
