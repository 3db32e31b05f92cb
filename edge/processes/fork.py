"""Run what may crash or hang in a fork of a command, which reports how that ended and is never taken along.

A fork shares what is loaded and inherits terminal and files, so it costs 2 ms. It is for commands that have started no
thread and loaded no library yet; all others start programs of their own (edge.processes.process).
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.portable.system import SIGKILL, can_fork, is_linux, module_or_none


def run_forked(work: Callable[[], int]) -> int:
    """Run `work` in a fork, and return the status that it returned there, or minus the signal that ended it.

    The fork ends with this process, however that ends. Ctrl-C ends it at once, and raises KeyboardInterrupt here.
    Without forks (Windows) the work is done here, and what crashes takes this process along.
    """
    if not can_fork():
        return work()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    # Held back until the fork ignores it: a Ctrl-C in a terminal reaches both, and one of them must report it.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    pid = os.fork()
    if pid == 0:
        _work_in_fork(parent, work)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except KeyboardInterrupt:
        os.kill(pid, SIGKILL)
        os.waitpid(pid, 0)
        raise


def _work_in_fork(parent: int, work: Callable[[], int]) -> None:
    """Never returns: what called us runs in the parent."""
    status = 1
    try:
        from edge.processes.child import die_with, leave_no_core

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGALRM))
        die_with(parent)
        leave_no_core()
        status = work()
    except BaseException:  # noqa: BLE001 - as the interpreter does with what nothing else caught
        sys.excepthook(*sys.exc_info())
    finally:
        # Not through native destructors and threads that hang.
        os._exit(status)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """End this process by SIGALRM if the block takes longer. For the fork: native code that hangs takes no exception,
    and may keep every other thread from running."""
    end_after(seconds)
    try:
        yield
    finally:
        end_after(0)


def end_after(seconds: float) -> None:
    """Start the time limit again; 0 for none. Windows has no such limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def memory_limit(more: int) -> Iterator[None]:
    """Let the block take at most `more` bytes of address space beside what this process has, on Linux."""
    # Not a fixed size: on a board with many cores the libraries themselves reserve gigabytes, which they never use.
    # Windows has no such limit, and macOS does not hold it.
    resource = module_or_none("resource")
    if resource is None or not is_linux():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = min(pages * resource.getpagesize() + more, sys.maxsize)  # a 32-bit system takes no larger number
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
