"""Print the dataset check's report on a terminal, with rich."""

from pathlib import Path

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edge.images import readable_name
from trainer.check.examine import DatasetReport
from trainer.check.findings import SEVERITIES, Finding, Place, Severity
from trainer.pages.words import counted

_SHOWN_CLASSES = 30
_SHOWN_EXAMPLES = 5
_STYLES: dict[Severity, str] = {"problem": "bold red", "warning": "bold yellow", "remark": "bold cyan"}


def show(report: DatasetReport, page: Path | None, console: Console | None = None) -> None:
    """Print `report`. Names of files and classes are never taken as markup.

    page: the HTML page that was written, to be named at the end."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = 110
    console.print(_table(report))
    console.print(Text(summary(report)))
    for severity in SEVERITIES:
        for finding in report.of(severity):
            console.print()
            console.print(_told(finding))
    console.print()
    console.print(Text(_verdict(report)))
    if page is not None:
        console.print(Text(f"With pictures: {readable_name(page)}"))


def summary(report: DatasetReport) -> str:
    """Return one sentence on photos, splits and groups."""
    words = [f"{counted(report.photos, 'photo')} of {counted(len(report.classes), 'class', 'classes')}"]
    if report.unreadable:
        words.append(f"{report.unreadable:,} more cannot be read")
    whose = "as the folders name them" if report.splits_given else "as training would split them"
    if any(report.splits.values()):
        words.append(", ".join(f"{count:,} {split}" for split, count in report.splits.items()) + f" ({whose})")
    words.append(counted(report.near_duplicates, "near-duplicate"))
    if report.left_out:
        words.append(f"{report.left_out:,} in no split")
    if report.visits is not None:
        words.append(counted(report.visits, "visit"))
    if report.unmatched:
        words.append(f"{counted(report.unmatched, 'photo')} of no visit, each a visit of its own")
    return "; ".join(words)


def _table(report: DatasetReport) -> Table:
    table = Table(title=Text(report.folder), title_justify="left")
    table.add_column("class", overflow="fold")
    for name in ("photos", "train", "val", "test"):
        table.add_column(name, justify="right")
    smallest = sorted(report.classes, key=lambda entry: entry.photos)
    shown = report.classes if len(report.classes) <= _SHOWN_CLASSES else smallest[:_SHOWN_CLASSES]
    for entry in shown:
        numbers = (entry.photos, entry.train, entry.val, entry.test)
        table.add_row(Text(entry.name), *(f"{number:,}" for number in numbers))
    if len(shown) < len(report.classes):
        table.caption = f"the {len(shown)} smallest of {len(report.classes):,} classes"
    return table


def _told(finding: Finding) -> Group:
    head = Text.assemble((f"{finding.severity}: ", _STYLES[finding.severity]), (finding.title, "bold"))
    lines = [f"{_named(a)}  =  {_named(b)}" for a, b in finding.pairs] or list(finding.examples)
    shown = lines[:_SHOWN_EXAMPLES]
    if len(lines) > len(shown):
        shown.append("... more with --report or --json")
    body = Padding(Text(finding.explanation), (0, 0, 0, 2), expand=False)
    return Group(head, body, *(Padding(Text(line, style="dim"), (0, 0, 0, 4), expand=False) for line in shown))


def _named(place: Place) -> str:
    return place.file if place.split is None else f"{place.file} ({place.split})"


def _verdict(report: DatasetReport) -> str:
    problems, warnings = len(report.of("problem")), len(report.of("warning"))
    if not problems and not warnings:
        return "No problems found: you can train on these photos."
    told = [counted(count, word) for count, word in ((problems, "problem"), (warnings, "warning")) if count]
    return f"{' and '.join(told)}." + (" Fix the problems before you train." if problems else "")
