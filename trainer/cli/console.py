"""Progress bars and the summary table, with rich, on standard error: standard output is for results."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from trainer.progress import Advance


class ConsoleProgress:
    """Bars on a terminal; one line a stage elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        """As Progress.stage."""
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
        """As Progress.say."""
        self._console.print(text, markup=False, soft_wrap=True)

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """A table of two columns. Names of classes and folders may hold brackets: nothing is markup."""
        table = Table(title=Text(title), show_header=False, title_justify="left")
        for name, value in rows:
            table.add_row(Text(name), Text(value))
        self._console.print(table)
