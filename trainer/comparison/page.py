"""Show a comparison of two bundles as text for the terminal, and as one self-contained HTML page."""

from collections.abc import Sequence

from trainer.comparison.records import ClassContest, Comparison, Contender, Disagreement
from trainer.measuring.metrics import Interval
from trainer.pages.thumbnail import data_url
from trainer.pages.words import counted, shortened, split_name

CLASSES_SHOWN = 20


def terminal_lines(result: Comparison) -> list[str]:
    """Return the lines that `fieldfare compare` prints: the verdict, then the figures side by side."""
    a, b, paired = result.a, result.b, result.paired
    rows = [("", "A", "B"), *rows_of(a, b)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [line for line in (result.verdict, near_duplicates(result)) if line]
    lines += ["", f"A  {a.path} ({a.bundle_id})", f"B  {b.path} ({b.bundle_id})", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [
        "",
        f"B minus A: {points(paired.difference)}",
        f"both right {paired.both}, only A {paired.only_a}, only B {paired.only_b}, neither {paired.neither}; "
        f"McNemar's exact p = {paired.p:.2g}",
    ]
    different = most_different(result)
    if different:
        lines += ["", "classes that differ most (right of photos):"]
        width = max(len(shortened(entry.name)) for entry in different[:5])
        lines += [
            f"  {shortened(entry.name).ljust(width)}  A {entry.right_a}, B {entry.right_b} of {entry.photos}"
            for entry in different[:5]
        ]
    return lines


def near_duplicates(result: Comparison) -> str:
    """Return a sentence on what near-duplicates mean for the verdict; '' if there are none."""
    if not result.near_duplicates:
        return ""
    copies = counted(result.near_duplicates, "photo")
    verb = "is" if result.near_duplicates == 1 else "are"
    return (
        f"{copies} of {result.photos:,} {verb} nearly the same as another, but counted like any other: the difference "
        "looks more certain than it is."
    )


def rows_of(a: Contender, b: Contender) -> list[tuple[str, str, str]]:
    """Return the figures of both as rows: (title, A, B)."""
    return [
        ("right", _share(a.top1), _share(b.top1)),
        ("at its own threshold", _at_threshold(a), _at_threshold(b)),
        ("one inference here", f"{a.invoke_ms:.2f} ms", f"{b.invoke_ms:.2f} ms"),
        ("model", f"{a.bytes_model / 1e6:.2f} MB", f"{b.bytes_model / 1e6:.2f} MB"),
        ("input", f"{a.width}x{a.height}", f"{b.width}x{b.height}"),
    ]


def points(difference: Interval) -> str:
    """Return a difference as '+3.2 points, 95 % interval -0.4 to +6.7'."""
    value, low, high = (f"{share * 100:+.1f}" for share in (difference.value, difference.low, difference.high))
    return f"{value} points, 95 % interval {low} to {high}"


def most_different(result: Comparison) -> list[ClassContest]:
    """Return the classes in which one is right more often, the largest difference first."""
    uneven = [entry for entry in result.classes if entry.right_a != entry.right_b]
    return sorted(uneven, key=lambda entry: -abs(entry.right_a - entry.right_b))


def render_comparison(result: Comparison, shown: Sequence[Disagreement]) -> str:
    """Return the page as text. It needs no network and no other file."""
    from trainer.pages.render import render
    from trainer.report import figures

    return render(
        "compare.html",
        result=result,
        rows=rows_of(result.a, result.b),
        copies=near_duplicates(result),
        points=points(result.paired.difference),
        classes=(most_different(result) if len(result.classes) > CLASSES_SHOWN else result.classes)[:CLASSES_SHOWN],
        split=split_name(result.split),
        plot=figures.contest_figure(
            result.a.curve, result.b.curve, title="Share of right answers by share of photos that get a name"
        ),
        galleries=[
            (who, [(entry, data_url(entry.picture)) for entry in shown if entry.who == who]) for who in ("A", "B")
        ],
    )


def _share(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.low * 100:.0f} to {interval.high * 100:.0f} %)"


def _at_threshold(entry: Contender) -> str:
    if entry.threshold == 0:
        return "none: names everything"
    reached = entry.at_threshold
    precision = "-" if reached.precision is None else f"{reached.precision.value:.1%}"
    return f"{entry.threshold:.3g}: names {reached.coverage:.0%}, {precision} right"
