#!/usr/bin/env python3
"""Print how the code is built and how it speaks: two tables, a row for each folder. It checks nothing.

    python tools/code_figures.py [--words] [--layout] [PATH ...]

PATH is a folder or a Python file; without one, `edge` and `trainer` (and for the words each folder in them). To
compare with an older state, name the same subjects in a checkout of it.

The layout: files, lines of the median and of the longest file, lines of the median and of the longest function, the
share of functions that are annotated in full, comments per 100 lines, files per 1,000 lines, and the modules of the
fullest folder.

The words, in comments and docstrings: uses of "where", and of "tell", "say" and "ask" in all their forms, per 10,000
words. Both are upper limits: a "where" that means a place counts, too. Comments that stand on lines of their own are
counted as comments of why, since the code beside them shows what.
"""

import argparse
import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
SPEAKING = re.compile(r"(tell|say|ask)(s|ing|ed)?|told|said", re.IGNORECASE)
LAYOUT_COLUMNS = (
    "code",
    "files",
    "file median / longest",
    "function median / longest",
    "annotated",
    "comments per 100 lines",
    "files per 1,000 lines",
    "most modules in a folder",
)
WORD_COLUMNS = ("code", "words", "where (in 10,000)", "tell, say, ask (in 10,000)", "lines of comment of their own")
PRAGMA = re.compile(r"#\s*(noqa|type:|pragma|!)")


@dataclass
class Figures:
    """What was counted in some files."""

    lines: list[int] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    annotated: int = 0
    comments: int = 0
    own_lines: int = 0
    folders: Counter[Path] = field(default_factory=Counter)
    words: int = 0
    where: int = 0
    speaking: int = 0


def python_files(path: Path) -> list[Path]:
    """Return the Python files at or below `path`, sorted."""
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def count(paths: Sequence[Path]) -> Figures:
    """Count everything in the files `paths`."""
    figures = Figures()
    for path in paths:
        text = path.read_text()
        figures.lines.append(text.count("\n"))
        figures.folders[path.parent] += path.name != "__init__.py"
        tree = ast.parse(text)
        _count_functions(tree, figures)
        found = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.COMMENT]
        figures.comments += len(found)
        comments = [token for token in found if not PRAGMA.match(token.string)]
        figures.own_lines += sum(token.line.lstrip().startswith("#") for token in comments)
        _count_words([token.string for token in comments] + docstrings(tree), figures)
    return figures


def docstrings(tree: ast.AST) -> list[str]:
    """Return all docstrings below `tree`."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]


def _count_functions(tree: ast.AST, figures: Figures) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        figures.functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
        unknown = [a for a in given if a is not None and a.annotation is None and a.arg not in ("self", "cls")]
        figures.annotated += node.returns is not None and not unknown


def _count_words(texts: Sequence[str], figures: Figures) -> None:
    for text in texts:
        found = WORD.findall(text)
        figures.words += len(found)
        figures.where += sum(word.lower() == "where" for word in found)
        figures.speaking += sum(SPEAKING.fullmatch(word) is not None for word in found)


def layout_row(name: str, figures: Figures) -> str:
    """Return a row of the first table, as Markdown."""
    total = sum(figures.lines)
    cells = (
        name,
        f"{len(figures.lines)}",
        f"{median(figures.lines):.0f} / {max(figures.lines)}",
        f"{median(figures.functions or [0]):.0f} / {max(figures.functions or [0])}",
        f"{figures.annotated / max(1, len(figures.functions)):.0%}",
        f"{100 * figures.comments / total:.1f}",
        f"{1000 * len(figures.lines) / total:.1f}",
        f"{max(figures.folders.values())}",
    )
    return f"| {' | '.join(cells)} |"


def words_row(name: str, figures: Figures) -> str:
    """Return a row of the second table, as Markdown."""
    per = 10_000 / max(1, figures.words)
    cells = (
        name,
        f"{figures.words}",
        f"{figures.where} ({figures.where * per:.0f})",
        f"{figures.speaking} ({figures.speaking * per:.0f})",
        f"{figures.own_lines}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print what was asked for on the command line."""
    parser = argparse.ArgumentParser(description="Print figures of layout and words. Nothing is checked.")
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    parser.add_argument("--layout", action="store_true", help="the layout only")
    parser.add_argument("--words", action="store_true", help="the words only")
    given = parser.parse_args()
    root = Path(__file__).resolve().parent.parent
    packages = given.paths or [root / "edge", root / "trainer"]
    if not given.words or given.layout:
        print(f"| {' | '.join(LAYOUT_COLUMNS)} |\n|{' --- |' * len(LAYOUT_COLUMNS)}")
        for path in packages:
            print(layout_row(path.name, count(python_files(path))))
    if not given.layout or given.words:
        print(f"\n| {' | '.join(WORD_COLUMNS)} |\n|{' --- |' * len(WORD_COLUMNS)}")
        for path in packages:
            folders = sorted(p for p in path.iterdir() if p.is_dir() and python_files(p)) if path.is_dir() else []
            for part in [] if given.paths else folders:
                print(words_row(f"{path.name}/{part.name}", count(python_files(part))))
            print(words_row(path.name, count(python_files(path))))


if __name__ == "__main__":
    main()
