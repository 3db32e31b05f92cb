"""The output of native libraries, kept off the terminal unless something fails. The tests run in processes of their
own, whose standard output and error are the real ones."""

import subprocess
import sys

START = """
import os, sys
from trainer.native_output import quiet

def chatter():
    sys.stdout.write("from Python\\n")
    os.write(1, b"native output\\n")
    os.write(2, b"native error\\n")
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", START + script], capture_output=True, text=True, check=False)


def test_what_goes_well_is_silent() -> None:
    done = run("sys.stdout.write('before, ')\nwith quiet():\n    chatter()\nsys.stdout.write('after')")
    assert (done.stdout, done.stderr, done.returncode) == ("before, after", "", 0)


def test_what_fails_shows_everything_on_standard_error() -> None:
    done = run("with quiet():\n    chatter()\n    raise SystemExit(7)")
    assert done.returncode == 7
    assert done.stdout == ""
    assert sorted(done.stderr.splitlines()) == ["from Python", "native error", "native output"]


def test_no_file_stays_open() -> None:
    count = "len(os.listdir('/proc/self/fd'))"
    done = run(f"before = {count}\nfor _ in range(5):\n    with quiet():\n        pass\nprint({count} - before)")
    assert done.stdout == "0\n"
