"""Hold back the Python handlers of signals for a moment, such as Ctrl-C while a process is being started."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STOPPING = (signal.SIGINT, signal.SIGTERM)
# An ignored signal stays ignored: a process that is started inherits that.
_INERT = (None, signal.SIG_IGN)


@contextmanager
def signals_held() -> Iterator[None]:
    """Run the block with SIGINT and SIGTERM held back: what arrived meanwhile is raised again at its end.

    Without it the exception of a handler may come between the start of a process and the first line that knows it, and
    nobody ends that process. Does nothing outside the main thread, where no handler runs. The signals are not blocked,
    as a process that is started would inherit that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    # A handler that Python did not set (None) can be neither held back nor put back.
    before = {number: handler for number in _STOPPING if (handler := signal.getsignal(number)) not in _INERT}
    for number in before:
        signal.signal(number, lambda received, _: arrived.append(received))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for received in arrived:
            signal.raise_signal(received)
