"""`systemctl reload fieldfare-outputs`: other outputs, or the same ones and a line for each fault."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted import wait_until

pytestmark = pytest.mark.process


class Sending:
    def __init__(self, folder: Path) -> None:
        self.folder, self.file, self.log = folder, folder / "fieldfare.toml", folder / "log"
        self.write(f'[event_lines]\nfile = "{folder / "events.jsonl"}"')
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", "outputs", "--config", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=folder,
            )

    def write(self, outputs: str) -> None:
        self.file.write_text(f'bundle = "b"\n[events]\nstore = "{self.folder / "events.db"}"\n{outputs}\n')

    def shows(self, text: str) -> bool:
        return wait_until(lambda: text in self.log.read_text())

    def reload(self, outputs: str) -> None:
        self.write(outputs)
        self.process.send_signal(signal.SIGHUP)


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    one = Sending(tmp_path)
    assert one.shows("event_lines to")
    yield one
    one.process.kill()
    one.process.wait(10)


def test_other_outputs_are_taken_and_wrong_ones_refused(sending: Sending, tmp_path: Path) -> None:
    sending.reload("[event_lines]\nfile = 7\nkept = 3")
    assert sending.shows("settings refused, those before stay in use: ")
    assert sending.shows("2 settings are wrong")
    assert sending.shows("event_lines.file = 7")
    sending.reload("")
    assert sending.shows("no output is set any more")
    sending.reload(f'[metrics]\nfile = "{tmp_path / "fieldfare.prom"}"')
    assert sending.shows("settings read again: other ones")
    assert wait_until((tmp_path / "fieldfare.prom").exists)
    sending.process.terminate()
    assert sending.process.wait(20) == 0
    assert "Traceback" not in sending.log.read_text()


def test_those_that_cannot_run_are_given_up_for_those_before(sending: Sending) -> None:
    sending.reload("[gpio]\npin = 17")
    assert sending.shows("settings refused, those before are in use again")
    assert sending.process.poll() is None
    sending.process.terminate()
    assert sending.process.wait(20) == 0
