"""Run the recorder, the one process that writes the store: `python -m edge.recorder.main FD PARENT`.

It may block in an fsync for as long as a worn card takes; nobody waits for it. The supervisor starts it, holds what it
has not acknowledged, judges its work by its pulse and its life by its beat, and kills it if one of them stays away. If
the supervisor ends, the recorder keeps what it has and ends, too: the closed socket shows it, so PARENT is not looked
at.
"""

import logging
import os
import select
import signal
import threading
import time
import traceback
from contextlib import suppress
from typing import NoReturn

from edge.errors import FieldfareError
from edge.processes.child import join_parent
from edge.processes.recorder_messages import BEAT_S, RecorderBeat, RecorderBegin, RecorderChannel, RecorderFailed
from edge.recorder.recorder import FINISH_S, Recorder

_log = logging.getLogger(__name__)

# The supervisor sends it at once.
_BEGIN_S = 60.0
# Beyond the tries of `finish`: an fsync that hangs must not keep this process, and with it the writer's lock, for ever.
_ALARM_S = FINISH_S + 5.0


def main() -> NoReturn:
    """Entry point."""
    channel = RecorderChannel(join_parent())
    status = 0
    try:
        _run(channel)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is logged with its trace, and another one is started
        status = error.exit_status if isinstance(error, FieldfareError) else 1
        why = f"{type(error).__name__}: {error}".encode(errors="replace").decode()
        for line in traceback.format_exc().splitlines():
            _log.error("%s", line)
        with suppress(OSError):
            channel.send(RecorderFailed(why, status))
    logging.shutdown()
    # Not sys.exit: a library's destructor has nothing to do here that could matter.
    os._exit(status)


def _run(channel: RecorderChannel) -> None:
    select.select([channel], [], [], _BEGIN_S)
    try:
        begin = channel.receive()
    except EOFError:
        return
    if not isinstance(begin, RecorderBegin):
        raise TypeError("the recorder is started by `fieldfare run`, not by hand")
    threading.Thread(target=_beat, args=(channel,), name="beat", daemon=True).start()
    recorder = Recorder(channel, begin)
    recorder.serve()
    # The default action, which ends the process even inside SQLite, unless the kernel itself waits for the disk.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(round(_ALARM_S))
    recorder.finish()


def _beat(channel: RecorderChannel) -> None:
    with suppress(OSError):  # the supervisor is gone
        while True:
            channel.send(RecorderBeat())
            time.sleep(BEAT_S)


if __name__ == "__main__":
    main()
