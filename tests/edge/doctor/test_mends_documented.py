"""docs/when-something-is-wrong.md holds every finding of the doctor, and what it says to do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.doctor import cameras, coral, credentials, machine, places, setup, software
from edge.doctor.events import needs
from edge.doctor.examination import CHECKS

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "when-something-is-wrong.md"
MODULES = [Path(module.__file__) for module in (cameras, coral, credentials, machine, needs, setup, software)]
# Of `places`, doctor.md has the table.
ELSEWHERE = {"docs/locating.md"}
# Ids that are handed on by variables.
IN_VARIABLES = {"numpy", "opencv", "litert", "tflite"}


def trees() -> Iterator[ast.Module]:
    for path in [*MODULES, Path(places.__file__)]:
        yield ast.parse(path.read_text())


def calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def ids() -> set[str]:
    """Every id in the code."""
    found = set(IN_VARIABLES)
    for tree in trees():
        for call in [*calls(tree, "Finding"), *calls(tree, "add")]:
            if isinstance(call.args[0], ast.Constant):
                found.add(str(call.args[0].value))
    return found


def texts_in(node: ast.AST) -> Iterator[str]:
    """The words of an expression that are always the same."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def mends() -> set[str]:
    """Every advice in the code: the last argument of a finding, and what is assigned to it first."""
    found: set[str] = set()
    for path in MODULES:
        tree = ast.parse(path.read_text())
        for call in calls(tree, "Finding"):
            if len(call.args) == 5:
                found.update(texts_in(call.args[4]))
        for call in calls(tree, "add"):
            if len(call.args) == 4:
                found.update(texts_in(call.args[3]))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
                if name in ("mend", "supply", "_RULES", "_COMPILE", "_GROUPS", "REBUILT"):
                    values = node.value.slice if isinstance(node.value, ast.Subscript) else None
                    found.update(set(texts_in(node.value)) - (set(texts_in(values)) if values else set()))
    return found


def plain(text: str) -> str:
    """The words of a text without marks and places to read on."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\s*\((docs/[^)]*|[\w-]+\.md)\)", "", text)
    return " ".join(re.sub(r"[`*]", "", text).split())


@pytest.fixture(scope="module")
def page() -> str:
    """The page's text."""
    return PAGE.read_text()


def test_every_id_has_a_row(page: str) -> None:
    rows = {
        word for line in page.splitlines() if line.startswith("| `") for word in line.split("|")[1].split("`")[1::2]
    }
    assert ids() - rows == set()
    # And none that the code does not know.
    assert rows - ids() == set()


def test_every_check_has_a_row_by_its_name_or_its_findings() -> None:
    assert {name for name, _ in CHECKS} - ids() == {"permissions"}  # whose findings are `devices` and `groups`


def test_every_advice_is_on_the_page(page: str) -> None:
    known = plain(page)
    long = {plain(mend).strip(" ,;:") for mend in mends() - ELSEWHERE if len(plain(mend).strip()) >= 15}
    assert len(long) > 40
    assert sorted(mend for mend in long if mend not in known) == []
