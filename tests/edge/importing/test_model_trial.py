"""A model that nobody vouches for is tried in a child process, and each way in which that can end has its words."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from handmade_models import classifier
from scripted import wait_until

from edge.bundle.manifest import InputTensor, Preprocessing, Quantization
from edge.errors import ModelError, UnavailableError
from edge.importing import model_trial
from edge.importing.model_trial import ModelTrial
from edge.processes.process import Command


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Try a model with a child that runs this code instead."""

    def replace(code: str) -> None:
        words = [sys.executable, "-c", f"import os, signal, sys, time\n{code}"]
        monkeypatch.setattr(model_trial, "module_command", lambda *_: Command(words))

    return replace


def test_the_tensors_of_a_good_model_come_back(small_model: Path) -> None:
    probe = ModelTrial(small_model.read_bytes()).probe()
    assert [list(tensor.shape) for tensor in (*probe.inputs, *probe.outputs)] == [[1, 128, 128, 3], [1, 1001]]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the runtime died of SIGSEGV on it: damaged, or never trained"),
        ("sys.exit('ImportError: no runtime')", "cannot be loaded: ImportError: no runtime"),
        ("sys.exit(3)", "cannot be loaded: ended with status 3 and printed nothing"),
        (f"sys.stdout.buffer.write({msgspec.msgpack.encode({'problem': 'odd'})!r})", "odd"),
        (
            "while True: os.write(2, bytes(65536))",
            "the runtime printed more than 16 MiB: not a usable model",
        ),
    ],
    ids=["crash", "error", "silence", "refusal", "flood"],
)
def test_how_a_trial_fails_is_one_line(trial: Callable[[str], None], code: str, words: str) -> None:
    trial(code)
    with pytest.raises(ModelError) as caught:
        ModelTrial(b"TFL3").probe()
    assert str(caught.value) == words


def test_a_trial_that_hangs_is_ended(trial: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "TIMEOUT_S", 1.5)
    trial("time.sleep(60)")
    began_s = time.monotonic()
    with pytest.raises(ModelError, match=r"no answer within 1\.5 s: not a usable model"):
        ModelTrial(b"TFL3").probe()
    assert time.monotonic() - began_s < 30.0


def test_no_process_for_it_is_no_fault_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "module_command", lambda *_: Command(["/nowhere/python"]))
    with pytest.raises(UnavailableError, match="no process can be started to try the model: No such file"):
        ModelTrial(b"TFL3").probe()


def test_kernels_that_only_other_machines_use_are_tried_too() -> None:
    """LiteRT's default kernels run a softmax of constants; its other ones abort the process."""
    untrained = ModelTrial(classifier(weight=0))
    assert untrained.probe(all_kernels=False).outputs[0].shape == (1, 3)
    with pytest.raises(ModelError, match=r"the runtime's (plain|reference) kernels died of SIGABRT on it"):
        untrained.probe()


def test_golden_inputs_are_recorded_in_a_child() -> None:
    spec = Preprocessing(channel_order="rgb", resize="squash", mean=(127.5,) * 3, std=(127.5,) * 3)
    tensor = InputTensor(width=16, height=16, dtype="int8", quantization=Quantization(scale=1 / 127.5, zero_point=-1))
    frames = [np.full((40, 600, 3), colour, np.uint8) for colour in ((0, 0, 255), (255, 0, 0))]
    made, files = ModelTrial(classifier()).record_golden(spec, tensor, frames)
    assert [int(np.argmax(case.output)) for case in made.cases] == [0, 2]
    assert sorted(files) == sorted(name for case in made.cases for name in (case.frame, case.pixels))
    with pytest.raises(ModelError, match="died of SIGABRT"):
        ModelTrial(classifier(weight=0)).record_golden(spec, tensor, frames)


def test_what_libraries_print_is_no_part_of_the_answer(trial: Callable[[str], None]) -> None:
    trial(
        "from edge.importing import model_trial as m\n"
        "from edge.errors import ModelError\n"
        "def load(name):\n    os.write(1, b'hello')\n    raise ModelError('odd')\n"
        "m.load_runtime = load\nm._main()"
    )
    with pytest.raises(ModelError, match=r"^odd$"):
        ModelTrial(classifier()).probe()


def test_all_runs_of_a_model_share_one_limit(trial: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_trial, "TIMEOUT_S", 4.0)
    trial("time.sleep(2.5); sys.exit('slow')")
    shared = ModelTrial(b"TFL3")
    with pytest.raises(ModelError, match="slow"):
        shared.probe()
    with pytest.raises(ModelError, match="no answer"):
        shared.probe()


def test_a_model_that_wants_all_memory_is_refused(trial: Callable[[str], None]) -> None:
    trial(
        "from edge.importing import model_trial as m\n"
        "def load(name): bytearray(2 << 30)\n"
        "m.load_runtime = load\nm._main()"
    )
    with pytest.raises(ModelError, match="needs more than 1280 MiB of memory: not a usable model"):
        ModelTrial(classifier()).probe()


def test_a_trial_ends_with_the_command_that_started_it() -> None:
    """Nobody else keeps its time, and a model may loop."""
    start = (
        "import os, subprocess, sys, time\n"
        "words = [sys.executable, '-m', 'edge.importing.model_trial', str(os.getpid())]\n"
        "print(subprocess.Popen(words).pid, flush=True)\ntime.sleep(60)"
    )
    # A request that never comes stands for a model that never ends.
    parent = subprocess.Popen([sys.executable, "-c", start], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    words = Path("/proc", parent.stdout.readline().decode().strip(), "cmdline")
    assert wait_until(words.read_bytes, 20.0)
    parent.kill()
    parent.wait()
    # A process that has ended has none, even if nobody has reaped it yet.
    assert wait_until(lambda: not (words.exists() and words.read_bytes()), 20.0)
    parent.communicate()
