#!/usr/bin/env python3
"""Check the layout of the product: no folder too full, no import cycle between folders, a row for each module.

A node is a folder of `edge` or `trainer`, or a module that lies directly in one of the two. Every import statement
counts, also lazy ones inside functions and those for type checking only: a cycle of either kind makes two folders
one, since neither can be read, tested or moved without the other. import-linter checks which direction is allowed.

The tables of docs/architecture.md name each module, and nothing that is not there.

    python tools/check_layout.py [ROOT]

Prints each violation on a line of its own; exit status 1 when there is one.
"""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

PACKAGES = ("edge", "trainer")
# More than this in one folder, and a newcomer reads names instead of a structure.
MOST_MODULES = 16
MAP = Path("docs", "architecture.md")


def node_of(module: str, root: Path) -> str:
    """Return the folder of a dotted module name, or the module itself when it lies directly in a package."""
    package, _, rest = module.partition(".")
    first = rest.partition(".")[0]
    return f"{package}.{first}" if first and _exists(root / package / first) else package


def _exists(path: Path) -> bool:
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported(tree: ast.AST, root: Path) -> Iterator[str]:
    """Yield each module of the product that `tree` imports, at any depth of nesting."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module is not None:
            # `from edge.inference import golden` names a module; `from edge.errors import EngineError` does not.
            base = root / statement.module.replace(".", "/")
            names = [
                f"{statement.module}.{alias.name}" if _exists(base / alias.name) else statement.module
                for alias in statement.names
            ]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in PACKAGES)


def folder_graph(root: Path) -> dict[str, set[str]]:
    """Return what each node imports, itself left out."""
    graph: dict[str, set[str]] = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            here = node_of(".".join(part for part in parts if part != "__init__"), root)
            found = {node_of(name, root) for name in imported(ast.parse(path.read_bytes()), root)}
            graph.setdefault(here, set()).update(found - {here})
    return graph


def cycle(graph: dict[str, set[str]]) -> list[str] | None:
    """Return one cycle as its nodes, the first repeated at the end; None when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return None


def crowded(root: Path) -> list[str]:
    """Return a line for each folder that holds more than MOST_MODULES modules, __init__.py not counted."""
    counts: dict[Path, int] = {}
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            if path.name != "__init__.py":
                counts[path.parent] = counts.get(path.parent, 0) + 1
    return [
        f"{folder.relative_to(root)}: {count} modules, at most {MOST_MODULES}: find the second subject"
        for folder, count in sorted(counts.items())
        if count > MOST_MODULES
    ]


def unmapped(root: Path) -> list[str]:
    """Return a line for each module that no table of the map names, and for each name there that is no module."""
    modules = {path for package in PACKAGES for path in (root / package).rglob("*.py") if path.name[:2] != "__"}
    lines, named = [], set()
    for folder, names in _rows((root / MAP).read_text(encoding="utf-8"), root):
        for name in names:
            # Behind `beside/starting.py` in a row, `attended.py` is beside it, or else in a folder above.
            found = next((place / name for place in (folder, *folder.parents) if place / name in modules), None)
            if found is None:
                lines.append(f"{MAP}: names {name}, and {folder.relative_to(root)} has no such module: mend the row")
            else:
                named.add(found)
                folder = found.parent
    lines += [f"{MAP}: no row names {path.relative_to(root)}: add one" for path in sorted(modules - named)]
    return lines


def _rows(text: str, root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the first folder above each table row of the map, and the modules that the row's first cell names."""
    for package in PACKAGES:
        section = re.search(rf"^### [^\n]*`{package}/`$(.*?)^##", text, re.DOTALL | re.MULTILINE)
        folder = root / package
        for line in section[1].splitlines() if section else ():
            if heading := re.match(r"\*\*(.*)\*\*$", line):
                above = re.findall(r"`(\w+)/`", heading[1])
                folder = root / package / (above[0] if len(above) == 1 else "")
            elif line.startswith("| `"):
                yield folder, re.findall(r"`([\w/]+\.py)`", line.split("|")[1])


def main(root: Path) -> int:
    """Print what is wrong; return the exit status."""
    lines = crowded(root) + (unmapped(root) if (root / MAP).is_file() else [])
    if (found := cycle(folder_graph(root))) is not None:
        lines.append(f"import cycle between folders: {' -> '.join(found)}")
    for line in lines:
        print(line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent))
