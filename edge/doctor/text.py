"""Format the report for people: aligned, 80 columns, in colour."""

import textwrap

import click

from edge.doctor.findings import Kind, Report

_COLOURS: dict[Kind, str | None] = {"ok": "green", "warning": "yellow", "problem": "red", "not here": None}
_TITLE = 15
_KIND = 9


def render(report: Report, *, width: int = 80) -> str:
    """Return a paragraph for each finding: kind, title, what was seen, and below it what to do. Ends with a count."""
    # Always in colour: click.echo removes that if the output is no terminal.
    lines = []
    for finding in report.findings:
        indent = " " * (_KIND + _TITLE)
        seen = _wrap(finding.seen, indent, width)
        kind = click.style(f"{finding.kind:<{_KIND}}", fg=_COLOURS[finding.kind], dim=finding.kind == "not here")
        lines.append(f"{kind}{finding.looked_at:<{_TITLE}}{seen[len(indent) :]}")
        if finding.mend:
            lines.append(_wrap(f"-> {finding.mend}", indent, width, hang="   "))
    return "\n".join([*lines, "", summary(report)])


def summary(report: Report) -> str:
    """Return one line: how many of each kind, and the verdict."""
    count = {kind: sum(f.kind == kind for f in report.findings) for kind in _COLOURS}
    parts = [f"{count['ok']} ok"]
    for kind, plural in (("warning", "warnings"), ("problem", "problems")):
        number = sum(f.kind == kind for f in report.findings)
        parts += [f"{number} {kind if number == 1 else plural}"] if number else []
    parts += [f"{count['not here']} not here"] if count["not here"] else []
    verdict = "repair the problems first" if report.status else "nothing prevents a run"
    return f"{', '.join(parts)}: {verdict}"


def _wrap(text: str, indent: str, width: int, *, hang: str = "") -> str:
    return textwrap.fill(
        # A child that a damaged model took over may answer anything, and the doctor is run by root in a terminal.
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split())),
        width=width,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
