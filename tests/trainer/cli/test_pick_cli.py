"""`fieldfare dataset pick` and `spread`: what is refused before any work, and what is printed."""

import json
import os
from pathlib import Path

import click.testing
import pytest
from mean_colours import MeanColours, colour_photo, colour_photos, sorted_photos

from edge.cli import cli, status_of
from edge.errors import OutputExistsError
from trainer.cli.dataset import dataset


def refused(capfd: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Return the exit status and the message of `fieldfare dataset WORDS`, which runs in a fork."""

    def invoke() -> None:
        with cli.make_context("fieldfare", ["dataset", *map(str, words)]) as context:
            cli.invoke(context)

    status = status_of(invoke)
    return status, capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bundle", "b", "--weights", "w"), "exclude each other"),
        (("--copy",), "--copy is for --out"),
        (("-n", "0"), "0 is not in the range"),
        (("--size", "1000"), "1000 is not in the range"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(
    words: tuple[str, ...], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    status, shown = refused(capfd, "pick", "photos", *words)
    assert status == 2
    assert message in shown


@pytest.mark.parametrize("command", [("pick",), ("spread", "few", "--out", "out")])
@pytest.mark.parametrize("option", ["--alpha", "--size"])
def test_an_option_of_weights_without_weights_is_a_usage_error(
    option: str, command: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    status, shown = refused(capfd, *command, "card", "--bundle", "b", option, "1" if option == "--alpha" else "96")
    assert status == 2
    assert f"{option} is for --weights" in shown


@pytest.mark.parametrize("precision", ["0.5", "1", "nan"])
def test_a_precision_that_cannot_be_promised_is_a_usage_error(
    precision: str, capfd: pytest.CaptureFixture[str]
) -> None:
    status, shown = refused(capfd, "spread", "few", "card", "--out", "out", "--precision", precision)
    assert status == 2
    assert "--precision" in shown


@pytest.mark.parametrize("command", [("pick",), ("spread", "few")])
def test_a_folder_that_exists_is_refused_before_any_work(
    command: tuple[str, ...], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    status, shown = refused(capfd, *command, tmp_path / "card", "--out", out)
    assert status == OutputExistsError.exit_status
    assert "exists: choose another name" in shown


def test_the_folder_written_lies_outside_those_that_are_read(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card"
    card.mkdir()
    status, shown = refused(capfd, "pick", card, "--out", card / "picked")
    assert status == OutputExistsError.exit_status
    assert "choose a place outside" in shown


@pytest.fixture
def odd_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo whose name is not UTF-8 and would clear a terminal, and colours in place of a network."""
    monkeypatch.setattr("trainer.features.opening.open_backbone", lambda *_: MeanColours())
    made = colour_photo(tmp_path / "made.png", "red", 1)
    (tmp_path / "card").mkdir()
    made.rename(tmp_path / "card" / os.fsdecode(b"owl\x1b[2J\xff.png"))
    return tmp_path / "card"


def test_odd_names_are_json(odd_card: Path) -> None:
    done = click.testing.CliRunner().invoke(dataset, ["pick", str(odd_card), "--json", "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["picked"] == [{"file": "owl\x1b[2J\ufffd.png", "stands_for": 1}]


def test_odd_names_are_a_table_with_their_bytes(odd_card: Path) -> None:
    done = click.testing.CliRunner().invoke(dataset, ["pick", str(odd_card), "--workers", "1"])
    assert done.stdout_bytes.endswith(b"file,stands_for,guess,doubt\r\nowl\x1b[2J\xff.png,1,,\r\n")


@pytest.mark.parametrize(
    ("each", "figures", "warned"),
    [
        (2, "Of 6 labelled photos that lost their label for a test, 6 got the right one", True),
        (8, "24 got the right one: that shows 93 % or more, with 90 % confidence.", False),
    ],
)
def test_spread_shows_what_its_test_proves(
    each: int, figures: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.features.opening.open_backbone", lambda *_: MeanColours())
    few, card = sorted_photos(tmp_path / "few", each), colour_photos(tmp_path / "card", {"red": 4, "blue": 3})
    words = ["spread", few, card, "--out", tmp_path / "out", "--precision", "0.55", "--workers", "1"]
    done = click.testing.CliRunner().invoke(dataset, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert figures in done.stdout
    assert ("Only 6 photos to judge by" in done.stdout) is warned


def test_spread_warns_if_fewer_labels_were_right_than_are_to_be_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.features.opening.open_backbone", lambda *_: MeanColours())
    few, card = sorted_photos(tmp_path / "few", 8), colour_photos(tmp_path / "card", {"red": 4, "blue": 3})
    for number in range(4):
        (few / "red" / f"red-{number}.png").rename(few / "green" / f"red-{number}.png")
    words = ["spread", few, card, "--out", tmp_path / "out", "--precision", "0.8", "--workers", "1"]
    done = click.testing.CliRunner().invoke(dataset, list(map(str, words)))
    assert done.exit_code == 0, done.output
    assert "Fewer of those were right than the 80 % to be expected" in done.stdout
