"""A Progress for tests that keeps its lines and counts its steps."""

from collections.abc import Iterator
from contextlib import contextmanager

from trainer.progress import Advance


class Heard:
    """lines: what was shown. done: steps of all stages."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done = 0

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Advance]:
        def advance(steps: int) -> None:
            self.done += steps

        yield advance

    def say(self, text: str) -> None:
        self.lines.append(text)
