"""The layout check finds what it promises to find: cycles between folders, also lazy ones, and folders too full."""

from pathlib import Path

import pytest

from tools.check_layout import MOST_MODULES, cycle, folder_graph, main

ROOT = Path(__file__).resolve().parents[2]
# Each makes `edge.high` import `edge.low` in one way of several.
WAYS = {
    "plain": "import edge.low.part\n",
    "from a module": "from edge.low.part import name\n",
    "from a folder": "from edge.low import part\n",
    "inside a function": "def late():\n    from edge.low.part import name\n    return name\n",
    "for type checking": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from edge.low.part import name\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    """Write `files` under `root`, with both packages there."""
    for name, text in {"edge/__init__.py": "", "trainer/__init__.py": "", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize("statement", WAYS.values(), ids=WAYS)
def test_a_cycle_between_folders_is_found_however_it_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], statement: str
) -> None:
    files = {"edge/high/part.py": statement, "edge/low/part.py": "from edge.high import part\nname = 1\n"}
    assert main(tree(tmp_path, files)) == 1
    assert "edge.high -> edge.low -> edge.high" in (printed := capsys.readouterr().out) or (
        "edge.low -> edge.high -> edge.low" in printed
    )


def test_one_direction_is_no_cycle_nor_are_imports_inside_a_folder(tmp_path: Path) -> None:
    files = {
        "edge/high/one.py": "import edge.high.two\nimport edge.low.part\n",
        "edge/high/two.py": "import edge.high.one\n",
        "edge/low/part.py": "import json\n",
    }
    assert main(tree(tmp_path, files)) == 0


def test_a_module_directly_in_a_package_is_a_node_of_its_own(tmp_path: Path) -> None:
    files = {
        "edge/errors.py": "",
        "edge/config.py": "from edge.low import part\n",
        "edge/low/part.py": "import edge.errors\n",
    }
    graph = folder_graph(tree(tmp_path, files))
    assert graph["edge.config"] == {"edge.low"}
    assert graph["edge.low"] == {"edge.errors"}
    assert cycle(graph) is None


def test_a_folder_may_hold_sixteen_modules_and_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"edge/full/part{number}.py": "" for number in range(MOST_MODULES)}
    assert main(tree(tmp_path, {"edge/full/__init__.py": "", **files})) == 0
    assert main(tree(tmp_path, {"edge/full/one_more.py": ""})) == 1
    assert "edge/full: 17 modules" in capsys.readouterr().out


MAP_TEXT = """
### The device: `edge/`

| module | its one job |
| --- | --- |
| `low.py` | a module of the package itself |

**`full/`**

| module | its one job |
| --- | --- |
| `one.py`, `inner/two.py`, `three.py`, `four.py` | beside `inner/two.py`, and above it |

**`a/` and `b/`**

| module | its one job |
| --- | --- |
| `a/five.py` | with its folder |

### The desktop: `trainer/`

## The rest
"""
MODULES = ("low.py", "full/one.py", "full/inner/two.py", "full/inner/three.py", "full/four.py", "a/five.py")


def test_each_module_is_named_by_the_map(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"edge/{name}": "" for name in MODULES}
    assert main(tree(tmp_path, {"docs/architecture.md": MAP_TEXT, **files})) == 0
    assert main(tree(tmp_path, {"edge/b/six.py": ""})) == 1
    assert capsys.readouterr().out == "docs/architecture.md: no row names edge/b/six.py: add one\n"


def test_what_the_map_names_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {f"edge/{name}": "" for name in MODULES if name != "a/five.py"}
    assert main(tree(tmp_path, {"docs/architecture.md": MAP_TEXT, **files})) == 1
    assert "names a/five.py, and edge has no such module" in capsys.readouterr().out


def test_the_product_holds_to_it() -> None:
    assert main(ROOT) == 0
