"""What runs in a fork of a command can crash, hang and be interrupted, and the command reports it."""

import os
import signal
import subprocess
import sys
import time

import pytest

START = "import os, signal, sys, time\nfrom edge.processes.fork import *\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a Python of its own: a fork of pytest would have its threads and its open files."""
    words = [sys.executable, "-c", START + code]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("work", "status"),
    [
        ("lambda: 0", 0),
        ("lambda: 65", 65),
        ("lambda: os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("lambda: os.abort()", -signal.SIGABRT),
        ("lambda: 1 / 0", 1),
    ],
)
def test_how_it_ended_comes_back(work: str, status: int) -> None:
    done = run(f"print(run_forked({work}))")
    assert done.stdout == f"{status}\n"
    assert ("ZeroDivisionError" in done.stderr) == (work == "lambda: 1 / 0")


def test_what_was_printed_before_and_inside_comes_once_and_in_order() -> None:
    done = run("print('before')\nrun_forked(lambda: print('inside', flush=True) or 0)\nprint('after')")
    assert done.stdout == "before\ninside\nafter\n"


def test_a_hang_in_native_code_is_ended() -> None:
    hang = "__import__('ctypes').PyDLL(None).pause()"  # holds the interpreter lock
    done = run(f"def work():\n    with time_limit(0.3): {hang}\nprint(run_forked(work))")
    assert done.stdout == f"{-signal.SIGALRM}\n"


def test_an_inherited_disregard_of_alarms_does_not_keep_it_alive() -> None:
    code = "signal.signal(signal.SIGALRM, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
    done = run(code + "def work():\n    with time_limit(0.3): time.sleep(20)\nprint(run_forked(work))")
    assert done.stdout == f"{-signal.SIGALRM}\n"


def test_a_time_limit_that_was_kept_is_forgotten() -> None:
    done = run(
        "def work():\n    with time_limit(0.2): pass\n    time.sleep(0.5)\n    return 7\nprint(run_forked(work))"
    )
    assert done.stdout == "7\n"


def test_memory_beyond_the_limit_is_refused_within_the_block_only() -> None:
    code = (
        "with memory_limit(64 << 20):\n"
        "    bytearray(32 << 20)\n"
        "    try: bytearray(128 << 20)\n"
        "    except MemoryError: print('refused')\n"
        "print(len(bytearray(128 << 20)))"
    )
    assert run(code).stdout == f"refused\n{128 << 20}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_command(number: signal.Signals) -> None:
    # Whoever runs the tests in the background may have them ignore Ctrl-C.
    code = START + "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "run_forked(lambda: print(os.getpid(), flush=True) or time.sleep(60) or 0)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        inside = int(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(20) == -number
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        try:
            os.kill(inside, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the fork outlived its command")
