"""An update over an earlier version leaves nothing of it that could be imported."""

import importlib.util
import py_compile
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("edge", "trainer")
# Modules of the earlier version: one that is gone, one whose place a folder takes now, and a folder that is gone.
EARLIER = ("edge/child.py", "edge/worker.py", "trainer/templates/__init__.py")


def copy_of_the_sources(to: Path) -> Path:
    """A clone without its history."""
    to.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    for name in (*SOURCES, "systemd"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def modules(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for name in SOURCES for path in (root / name).rglob("*.py")}


@pytest.mark.slow
def test_pip_install_over_an_earlier_version(tmp_path: Path) -> None:
    """As on a device: a clone that is updated in place, and `pip install .` without --editable, twice."""
    clone, environment = copy_of_the_sources(tmp_path / "clone"), tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"

    def pip(*words: str) -> None:
        command = [sys.executable, "-m", "pip", *words]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def install() -> set[str]:
        """`pip install .` in two steps: the new environment has no setuptools, and a test has no network."""
        pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", "../wheels", ".")
        (wheel,) = (tmp_path / "wheels").glob("*.whl")
        pip("--python", str(python), "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel))
        (packages,) = environment.glob("lib/python3*/site-packages")
        assert (packages / "edge/kit/systemd/fieldfare.service").is_file()  # `fieldfare kit` reads it there
        return modules(packages)

    for name in EARLIER:
        (clone / name).parent.mkdir(exist_ok=True)
        (clone / name).write_text("")
    assert set(EARLIER) <= install()

    for name in EARLIER:
        (clone / name).unlink()
    (clone / "trainer/templates/__pycache__").mkdir()  # so that git leaves the folder
    assert install() == modules(ROOT)
    look = "import importlib.util as i; print([n for n in ('edge.child', 'trainer.templates') if i.find_spec(n)])"
    found = subprocess.run([python, "-P", "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"


def test_what_git_leaves_in_a_clone_that_is_updated_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git removes sources only. Python takes nothing from __pycache__ without the source, and a folder before a
    module of the same name."""
    for name, stays in (("child", False), ("worker", True)):
        source = tmp_path / "house" / f"{name}.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text("raise SystemExit('imported from the earlier version')")
        py_compile.compile(str(source), importlib.util.cache_from_source(str(source)))
        if not stays:
            source.unlink()
    (tmp_path / "house" / "worker").mkdir()
    for package in ("house", "house/worker"):
        (tmp_path / package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.util.find_spec("house.child") is None
    worker = importlib.util.find_spec("house.worker")
    assert worker is not None
    assert worker.origin == str(tmp_path / "house" / "worker" / "__init__.py")
