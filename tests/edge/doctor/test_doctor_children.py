"""What is dangerous runs in a child: an abort, a crash and a hang are told apart, and none of them spreads."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from edge.bundle.store import Bundle
from edge.config.locating import Locate
from edge.doctor.children import Outcome, probe, try_command
from edge.processes.process import Command


def child(code: str, timeout_s: float = 10.0) -> Outcome:
    return try_command(Command([sys.executable, "-c", code]), timeout_s)


def test_an_answer_is_json_on_standard_output() -> None:
    assert child("print('{\"cameras\": [1, 2]}')") == Outcome("answered", {"cameras": [1, 2]})


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.abort()", "died of SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "died of SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "an illegal instruction"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "out of memory?"),
    ],
)
def test_a_crash_is_named(code: str, why: str) -> None:
    outcome = child(code)
    assert outcome.ending == "crashed"
    assert why in outcome.why


def test_the_last_words_before_a_crash_are_kept() -> None:
    outcome = child("import os, sys; sys.stderr.write('usb transfer failed\\n'); sys.stderr.flush(); os.abort()")
    assert outcome.why == "died of SIGABRT: usb transfer failed"


def test_a_traceback_becomes_its_last_line() -> None:
    outcome = child("raise ImportError('numpy.dtype size changed')")
    assert outcome == Outcome("refused", None, "ImportError: numpy.dtype size changed")


def test_a_hang_ends_in_time_with_everything_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid_file = tmp_path / "grandchild"
    code = f"""
import pathlib, signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path({str(pid_file)!r}).write_text(str(subprocess.Popen(["sleep", "60"]).pid))
time.sleep(60)
"""
    started = time.monotonic()
    monkeypatch.setattr("edge.processes.run._REAP_S", 30.0)
    outcome = child(code, timeout_s=2.5)
    assert time.monotonic() - started < 40
    assert (outcome.ending, outcome.why) == ("hung", "no answer within 2.5 s")
    assert not alive(int(pid_file.read_text()))


def alive(pid: int) -> bool:
    """Does it still run? (A zombie that nobody has reaped does not.)"""
    for _ in range(1500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    return True


def test_a_grandchild_that_keeps_the_streams_open_does_not_hold_us_up() -> None:
    started = time.monotonic()
    outcome = child("import subprocess; subprocess.Popen(['sleep', '60']); print('1')")
    assert outcome.answer == 1
    assert time.monotonic() - started < 30


def test_what_a_library_prints_does_not_spoil_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chatty.py").write_text("import os\nprint('hello from python')\nos.system('echo hello from C')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = probe("libraries", [["chatty", "not_installed_anywhere"]], 10.0)
    assert outcome.ending == "answered"
    assert outcome.answer["chatty"]["error"] is None
    assert "No module named" in outcome.answer["not_installed_anywhere"]["error"]


def test_our_own_errors_come_back_as_their_message() -> None:
    outcome = probe("bundle", ["/nowhere/birds", {}], 10.0)
    assert outcome.ending == "refused"
    assert "no bundle there" in outcome.why


def test_labels_that_a_bundle_lacks_are_part_of_the_answer(sealed: Bundle) -> None:
    label = sealed.labels[0]
    right = probe("bundle", [str(sealed.path), {"hook.labels": [label]}], 30.0)
    assert right.answer["labels_error"] is None
    wrong = probe("bundle", [str(sealed.path), {"hook.labels": [label, "zzz"]}], 30.0)
    assert wrong.answer["labels_error"].startswith("hook.labels: 'zzz': the bundle has no such label")


def test_a_bundle_of_an_imported_model_casts_no_doubt_on_locating(sealed: Bundle) -> None:
    found = probe("bundle", [str(sealed.path), {}, Locate(method="motion")], 30.0)
    assert found.answer["cut_doubt"] is None


def test_no_argument_is_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream's address may hold a password, and every user can list processes."""
    (tmp_path / "nosy.py").write_text("__version__ = ascii(open('/proc/self/cmdline').read())\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = probe("libraries", [["nosy"]], 10.0)
    assert "edge.doctor.probe" in outcome.answer["nosy"]["version"]
    assert "nosy" not in outcome.answer["nosy"]["version"]
