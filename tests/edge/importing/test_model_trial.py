"""A model that nobody vouches for is tried in a child process, and each way in which that can end has its words."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted import wait_until

from edge.errors import ModelError, UnavailableError
from edge.importing import model_trial
from edge.importing.model_trial import probe_model
from edge.processes.child import ONE_THREAD
from edge.processes.process import Command
from edge.processes.run import run


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Try a model with a child that runs this code instead."""

    def replace(code: str) -> None:
        words = [sys.executable, "-c", f"import os, signal, sys, time\n{code}"]
        monkeypatch.setattr(model_trial, "module_command", lambda module, words_, variables: Command(words))

    return replace


def test_the_tensors_of_a_good_model_come_back(small_model: Path) -> None:
    probe = probe_model(small_model)
    assert [list(tensor.shape) for tensor in (*probe.inputs, *probe.outputs)] == [[1, 128, 128, 3], [1, 1001]]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "a.tflite: the runtime died of SIGSEGV: damaged model"),
        ("sys.exit('ImportError: no runtime')", "a.tflite: cannot be loaded: ImportError: no runtime"),
        ("sys.exit(3)", "a.tflite: cannot be loaded: ended with status 3 and printed nothing"),
        ('print(\'{"problem": "odd"}\')', "a.tflite: odd"),
        (
            "while True: os.write(2, bytes(65536))",
            "a.tflite: the runtime printed more than 16 MiB: not a usable model",
        ),
    ],
    ids=["crash", "error", "silence", "refusal", "flood"],
)
def test_how_a_trial_fails_is_one_line(trial: Callable[[str], None], code: str, words: str) -> None:
    trial(code)
    with pytest.raises(ModelError) as caught:
        probe_model(Path("a.tflite"))
    assert str(caught.value) == words


def test_a_trial_that_hangs_is_ended(trial: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "TIMEOUT_S", 0.5)
    trial("time.sleep(60)")
    began_s = time.monotonic()
    with pytest.raises(ModelError, match=r"no answer within 0\.5 s: not a usable model"):
        probe_model(Path("a.tflite"))
    assert time.monotonic() - began_s < 30.0


def test_no_process_for_it_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "module_command", lambda *_: Command(["/nowhere/python"]))
    with pytest.raises(UnavailableError, match="no process can be started to try it: No such file"):
        probe_model(Path("a.tflite"))


def test_a_good_model_needs_little_address_space_however_many_cores_there_are(small_model: Path) -> None:
    """BLAS would take 180 MB of it for each core."""
    code = (
        "import resource, sys\nresource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        f"from edge.importing import model_trial\nprint(model_trial._main({str(small_model)!r}, 'auto').problem)"
    )
    done = run(Command([sys.executable, "-c", code], ONE_THREAD), 60.0)
    assert (done.status, done.output) == (0, b"None\n"), done.errors


def test_a_trial_ends_with_the_command_that_started_it(tmp_path: Path) -> None:
    """A model that loops would keep a core busy for ever."""
    fifo = tmp_path / "model.tflite"
    os.mkfifo(fifo)  # the child waits for it
    code = f"import pathlib, edge.importing.model_trial as t\nt.probe_model(pathlib.Path({str(fifo)!r}))"
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        assert wait_until(lambda: trials_of(fifo), 20.0)
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not trials_of(fifo), 10.0)


def trials_of(model: Path) -> list[Path]:
    """The processes that try `model`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if b"edge.importing.model_trial" in words and os.fsencode(model) in words:
                found.append(folder)
    return found
