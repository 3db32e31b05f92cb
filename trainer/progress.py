"""The protocol by which training shows what it is doing, on a terminal or nowhere."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

Advance = Callable[[int], None]


class Progress(Protocol):
    """Shows stages with a bar each, and remarks between them."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Advance]:
        """Show a stage of `total` steps; what it yields is called with the number of steps just done."""

    def say(self, text: str) -> None:
        """Show one line of news."""
