"""fieldfare device budget, on the command line."""

import json
from pathlib import Path

import pytest
from fieldfare_here import Fieldfare


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    """The command, in this process."""
    return Fieldfare(capsys)


def test_a_table_with_where_each_figure_comes_from(fieldfare: Fieldfare) -> None:
    words = ("--board", "zero2w", "--events-a-day", 50, "--battery-wh", 74, "--card-gb", 32, "--card-tbw", 20)
    done = fieldfare("device", "budget", *words)
    assert (done.status, done.err) == (0, "")
    assert done.lines[0] == "Raspberry Pi Zero 2 W, reckoned: measure yours before you rely on it"
    names = [name for line in done.lines[1:] if (name := line[:19].strip())]
    assert names[:4] == ["camera awake", "power, awake", "power, asleep", "energy"]
    assert names[-3:] == ["pictures last", "card left", "card lasts"]
    assert "Raspberry Pi's documentation, Power" in done.out
    assert "over 10 years" in done.out
    assert max(map(len, done.lines)) <= 120


def test_settings_and_json(fieldfare: Fieldfare, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        'bundle = "b"\n[camera]\nsource = "synthetic"\nfps = 1\n[schedule]\ntimezone = "UTC"\n'
        'awake = [{from = "08:00", to = "10:00"}]\n'
    )
    words = ("--board", "pi4", "--events-a-day", 10, "--config", file, "--frame-ms", 100, "--json")
    done = fieldfare("device", "budget", *words)
    assert done.status == 0, done.err
    rows = {row["name"]: row for row in json.loads(done.out)["rows"]}
    assert rows["camera awake"]["value"] == pytest.approx(2)
    assert rows["power, awake"]["value"] == pytest.approx(3.06 + 3.06 / 40 + 1.275)
    assert "battery lasts" not in rows


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("--board", "pi2", "--events-a-day", 1), 2, "'pi2' is not one of"),
        (("--board", "pi4"), 2, "Missing option '--events-a-day'"),
        (("--board", "pi4", "--events-a-day", "nan"), 2, "not in the range"),
        (("--board", "pi4", "--events-a-day", 1, "--usable", 0), 2, "not in the range"),
        (("--board", "pi4", "--events-a-day", 1, "--card-tbw", 5), 2, "--card-tbw is for --card-gb"),
        (("--board", "pi4", "--events-a-day", 1, "--config", "nowhere.toml"), 66, "cannot read"),
    ],
)
def test_what_cannot_be_is_refused(
    fieldfare: Fieldfare, words: tuple[object, ...], status: int, complaint: str
) -> None:
    done = fieldfare("device", "budget", *words)
    assert (done.status, done.out) == (status, "")
    assert complaint in done.err
