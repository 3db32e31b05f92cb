"""The test bench, as far as this machine can have it: where not, its tests are skipped, and say why."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from bench_runs import UNAVAILABLE, Ran, run_bench

from edge.bundle.store import Bundle
from edge.bundle.write import save
from edge.importing.importer import Question, Told, import_model


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes an hour runs only if it is named: pytest -m night."""
    if "night" in (config.getoption("-m") or ""):
        return
    for item in items:
        if item.get_closest_marker("night"):
            item.add_marker(pytest.mark.skip(reason="for nights: -m night"))


@pytest.fixture(scope="session")
def bundle(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real MobileNet of Coral's: MobileNetV1 0.25 128, 1001 ImageNet classes, metadata inside."""

    def no_questions(question: Question) -> str:
        raise AssertionError(f"asked for {question.option}")

    model = shared / "models" / "mobilenet_v1_0.25_128_quant.tflite"
    bundle = import_model(model, tmp_path_factory.mktemp("imported") / "birds", Told(resize="squash"), no_questions)
    save(bundle)
    return bundle


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """Runs in the bench, once for all workers of pytest: the others wait, and read what came of it.

    Called with the place, a name, what fills the folder, and more of the command line.
    """
    common = tmp_path_factory.getbasetemp()
    if common.name.startswith("popen-"):  # pytest-xdist gives each worker a folder in the session's
        common = common.parent

    def run(where: str, name: str, fill: Callable[[Path], None], *words: str) -> Ran:
        folder = common / f"bench-{name}"
        with (common / f"bench-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "ended").exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                run_bench(where, folder, *words)
        status, output = int((folder / "ended").read_text()), (folder / "output").read_text(errors="replace")
        if status == UNAVAILABLE:
            pytest.skip(output.strip())
        return Ran(status, output, folder)

    return run
