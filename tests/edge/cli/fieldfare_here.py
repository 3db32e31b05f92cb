"""Run the command line in this process: quick, for commands that start nothing."""

from dataclasses import dataclass

import pytest

from edge.cli import cli, status_of


@dataclass(frozen=True)
class Done:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Its output, line by line."""
        return self.out.splitlines()


class Fieldfare:
    """The command `fieldfare`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Done:
        def invoke() -> None:
            with cli.make_context("fieldfare", [str(word) for word in words]) as context:
                cli.invoke(context)

        self._capsys.readouterr()
        status = status_of(invoke)
        shown = self._capsys.readouterr()
        return Done(status, shown.out, shown.err)
