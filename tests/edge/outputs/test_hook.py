"""A program for each event: whatever it does, the next event gets a fresh one."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_store import FakeStore, stored
from waiting import wait_until

from edge.config.sending import Hook
from edge.outputs.base import DeliveryError
from edge.outputs.cursor import Cursor
from edge.outputs.feed import Feed, Gap
from edge.outputs.hook import HookTaker
from edge.outputs.pulled import PulledOutput

NEVER = threading.Event()


def hook(code: str, *, timeout_s: float = 10.0, tries: int = 1, labels: tuple[str, ...] = ()) -> HookTaker:
    command = (sys.executable, "-c", f"import sys, time, os, subprocess\n{code}")
    return HookTaker(Hook(command=command, timeout_s=timeout_s, tries=tries, labels=labels))


def test_it_gets_the_event_as_json_and_no_shell_sees_it(tmp_path: Path) -> None:
    out = tmp_path / "got"
    hook(f"open({str(out)!r}, 'ab').write(sys.stdin.buffer.read())").take(stored(1, "$(touch /tmp/x); `id`"), NEVER)
    assert json.loads(out.read_text())["label"] == "$(touch /tmp/x); `id`"


def test_only_for_its_labels_and_not_for_gaps(tmp_path: Path) -> None:
    out = tmp_path / "got"
    taker = hook(f"open({str(out)!r}, 'a').write('x')", labels=("fox",))
    for what in (stored(1, "hare"), stored(2, "fox"), Gap(3, 4, 2), stored(5, "cat")):
        taker.take(what, NEVER)
    assert out.read_text() == "x"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit(3)", "ended with status 3"),
        ("sys.stderr.write('no\\x1b[2J network\\n'); sys.exit(1)", "ended with status 1: no"),
        ("os.abort()", "died of SIGABRT"),
        ("while True: sys.stdout.write('x' * 65536)", "printed more than 65536 bytes"),
        ("time.sleep(60)", "did not end within 0.5 s"),
        ("os.close(0); sys.exit(0)", None),
        ("print('done')", None),
    ],
)
def test_one_line_for_what_went_wrong(code: str, words: str | None, caplog: pytest.LogCaptureFixture) -> None:
    began_s = time.monotonic()
    hook(code, timeout_s=0.5 if "sleep" in code else 20).take(stored(1, "x" * 300_000), NEVER)
    assert time.monotonic() - began_s < 15
    assert [record.levelname for record in caplog.records] == (["WARNING"] if words else [])
    assert words is None or words in caplog.text


def test_a_program_that_is_not_there(caplog: pytest.LogCaptureFixture) -> None:
    HookTaker(Hook(command=("/nowhere/notify",))).take(stored(1), NEVER)
    assert "hook /nowhere/notify: cannot be started: no such program" in caplog.text


def test_one_that_fails_for_ever_is_reported_once_and_its_recovery_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    taker = hook(f"sys.exit(0 if os.path.exists({str(tmp_path / 'well')!r}) else 1)")
    for number in range(1, 4):
        taker.take(stored(number), NEVER)
    (tmp_path / "well").touch()
    taker.take(stored(4), NEVER)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_failing_one_is_run_again_as_often_as_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.outputs.hook._AGAIN_S", (0.0,))
    out = tmp_path / "got"
    hook(f"open({str(out)!r}, 'a').write('x'); sys.exit(1)", tries=3).take(stored(1), NEVER)
    assert out.read_text() == "xxx"


def test_what_it_left_behind_is_killed(tmp_path: Path) -> None:
    out = tmp_path / "pid"
    leave = f"child = subprocess.Popen(['sleep', '60']); open({str(out)!r}, 'w').write(str(child.pid)); time.sleep(60)"
    hook(leave, timeout_s=1.0).take(stored(1), NEVER)
    pid = int(out.read_text())

    def is_gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    wait_until(is_gone)


@pytest.mark.process
def test_it_does_not_outlive_outputs_that_were_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import os, subprocess, time; child = subprocess.Popen(['sleep', '60']); "
        f"open({str(tmp_path / 'new')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); "
        f"os.rename({str(tmp_path / 'new')!r}, {str(pids)!r}); time.sleep(60)"
    )
    outputs = (
        "import sys, threading; sys.path.insert(0, sys.argv[1]); from fake_store import stored; "
        "from edge.config.sending import Hook; from edge.outputs.hook import HookTaker; "
        "HookTaker(Hook(command=(sys.executable, '-c', sys.argv[2]), timeout_s=60)).take(stored(1), threading.Event())"
    )
    folder = Path(__file__).parent
    killed = subprocess.Popen([sys.executable, "-c", outputs, str(folder), program], cwd=folder.parents[2])
    wait_until(pids.exists)
    killed.kill()
    killed.wait()
    for pid in pids.read_text().split():
        wait_until(lambda pid=pid: not Path(f"/proc/{pid}/exe").exists())  # type: ignore[misc]


def test_the_end_of_the_service_ends_it() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began_s = time.monotonic()
    with pytest.raises(DeliveryError, match="was ended with the service"):
        hook("time.sleep(60)", timeout_s=60).take(stored(1), stop)
    assert time.monotonic() - began_s < 10


def test_an_event_whose_program_was_ended_with_the_service_comes_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FakeStore(tmp_path / "events.db")
    store.create()
    store.add("fox", "hare")
    out = tmp_path / "got"
    write = f"import json; open({str(out)!r}, 'a').write(json.load(sys.stdin)['label'] + ' ')"
    for code, wanted in ((f"{write}; time.sleep(60)", "fox "), (write, "fox fox hare ")):
        stop = threading.Event()
        feed = Feed(store.path, "hook", Cursor(tmp_path / "hook.json", None), open_store=store.open)
        output = PulledOutput("hook", feed, hook(code, timeout_s=60))
        thread = threading.Thread(target=output.run, args=(stop,))
        thread.start()
        wait_until(lambda wanted=wanted: out.exists() and out.read_text() == wanted)  # type: ignore[misc]
        stop.set()
        output.wake()
        thread.join(10)
    assert caplog.records == []
