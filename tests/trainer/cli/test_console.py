"""The output of a training on standard error."""

from collections.abc import Callable

import pytest

from trainer.cli.console import ConsoleProgress

Talk = Callable[[ConsoleProgress], object]
Shown = Callable[[Talk], str]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shown:
    """Run something with a ConsoleProgress that writes to no terminal. Returns its standard error."""
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def run(talk: Talk) -> str:
        talk(ConsoleProgress())
        streams = capsys.readouterr()
        assert streams.out == ""
        return streams.err

    return run


def stage(progress: ConsoleProgress) -> None:
    with progress.stage("reading photos", 120) as advance:
        advance(1)
        advance(119)


def test_without_a_terminal_a_stage_is_one_line(told: Shown) -> None:
    assert told(stage) == "reading photos (120)\n"


def test_on_a_terminal_a_stage_is_a_bar_that_ends_full(monkeypatch: pytest.MonkeyPatch, told: Shown) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    shown = told(stage)
    assert "reading photos" in shown
    assert "120/120" in shown


def test_a_long_line_in_a_log_is_not_broken(told: Shown) -> None:
    """A path in two pieces cannot be copied or searched for."""
    line = "left out: /data/" + "long-folder-name/" * 8 + "0001.jpg: empty file: remove it"
    assert told(lambda progress: progress.say(line)) == line + "\n"


def test_brackets_are_shown_as_they_are(told: Shown) -> None:
    assert told(lambda progress: progress.say("left out: owl[old]/1.jpg")) == "left out: owl[old]/1.jpg\n"


def test_the_table_shows_names_with_brackets_as_they_are(told: Shown) -> None:
    """Classes and folders may be called so; rich would take [male] for a colour and [/new] for an error."""
    shown = told(lambda progress: progress.table("runs[/new]/birds", [("classes", "duck [male], duck [red]")]))
    assert "runs[/new]/birds" in shown
    assert "duck [male], duck [red]" in shown


def test_nothing_in_a_name_acts_on_the_terminal(told: Shown) -> None:
    evil = "owl\x1b]0;evil\x07\x9b2J\u202e/1.jpg"
    shown = told(lambda progress: progress.say(evil)) + told(lambda progress: progress.table(evil, [(evil, evil)]))
    assert "owl?]0;evil" in shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & {*shown}
