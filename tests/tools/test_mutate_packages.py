"""Mutants of compiled models: a seed always gives the same, and what breaks the reader is found."""

import random
import shutil
import sys
from pathlib import Path

import pytest

from edge.edgetpu import twin

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))  # tools import each other as programs do
from tools import mutate_packages
from tools.mutate_packages import Folder, campaign, judge, load, mutant

NAME = "keras_lstm_mnist_ptq"


@pytest.fixture
def folder(shared: Path, tmp_path: Path) -> Folder:
    """The smallest of the published pairs, and another small model."""
    for name in (NAME, f"{NAME}_edgetpu", "model_invoking_error"):
        shutil.copy(shared / "models" / f"{name}.tflite", tmp_path)
    return load(tmp_path)


def test_a_seed_always_gives_the_same_mutants(folder: Folder) -> None:
    first = [mutant(folder, random.Random(f"0 {number}")) for number in range(30)]
    assert first == [mutant(folder, random.Random(f"0 {number}")) for number in range(30)]
    assert len({data for _, data in first}) > 15, "the package of the only model inside itself changes nothing"


def test_mutants_are_read_right_or_refused(folder: Folder) -> None:
    lines: list[str] = []
    assert campaign(folder, 60, 3, lines.append) == 0
    assert lines[-1].startswith("60 mutants, each beside 2 models: ")
    assert lines[-1].endswith("; 0 broke something")


def test_a_reader_that_breaks_is_found(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = folder.compiled[NAME]

    def crash(data: bytes) -> twin.CompiledModel:
        raise RecursionError("too deep")

    monkeypatch.setattr(mutate_packages, "read_compiled", crash)
    assert judge(folder, NAME, whole, weigh=True)[1] == ["raised RecursionError('too deep')", "read alone, it differs"]


def test_a_twin_of_every_model_is_found(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    found = twin.read_compiled(folder.compiled[NAME])
    monkeypatch.setattr(mutate_packages, "check_twin", lambda compiled, source: found)
    fate, wrong = judge(folder, NAME, folder.compiled[NAME], weigh=False)
    assert (fate, wrong) == ("read, a twin", ["accepted as the twin of model_invoking_error"])
