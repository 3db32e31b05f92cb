"""The notebook of docs/notebooks, from photos to bundle: as a file, and run from top to bottom."""

import ast
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "notebooks" / "train.ipynb"


@pytest.fixture
def notebook() -> Any:
    """The notebook as nbformat reads it."""
    import nbformat

    return nbformat.read(NOTEBOOK, as_version=4)


def cell(notebook: Any, name: str) -> Any:
    return next(one for one in notebook.cells if one.id == name)


def run(notebook: Any, folder: Path, **settings: object) -> str:
    """Run it in `folder` with other settings, as a user would write them; return all that it printed."""
    from nbclient import NotebookClient

    cell(notebook, "settings").source += "".join(f"\n{name} = {value!r}" for name, value in settings.items())
    NotebookClient(notebook, timeout=1500, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for one in notebook.cells if one.cell_type == "code" for output in one.outputs]
    return "".join(output.get("text", "") for output in outputs)


def test_it_is_kept_without_outputs_and_its_cells_are_python(notebook: Any) -> None:
    import nbformat

    nbformat.validate(notebook)
    for one in notebook.cells:
        if one.cell_type == "code":
            assert (one.outputs, one.execution_count) == ([], None)
            ast.parse(one.source)
    assert NOTEBOOK.stat().st_size < 20_000


def test_its_links_lead_somewhere(notebook: Any) -> None:
    import re

    for one in notebook.cells:
        for target in re.findall(r"\]\(([^)#]+)", one.source) if one.cell_type == "markdown" else ():
            assert (NOTEBOOK.parent / target).is_file(), target


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_digits_become_a_bundle(notebook: Any, tmp_path: Path) -> None:
    printed = run(notebook, tmp_path, COMPILER=False, NAME="digits")
    assert "300 photos of 10 classes" in printed
    assert "is sound" in printed
    assert "not compiled: the bundle runs on the CPU" in printed
    for name in ("digits.fieldfare", "digits-report.html", "digits-report.json"):
        assert (tmp_path / "fieldfare-out" / name).stat().st_size > 1000, name


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_zip_of_ones_own_photos_does_too(notebook: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for name in ("moss", "rust"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(rng.integers(0, 255, (48, 48, 3)).astype(np.uint8)).save(
                tmp_path / "mine" / name / f"{number}.png"
            )
    shutil.make_archive(str(tmp_path / "mine"), "zip", tmp_path, "mine")
    shutil.rmtree(tmp_path / "mine")
    options = "--weights none --epochs 1 --size 32"
    printed = run(notebook, tmp_path, COMPILER=False, PHOTOS="mine.zip", NAME="plants", TRAINING=options)
    assert "16 photos of 2 classes" in printed
    assert (tmp_path / "fieldfare-out" / "plants.fieldfare").is_file()
