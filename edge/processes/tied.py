"""Become a program that does not outlive who started it: `python -I -S tied.py FD PROGRAM WORDS...`.

Run as a file, so that nothing but the interpreter is loaded: 10 ms. FD is the reading end of a pipe into which nobody
writes. Its end is that of the process that holds the other end, however that ended; then the whole session is killed.
PR_SET_PDEATHSIG would reach the program, but not what that has started.
"""

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Entry point. Must lead a session of its own."""
    pipe, program = int(sys.argv[1]), sys.argv[2:]
    if os.fork() == 0:
        _watch(pipe)
    os.close(pipe)
    # As Python does for what it starts: it ignores these itself.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        os.write(2, f"cannot be started: {error.strerror}\n".encode())
    os._exit(127)


def _watch(pipe: int) -> NoReturn:
    """Kill the session's group at the end of the pipe; this process is part of it, and ends with it in any case."""
    # The pipes of the program are at their end when that has closed them.
    for number in (0, 1, 2):
        os.close(number)
    while os.read(pipe, 1):
        pass
    os.killpg(0, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
