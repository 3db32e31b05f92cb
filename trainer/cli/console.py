"""Show progress bars and the summary table, with rich, on standard error: standard output is for results."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from trainer.pages.words import clean
from trainer.progress import Advance


class ConsoleProgress:
    """A Progress that shows bars on a terminal, and otherwise prints one line a stage."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """Show a bar of `total` steps while the block runs. See Progress.stage."""
        if not self._console.is_terminal:
            self._console.print(f"{title} ({total})")
            yield lambda _: None
            return
        columns = (
            TextColumn("{task.description:<26}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=self._console) as bars:
            task = bars.add_task(title, total=total)
            yield lambda steps: bars.advance(task, steps)

    def say(self, text: str) -> None:
        """Print `text` above the bars. See Progress.say."""
        self._console.print(clean(text), markup=False, soft_wrap=True)

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Print a table of two columns."""
        # Text() keeps brackets in the names of classes and folders from being taken as markup.
        table = Table(title=Text(clean(title)), show_header=False, title_justify="left")
        for name, value in rows:
            table.add_row(Text(clean(name)), Text(clean(value)))
        self._console.print(table)
