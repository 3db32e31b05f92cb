"""`fieldfare run` by hand with outputs: what a short replay shows reaches them before the program ends."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from scripted import wait_until

from edge.bundle.store import Bundle
from edge.store.reading import StoreReader

pytestmark = pytest.mark.process

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(sealed: Bundle, tmp_path: Path) -> Iterator[Start]:
    """Start `fieldfare run` on a replay of nine pictures, each of which shows something."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(9):
        image = np.full((240, 320, 3), 30, np.uint8)
        cv2.rectangle(image, (40 + number, 80), (120 + number, 160), (0, 0, 250), -1)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    started: list[subprocess.Popen[str]] = []

    def start(outputs: str) -> subprocess.Popen[str]:
        config = tmp_path / "fieldfare.toml"
        config.write_text(
            f'bundle = "{sealed.path}"\n[camera]\nsource = "{folder}"\nfps = 30\n[decision]\nthreshold = 0.0\n'
            f'[events]\nstore = "{tmp_path}/events.db"\nmin_duration_s = 0\nsmoothing_s = 0\n{outputs}'
        )
        command = [sys.executable, "-m", "edge", "run", "--config", str(config), "--quiet"]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def stored(folder: Path) -> list[int]:
    """The numbers of the events in the store."""
    with StoreReader(folder / "events.db") as reader:
        return [event.number for event in reader.after(0, 100)]


def test_the_last_events_reach_every_output_before_the_end(begin: Start, tmp_path: Path) -> None:
    # Not Python: on a busy machine it takes a second to start, and only five are allowed at the end.
    hook = ["sh", "-c", 'cat >> "$0"', str(tmp_path / "hook")]
    lines = tmp_path / "events.jsonl"
    run = begin(f'[event_lines]\nfile = "{lines}"\n[hook]\ncommand = {json.dumps(hook)}\n')
    _, errors = run.communicate(timeout=60)
    assert (run.returncode, "not kept" in errors) == (0, False), errors
    sent = [json.loads(line)["number"] for line in lines.read_text().splitlines()]
    assert sent == stored(tmp_path) != []
    assert (tmp_path / "hook").read_text().count('"number"') == len(sent)


def test_what_was_not_sent_at_the_end_is_counted_and_follows_at_the_next_start(begin: Start, tmp_path: Path) -> None:
    fails = ["sh", "-c", "sleep 60"]
    run = begin(f"[hook]\ncommand = {json.dumps(fails)}\ntimeout_s = 60\n")
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 0, errors
    assert "hook: 1 event was not sent: the next start goes on with that" in errors
    works = ["sh", "-c", 'cat >> "$0"', str(tmp_path / "hook")]
    begin(f"[hook]\ncommand = {json.dumps(works)}\n").communicate(timeout=60)
    sent = [json.loads(line)["number"] for line in (tmp_path / "hook").read_text().splitlines()]
    assert sent == stored(tmp_path)
    assert len(sent) == 2


def test_what_cannot_be_sent_holds_up_the_end_for_seconds_only_and_ctrl_c_ends_it_at_once(
    begin: Start, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    hook = [sys.executable, "-c", f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"]
    run = begin(f"[hook]\ncommand = {json.dumps(hook)}\ntimeout_s = 60\n")
    assert run.stderr is not None
    assert any("to send what waits" in line for line in run.stderr), "before they are waited for"
    assert wait_until(pid.exists)
    run.send_signal(signal.SIGINT)
    time.sleep(0.1)  # two signals at once are one
    asked_s = time.monotonic()
    run.send_signal(signal.SIGINT)
    run.wait(20)
    assert time.monotonic() - asked_s < 2.0
    assert wait_until(lambda: not Path(f"/proc/{pid.read_text()}/exe").exists()), "it does not outlive them"
