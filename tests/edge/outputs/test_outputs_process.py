"""The outputs as processes: the supervisor's child, and the command of the unit."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_store import stored
from waiting import wait_until
from written_lines import whole_lines

from edge.config.loading import load_settings
from edge.processes.child import Child
from edge.processes.outputs_messages import OutputsBegin, OutputsFailed, OutputsLine, OutputsPulse, outputs_pair
from edge.store.writing import StoreWriter

pytestmark = pytest.mark.process

HEAVY = ("numpy", "cv2", "edge.worker", "gpiozero", "prometheus_client", "paho")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fieldfare.toml"
    path.write_text(
        f'bundle = "none"\n[device]\nname = "barn"\n[events]\nstore = "{tmp_path}/events.db"\n'
        f'[event_lines]\nfile = "{tmp_path}/events.jsonl"\n'
    )
    return path


def add(store: Path, *numbers: int) -> None:
    events = [stored(number) for number in numbers]
    with StoreWriter(store) as writer:
        writer.add_events([(event.event, event.begin_wall_s, event.end_wall_s, event.clock, ()) for event in events])


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["number"] for line in whole_lines(path)]


class Started:
    """`python -m edge.outputs.main` as the supervisor starts it."""

    def __init__(self) -> None:
        self.line, theirs = outputs_pair()
        self.child = Child("edge.outputs.main", [str(theirs.fileno()), str(os.getpid())], pass_fds=[theirs.fileno()])
        theirs.close()

    def next(self) -> OutputsPulse | OutputsFailed | None:
        """Return the next message, None once it has closed the line."""
        self.line.socket.settimeout(20)
        try:
            data = self.line.socket.recv(1 << 16, socket.MSG_PEEK)
        finally:
            self.line.socket.settimeout(None)
        if not data:
            return None
        received: OutputsPulse | OutputsFailed | None = self.line.receive()
        return received

    def close(self) -> None:
        self.line.close()
        self.child.end(5)


@pytest.fixture
def started() -> Iterator[Started]:
    started = Started()
    yield started
    started.close()


def test_the_supervisor_s_child_sends_reports_and_ends_with_the_line(
    started: Started, config: Path, tmp_path: Path
) -> None:
    line: OutputsLine = started.line
    line.send(OutputsBegin(load_settings(config), "barn"))
    pulse = started.next()
    assert isinstance(pulse, OutputsPulse)
    assert [state.name for state in pulse.outputs] == ["event_lines"]
    add(tmp_path / "events.db", 1, 2)
    wait_until(lambda: numbers(tmp_path / "events.jsonl") == [1, 2])
    maps = Path(f"/proc/{started.child.pid}/maps").read_text()
    assert not [library for library in ("numpy", "cv2") if library in maps]
    line.close()
    assert started.child.wait(10)
    assert started.child.exit_status() == 0


def test_settings_without_an_output_end_it_with_the_reason(started: Started, config: Path) -> None:
    config.write_text(config.read_text().partition("[event_lines]")[0])
    started.line.send(OutputsBegin(load_settings(config), "barn"))
    failed = started.next()
    assert isinstance(failed, OutputsFailed)
    assert failed.status == 78
    assert failed.why.startswith("no output is set")
    assert started.next() is None


def fieldfare(config: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge", "outputs", "--config", str(config), *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **more},
    )


def test_the_unit_s_command_reports_to_systemd_and_goes_on_where_it_was(config: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        add(tmp_path / "events.db", 1, 2, 3)
        process = fieldfare(config, **environment)
        assert notify.recv(4096).startswith(b"READY=1\nWATCHDOG=1\nSTATUS=event_lines: ")
        assert notify.recv(4096).startswith(b"WATCHDOG=1")
        wait_until(lambda: numbers(tmp_path / "events.jsonl") == [1, 2, 3])
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")
    add(tmp_path / "events.db", 4)
    process = fieldfare(config)
    wait_until(lambda: 4 in numbers(tmp_path / "events.jsonl"))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert process.stderr is not None
    process.stderr.close()
    assert numbers(tmp_path / "events.jsonl") == [1, 2, 3, 4]


def test_a_killed_one_loses_nothing(config: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "events.db", tmp_path / "events.jsonl"
    add(store, *range(1, 2001))
    for _ in range(4):
        process = fieldfare(config, RUNTIME_DIRECTORY=str(tmp_path / "run"))
        before = len(numbers(out))
        wait_until(lambda before=before: len(numbers(out)) > before or before >= 2000)  # type: ignore[misc]
        process.kill()
        process.communicate()
    process = fieldfare(config, RUNTIME_DIRECTORY=str(tmp_path / "run"))
    wait_until(lambda: set(numbers(out)) == set(range(1, 2001)))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    firsts = list(dict.fromkeys(numbers(out)))
    assert firsts == sorted(firsts)


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("[event_lines]", 78, "no output is set"),
        ("[events]", 78, "events.store is missing"),
    ],
)
def test_settings_that_make_no_sense_are_one_line(config: Path, text: str, status: int, words: str) -> None:
    config.write_text("".join(config.read_text().partition(text)[:1]))
    process = fieldfare(config)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    assert len(errors.splitlines()) == 1
    assert words in errors


def test_removing_a_device_without_a_broker_in_the_settings_is_one_line(config: Path) -> None:
    process = fieldfare(config, "--remove-discovery")
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 78
    assert "needs the broker's address in [mqtt]" in errors


def test_only_what_is_set_is_loaded(config: Path) -> None:
    code = (
        "import sys; from edge.config.loading import load_settings; from edge.outputs.service import Outputs, Places; "
        f"Outputs(load_settings(__import__('pathlib').Path({str(config)!r})), 'barn', Places(None, None)); "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not [name for name in loaded if name.startswith(HEAVY)]
