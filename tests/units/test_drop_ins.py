"""Drop-ins: those for journal and manager hold what systemd knows, and one moves the data elsewhere."""

import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
from systemd_tools import Analyze

from edge.doctor.sandbox import parse_sandbox
from tools.make_units import made

ROOT = Path(__file__).resolve().parents[2]
UNITS = ROOT / "systemd"


def read(name: str, section: str) -> dict[str, str]:
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((UNITS / name).read_text())
    assert parser.sections() == [section]
    return dict(parser[section])


def known_to(page: str) -> str:
    """systemd's own manual, if it is on this machine."""
    done = subprocess.run(["man", "-P", "cat", page], capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        pytest.skip(f"no manual of {page} here")
    return done.stdout


@pytest.mark.parametrize(
    ("name", "section", "page"),
    [
        ("journald-fieldfare.conf", "Journal", "journald.conf"),
        ("watchdog.conf", "Manager", "systemd-system.conf"),
    ],
)
def test_systemd_knows_every_key(name: str, section: str, page: str) -> None:
    manual = known_to(page)
    assert [key for key in read(name, section) if f"{key}=" not in manual] == []


def test_the_journal_is_bounded_and_outlives_a_reboot() -> None:
    keys = read("journald-fieldfare.conf", "Journal")
    assert keys["Storage"] == "persistent"
    assert (keys["SystemMaxUse"], keys["RuntimeMaxUse"]) == ("64M", "16M")


def test_the_board_s_watchdog_waits_no_longer_than_a_pi_s_can() -> None:
    assert int(read("watchdog.conf", "Manager")["RuntimeWatchdogSec"]) <= 15


class TestDataElsewhere:
    @pytest.mark.parametrize("unit", [name for name in made() if "reboot" not in name and "poweroff" not in name])
    def test_systemd_takes_it_for_every_unit(self, unit: str, tmp_path: Path, systemd_analyze: Analyze) -> None:
        folder = tmp_path / f"{unit}.d"
        folder.mkdir()
        (tmp_path / unit).write_text(made()[unit])
        (folder / "data.conf").write_text((UNITS / "data-elsewhere.conf").read_text())
        done = systemd_analyze("verify", tmp_path / unit)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_the_service_may_write_there_and_waits_for_it(self) -> None:
        drop_in = (UNITS / "data-elsewhere.conf").read_text()
        assert "After=media-data.mount" in drop_in.splitlines()
        text = (UNITS / "fieldfare.service").read_text()
        units = (text, f"{text}\n{drop_in}")
        views = [found.view for one in units if (found := parse_sandbox(one, "x.service").rule("/media/data/e.db"))]
        assert views == ["read", "write"]

    def test_a_stick_that_is_pulled_does_not_end_the_service(self) -> None:
        lines = (UNITS / "data-elsewhere.conf").read_text().splitlines()
        assert not any(line.startswith(("Requires", "BindsTo=", "PartOf=")) for line in lines)

    def test_one_that_is_plugged_in_later_is_not_hidden(self) -> None:
        """systemd binds a path of ReadWritePaths= over itself, and a later mount there would lie beneath that."""
        lines = (UNITS / "data-elsewhere.conf").read_text().splitlines()
        assert [line for line in lines if line.startswith("ReadWritePaths=")] == ["ReadWritePaths=-/media"]


@pytest.mark.parametrize("path", sorted(UNITS.glob("*.conf")), ids=lambda path: path.name)
def test_each_says_where_it_goes_and_is_documented(path: Path) -> None:
    assert "Goes to /etc/systemd/" in path.read_text().replace("\n# ", " ")
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert f"systemd/{path.name}" in pages
