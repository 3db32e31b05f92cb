"""Draw the report's pictures with matplotlib's object interface: no global state, no window.

All share one size, one style and the page's colours. A figure becomes SVG whose colours are the page's CSS
variables, so that it follows light, dark and print, and whose text is the page's text; a large one becomes a PNG.
No class or file name is drawn here: those belong to the HTML, which escapes them.
"""

import functools
import io
import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from trainer.learning.epochs import Epoch
from trainer.measuring.metrics import ReliabilityBin
from trainer.measuring.threshold import CurvePoint
from trainer.pages.thumbnail import data_url
from trainer.report.records import OutsideFigures

# Matplotlib draws with the light theme's values; _to_svg puts the names in their place.
COLOURS = {
    "ink": "#23292b",
    "muted": "#6a7472",
    "line": "#dcd8cc",
    "panel": "#fffefa",
    "good": "#1d6b66",
    "warm": "#b9601d",
    "soft": "#a9c9c4",
}
SIZE_INCHES = (4.4, 2.9)
MAX_SVG_BYTES = 120_000
_PNG_DPI = 220
_ENOUGH = 5  # photos behind a dot of full size


def figure(draw: Callable[..., None]) -> Callable[..., str]:
    """Turn a function that draws on axes into one that returns HTML: the first argument, the axes, is supplied,
    and `title` (plain words, for those who hear the page) is added."""

    @functools.wraps(draw)
    def render(*arguments: Any, title: str, **options: Any) -> str:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with rc_context(_style(draw.__name__)):
            canvas = Figure(figsize=SIZE_INCHES, layout="constrained")
            FigureCanvasAgg(canvas)
            axes = canvas.add_subplot()
            draw(axes, *arguments, **options)
            return _to_html(canvas, draw.__name__, title)

    return render


@figure
def loss_figure(axes: Any, epochs: Sequence[Epoch], kept: int) -> None:
    """Draw training and validation loss by epoch, with the kept epoch marked."""
    numbers = [entry.number for entry in epochs]
    _line(axes, numbers, [entry.train_loss for entry in epochs], "soft", "photos it learns from")
    _line(axes, numbers, [entry.val_loss for entry in epochs], "good", "validation photos")
    _mark_kept(axes, kept)
    axes.set(xlabel="epoch (one pass over the photos, more if they are few)", ylabel="loss (lower is better)")
    _whole_epochs(axes)
    axes.legend()


@figure
def accuracy_figure(axes: Any, epochs: Sequence[Epoch], head: float | None, kept: int) -> None:
    """Draw validation accuracy by epoch, from the head's (epoch 0) on."""
    numbers = [entry.number for entry in epochs]
    values = [entry.val_accuracy for entry in epochs]
    if head is not None:
        numbers, values = [0, *numbers], [head, *values]
    _line(axes, numbers, values, "good", "validation photos")
    _mark_kept(axes, kept)
    axes.set(xlabel="epoch (0: before fine-tuning)", ylabel="right answers")
    _whole_epochs(axes)
    _percent(axes.yaxis)


@figure
def calibration_figure(axes: Any, bins: Sequence[ReliabilityBin], before: Sequence[ReliabilityBin]) -> None:
    """Draw the score promised against the share right, with intervals; the diagonal is perfect."""
    axes.plot([0, 1], [0, 1], color=COLOURS["muted"], linewidth=1, linestyle=(0, (4, 3)), label="perfect")
    below = [max(0.0, entry.accuracy.value - entry.accuracy.low) for entry in bins]
    above = [max(0.0, entry.accuracy.high - entry.accuracy.value) for entry in bins]
    scores, values = [entry.score for entry in bins], [entry.accuracy.value for entry in bins]
    axes.errorbar(scores, values, yerr=[below, above], fmt="none", ecolor=COLOURS["soft"], elinewidth=3)
    if before:
        raw = [entry for entry in before if entry.photos >= _ENOUGH]
        x, y = [entry.score for entry in raw], [entry.accuracy.value for entry in raw]
        axes.plot(x, y, "x", color=COLOURS["warm"], markersize=5, label="raw scores")
    sizes = [45 if entry.photos >= _ENOUGH else 10 for entry in bins]
    axes.scatter(scores, values, s=sizes, color=COLOURS["good"], zorder=3, label="scores of the bundle")
    axes.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="score", ylabel="share that is right")
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    axes.legend(loc="lower right")


@figure
def coverage_figure(
    axes: Any,
    test: Sequence[CurvePoint],
    validation: Sequence[CurvePoint],
    promise: float | None,
    here: tuple[float, float] | None,
) -> None:
    """Draw the share of photos that get a name against the share of those that is right. here: the bundle's own
    (coverage, precision) on the test photos."""
    if validation:
        _steps(axes, validation, "soft", "validation photos")
    _steps(axes, test, "good", "test photos")
    if promise is not None:
        axes.axhline(promise, color=COLOURS["warm"], linewidth=1, linestyle=(0, (4, 3)), label="promised")
    if here is not None:
        axes.plot(*here, marker="o", markersize=8, color=COLOURS["warm"], linestyle="none", label="this bundle")
    low = min(entry.precision for entry in (*test, *validation))
    axes.set(xlim=(0, 1.02), ylim=(max(0.0, min(low, promise or 1.0) - 0.05), 1.01))
    axes.set(xlabel="photos that get a name", ylabel="of those, right")
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    axes.legend(loc="lower left")


@figure
def contest_figure(axes: Any, a: Sequence[CurvePoint], b: Sequence[CurvePoint]) -> None:
    """Draw the coverage curves of two bundles on the same photos."""
    _steps(axes, a, "warm", "A")
    _steps(axes, b, "good", "B")
    low = min(entry.precision for entry in (*a, *b))
    axes.set(xlim=(0, 1.02), ylim=(max(0.0, low - 0.05), 1.01))
    axes.set(xlabel="photos that get a name", ylabel="of those, right")
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    axes.legend(loc="lower left")


@figure
def outside_figure(axes: Any, known: Sequence[float], outside: OutsideFigures, threshold: float) -> None:
    """Draw the best scores of test photos and of photos outside the classes, as shares of each."""
    width = 1 / len(known)
    middles = [(i + 0.5) * width for i in range(len(known))]
    axes.bar(middles, known, width * 0.9, color=COLOURS["soft"], label="test photos")
    axes.step(
        [i * width for i in range(len(known) + 1)],
        [*outside.histogram, outside.histogram[-1]],
        where="post",
        color=COLOURS["warm"],
        linewidth=2,
        label="outside the classes",
    )
    if threshold > 0:
        axes.axvline(threshold, color=COLOURS["ink"], linewidth=1, linestyle=(0, (4, 3)), label="threshold")
    axes.set(xlim=(0, 1), xlabel="best score", ylabel="share of the photos")
    _percent(axes.xaxis)
    _percent(axes.yaxis)
    axes.legend(loc="upper left")


def _line(axes: Any, x: Sequence[float], y: Sequence[float], colour: str, label: str) -> None:
    axes.plot(x, y, color=COLOURS[colour], marker="o", markersize=3, label=label)


def _steps(axes: Any, points: Sequence[CurvePoint], colour: str, label: str) -> None:
    axes.plot(
        [entry.coverage for entry in points],
        [entry.precision for entry in points],
        color=COLOURS[colour],
        marker="o" if len(points) < 12 else "",
        markersize=3,
        label=label,
    )


def _mark_kept(axes: Any, kept: int) -> None:
    axes.axvline(kept, color=COLOURS["warm"], linewidth=1, linestyle=(0, (4, 3)), label="kept")


def _whole_epochs(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _percent(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.4g} %"))


def _style(salt: str) -> dict[str, Any]:
    muted, line = COLOURS["muted"], COLOURS["line"]
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "text.parse_math": False,
        "text.color": COLOURS["ink"],
        "axes.labelcolor": muted,
        "axes.edgecolor": line,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": line,
        "grid.linewidth": 0.6,
        "xtick.color": line,
        "ytick.color": line,
        "xtick.labelcolor": muted,
        "ytick.labelcolor": muted,
        "lines.linewidth": 1.8,
        "legend.frameon": True,
        "legend.framealpha": 1.0,
        "legend.facecolor": COLOURS["panel"],
        "legend.edgecolor": "none",
        "legend.fontsize": 8,
    }


def _to_html(canvas: Any, name: str, title: str) -> str:
    from markupsafe import escape

    buffer = io.BytesIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None})
    if buffer.tell() <= MAX_SVG_BYTES:
        return _to_svg(buffer.getvalue().decode(), f"{name}-{zlib.crc32(title.encode()):x}", str(escape(title)))
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=_PNG_DPI, facecolor=COLOURS["panel"])
    return f'<img class="plot" src="{data_url(buffer.getvalue(), "image/png")}" alt="{escape(title)}">'


def _to_svg(text: str, name: str, title: str) -> str:
    """Return Matplotlib's file as an element of the page: no prologue, metadata, style sheet or addresses, the page's
    fonts and colours, ids that no other figure has, two decimals of a point."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<svg[^>]*?( viewBox=\"[^\"]*\")[^>]*>", r'<svg class="plot" role="img"\1>', text, count=1)
    text = text.replace('role="img"', f'role="img" aria-label="{title}"', 1).replace("xlink:href", "href")
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r" font-family: [^;\"]*;", "", text)
    text = re.sub(r"(\d\.\d\d)\d+", r"\1", text)
    for colour, value in COLOURS.items():
        text = text.replace(value, f"var(--{colour}, {value.upper()})")
    return re.sub(r"\s*\n\s*", "\n", text)
