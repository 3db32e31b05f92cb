"""Two machines train one model, here two processes on one machine: through TF_CONFIG and the loopback. Slow."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.bundle.store import open_bundle
from edge.errors import ConfigError
from trainer.learning.team import read_tf_config

Command = Callable[..., list[str]]

CHIEF, HELPER = 0, 1
LOST_S = 120  # by then the one that is left has reported it


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, shapes: Callable[[Path, int], Path]) -> Path:
    """Make 180 photos of three coloured shapes."""
    return shapes(tmp_path_factory.mktemp("photos") / "shapes", 60)


@pytest.fixture(scope="module")
def command(photos: Path, v2_weights: Path) -> Command:
    """Build the words of a training that both machines are given: (out, more options) -> words."""

    def words(out: Path, *more: object) -> list[str]:
        options = ("--weights", v2_weights, "--size", 32, "--epochs", 6, "--json")
        return [sys.executable, "-m", "edge", *map(str, ("train", photos, "--out", out, *options, *more))]

    return words


def team_config(rank: int, addresses: list[str]) -> dict[str, str]:
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
    return {**os.environ, "TF_CONFIG": json.dumps(config)}


def free_addresses(count: int) -> list[str]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


class Machine:
    """One process of a team, its lines of progress read as they come."""

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(words, env=environment, **pipes)
        self.said: list[str] = []
        self.result = ""
        self._heard = threading.Condition()
        self._readers = [threading.Thread(target=read) for read in (self._read, self._read_result)]
        for reader in self._readers:
            reader.start()

    def wait_for(self, line: str, timeout_s: float = 120) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: any(said.startswith(line) for said in self.said), timeout_s), self.said

    def end(self, timeout_s: float = 240) -> int:
        """Wait for the end; return the exit status."""
        status = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join()
        return status

    def kill(self) -> None:
        self.process.kill()
        self.end()
        self.process.stdout.close()
        self.process.stderr.close()

    def _read(self) -> None:
        for line in self.process.stderr:
            with self._heard:
                self.said.append(line)
                self._heard.notify_all()

    def _read_result(self) -> None:
        self.result = self.process.stdout.read()


@contextlib.contextmanager
def team(words: Callable[[int], list[str]]) -> Iterator[list[Machine]]:
    """Start two machines on words(rank); none is left after the block."""
    addresses = free_addresses(2)
    machines = [Machine(words(rank), team_config(rank, addresses)) for rank in (CHIEF, HELPER)]
    try:
        yield machines
    finally:
        for machine in machines:
            machine.kill()


def page_of(out: Path) -> dict:
    return json.loads(out.with_name(f"{out.name}-report.json").read_text())


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_two_machines_learn_what_one_does_and_the_first_writes_the_bundle(command: Command, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    subprocess.run(command(alone), check=True, capture_output=True, timeout=240)
    outs = [tmp_path / "first" / "shapes", tmp_path / "second" / "shapes"]
    with team(lambda rank: command(outs[rank])) as machines:
        assert [machine.end() for machine in machines] == [0, 0], [machine.said for machine in machines]

    one, two = page_of(alone), page_of(outs[CHIEF])
    assert len(two["history"]["epochs"]) == 6
    for single, shared in zip(one["history"]["epochs"], two["history"]["epochs"], strict=True):
        assert shared["number"] == single["number"]
        # Sums in another order, amplified by rounded activations and three steps an epoch.
        assert shared["val_loss"] == pytest.approx(single["val_loss"], abs=0.03)
    assert two["validation"]["photos"] == one["validation"]["photos"]
    assert two["test"]["photos"] == one["test"]["photos"]
    # So few photos that two of them are 7 points.
    assert two["test"]["top1"]["value"] == pytest.approx(one["test"]["top1"]["value"], abs=2.5 / one["test"]["photos"])

    assert open_bundle(outs[CHIEF]).bundle_id == json.loads(machines[CHIEF].result)["bundle_id"]
    assert sorted(path.name for path in outs[CHIEF].parent.iterdir()) == [
        "shapes",
        "shapes-report.html",
        "shapes-report.json",
    ]
    assert list(outs[HELPER].parent.iterdir()) == [], "the second only helps"
    assert machines[HELPER].result == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_when_one_machine_dies_the_other_says_so_and_the_same_commands_again_finish(
    command: Command, tmp_path: Path
) -> None:
    """First the helper is killed, then, in the next attempt, the chief."""
    outs = [tmp_path / "first" / "shapes", tmp_path / "second" / "shapes"]
    many = ("--epochs", 30)
    for killed, line in ((HELPER, "epoch 2:"), (CHIEF, "epoch ")):
        with team(lambda rank: command(outs[rank], *many)) as machines:
            machines[1 - killed].wait_for(line)
            machines[killed].process.send_signal(signal.SIGKILL)
            started = time.monotonic()
            left = machines[1 - killed]
            assert left.end(LOST_S) == 69, left.said
            assert time.monotonic() - started < LOST_S
        ours = next(line for line in left.said if "no longer answers" in line)
        assert "start the same command again on all of them" in ours
        assert "Traceback" not in "".join(left.said)
        assert not outs[CHIEF].exists()

    with team(lambda rank: command(outs[rank], *many)) as machines:
        assert [machine.end() for machine in machines] == [0, 0], [machine.said for machine in machines]
    assert any(line.startswith("going on after") for line in machines[CHIEF].said)
    assert open_bundle(outs[CHIEF]).bundle_id == json.loads(machines[CHIEF].result)["bundle_id"]
    assert not outs[CHIEF].with_name("shapes.training").exists()


@pytest.mark.slow
def test_machines_with_other_options_are_told_so(command: Command, tmp_path: Path) -> None:
    seeds = {CHIEF: 0, HELPER: 1}
    with team(lambda rank: command(tmp_path / str(rank) / "shapes", "--seed", seeds[rank])) as machines:
        assert [machine.end() for machine in machines] == [78, 78], [machine.said for machine in machines]
    for machine in machines:
        assert "1 of 2 machines have other photos or options than the chief" in machine.said[-1]


@pytest.mark.parametrize(
    "text",
    [
        "two of them",
        "[]",
        '{"cluster": {"worker": ["127.0.0.1:4000", "127.0.0.1:4001"]}}',
        '{"cluster": {"worker": ["127.0.0.1:4000", "127.0.0.1:4001"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["127.0.0.1", "127.0.0.2"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:x", "127.0.0.2:4000"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:4000", "127.0.0.1:4001"]}, "task": {"type": "ps", "index": 0}}',
        '{"cluster": {"worker": ["127.0.0.1:4000", "127.0.0.1:4001"]}, "task": {"type": "worker", "index": true}}',
    ],
    ids=["words", "list", "no task", "index", "no port", "port", "type", "truth"],
)
def test_a_tf_config_that_is_not_understood_is_told_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"TF_CONFIG: .*must be like"):
        read_tf_config(text)


def test_without_tf_config_there_is_one_machine() -> None:
    assert read_tf_config(" ") == ([], 0)


def test_nonsense_in_tf_config_ends_with_status_78_and_one_line(command: Command, tmp_path: Path) -> None:
    environment = {**os.environ, "TF_CONFIG": '{"cluster": 7}'}
    done = subprocess.run(
        command(tmp_path / "shapes"), env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 78, done.stderr
    *_, last = done.stderr.splitlines()
    assert last.startswith("fieldfare: TF_CONFIG: '{\"cluster\": 7}': must be like ")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
