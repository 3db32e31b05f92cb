"""fieldfare device: the installer's commands, and the check of what is on a device."""

import sqlite3
from pathlib import Path

import pytest
from fieldfare_here import Fieldfare

from edge.bundle.store import Bundle
from edge.store import schema


@pytest.fixture
def fieldfare(capsys: pytest.CaptureFixture[str]) -> Fieldfare:
    return Fieldfare(capsys)


@pytest.fixture
def settings(tmp_path: Path, sealed: Bundle) -> Path:
    file = tmp_path / "fieldfare.toml"
    file.write_text(f'bundle = "{sealed.path}"\ncamera.source = "synthetic"\nevents.store = "{tmp_path}/events.db"\n')
    return file


def test_its_commands_are_listed(fieldfare: Fieldfare) -> None:
    done = fieldfare("device", "--help")
    assert done.status == 0
    for name in ("check", "install", "status", "uninstall"):
        assert f"  {name} " in done.out


def test_the_installer_s_own_options_are_shown(fieldfare: Fieldfare) -> None:
    done = fieldfare("device", "install", "--help")
    assert done.status == 0
    assert "--previous" in done.out
    assert "--dry-run" in done.out


def test_wrong_usage_is_status_2(fieldfare: Fieldfare) -> None:
    assert fieldfare("device", "install", "--nonsense").status == 2
    assert fieldfare("device", "nonsense").status == 2


def test_what_to_install_must_be_named(fieldfare: Fieldfare, tmp_path: Path) -> None:
    done = fieldfare("device", "install", "--dry-run")
    assert (done.status, done.err.count("\n")) == (66, 1)
    assert "--kit FOLDER, --clone FOLDER or --previous" in done.err
    nowhere = fieldfare("device", "install", "--dry-run", "--kit", tmp_path)
    assert nowhere.status == 66
    assert "kit.json: cannot read" in nowhere.err


def test_settings_that_this_version_can_work_with(fieldfare: Fieldfare, settings: Path) -> None:
    done = fieldfare("device", "check", settings)
    assert done.status == 0
    assert done.lines[-1] == f"{settings}: as it must be"


def test_settings_of_another_version_are_refused_with_all_faults(fieldfare: Fieldfare, settings: Path) -> None:
    settings.write_text(settings.read_text() + "camera.telescope = 3\nengine.warp = 9\n")
    done = fieldfare("device", "check", settings)
    assert done.status == 78
    assert "telescope" in done.err
    assert "warp" in done.err


def test_a_bundle_that_arrives_is_taken_in_place_of_the_one_that_is_there(
    fieldfare: Fieldfare, settings: Path, sealed: Bundle, tmp_path: Path
) -> None:
    settings.write_text(settings.read_text().replace(str(sealed.path), "/etc/fieldfare/bundle.fieldfare"))
    assert "the service will wait for it" in fieldfare("device", "check", settings).out
    arriving = ("--instead", "/etc/fieldfare/bundle.fieldfare")
    assert "wait" not in fieldfare("device", "check", settings, *arriving, sealed.path).out
    (tmp_path / "broken.fieldfare").write_bytes(b"PK")
    assert fieldfare("device", "check", settings, *arriving, tmp_path / "broken.fieldfare").status == 65
    settings.write_text(settings.read_text() + 'decision.background = ["wombat of the moon"]\n')
    assert fieldfare("device", "check", settings, *arriving, sealed.path).status == 78


def test_a_store_of_a_newer_version_is_refused_and_a_damaged_one_is_the_recorder_s_to_mend(
    fieldfare: Fieldfare, settings: Path, tmp_path: Path
) -> None:
    store = tmp_path / "events.db"
    connection = sqlite3.connect(store)
    connection.executescript(
        f"CREATE TABLE fieldfare (key); PRAGMA application_id={schema.APPLICATION_ID}; "
        f"PRAGMA user_version={schema.version() + 1};"
    )
    connection.close()
    before = store.read_bytes()
    done = fieldfare("device", "check", settings)
    assert done.status == 65
    assert "it was written by a newer Fieldfare" in done.err
    assert store.read_bytes() == before
    store.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    assert fieldfare("device", "check", settings).status == 0
