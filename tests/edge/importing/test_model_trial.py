"""A model that nobody vouches for is tried in a child process, and each way in which that can end has its words."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import ModelError, UnavailableError
from edge.importing import model_trial
from edge.importing.model_trial import probe_model
from edge.processes.process import Command


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Try a model with a child that runs this code instead."""

    def replace(code: str) -> None:
        words = [sys.executable, "-c", f"import os, signal, sys, time\n{code}"]
        monkeypatch.setattr(model_trial, "module_command", lambda module, words_: Command(words))

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
    monkeypatch.setattr(model_trial, "module_command", lambda module, words: Command(["/nowhere/python"]))
    with pytest.raises(UnavailableError, match="no process can be started to try it: No such file"):
        probe_model(Path("a.tflite"))
