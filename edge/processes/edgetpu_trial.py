"""Try the Edge TPU in a process of its own, edge.worker.edgetpu_trial_child, before anything else relies on it."""

import os
import time

import msgspec

from edge.config.settings import Settings
from edge.processes.child import Child
from edge.processes.process import describe_exit

MODULE = "edge.worker.edgetpu_trial_child"
# On top of engine.start_timeout_s: loading libraries.
LOADING_S = 5.0
PREFIX = "DEBUG Edge TPU: "
# The child's exit status if all is well. Not 0: a library may end the process that loads it with that.
WORKS = 3
_DIE_S = 1.0
_LISTEN_S = 0.1


def hand_over(settings: Settings) -> int:
    """Return a file descriptor to read `settings` from. The caller closes it."""
    data = msgspec.json.encode(settings)
    # Not a pipe: it holds 64 KiB, and settings can be larger.
    memory = os.memfd_create("fieldfare-settings")
    with os.fdopen(os.dup(memory), "wb") as stream:
        stream.write(data)
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def why_unusable(settings: Settings) -> str | None:
    """Try the Edge TPU, and return what is wrong with it; None if its answers are right.

    Waits for at most engine.start_timeout_s and some seconds.
    """
    try:
        memory = hand_over(settings)
    except UnicodeEncodeError as error:
        return f"{error.object!a}: not UTF-8: rename it"
    except OSError as error:
        return f"no process could be started to try the Edge TPU: {error.strerror or error}"
    try:
        child = Child(MODULE, [str(memory), str(os.getpid()), "0"], pass_fds=[memory])
    except OSError as error:
        return f"no process could be started to try the Edge TPU: {error.strerror or error}"
    finally:
        os.close(memory)
    try:
        limit_s = settings.engine.start_timeout_s + LOADING_S
        while not child.wait(_LISTEN_S):  # a full pipe would stop a library that prints a lot
            child.relay()
            if time.monotonic() - child.started_s > limit_s:
                return f"opening the Edge TPU took more than {limit_s:g} s"
        child.relay()
        status = child.exit_status()
        reasons = [line.removeprefix(PREFIX) for line in child.tail if line.startswith(PREFIX)]
        if status == WORKS:
            return None
        return reasons[-1] if reasons else f"the process that opened the Edge TPU {describe_exit(status or 0)}"
    finally:
        child.end(_DIE_S)
