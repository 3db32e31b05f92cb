"""The doctor compares the credentials of the settings with those of the units."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.board import Board
from edge.config.keeping import Events
from edge.config.running import Camera
from edge.config.sending import Mqtt
from edge.config.settings import Settings
from edge.doctor.case import Case
from edge.doctor.credentials import credentials

UNITS = Path(__file__).resolve().parents[3] / "systemd"
CAMERA = Camera(source="rtsp://viewer@192.168.1.20/stream", password_file="credential:camera-password")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A machine with the units as delivered, and without systemd."""
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for name in ("fieldfare.service", "fieldfare-outputs.service"):
        (folder / name).write_text((UNITS / name).read_text())
    return Case(board=Board(), etc=tmp_path / "etc", call=lambda _: None)


def look(case: Case, settings: Settings) -> list[str]:
    return [f"{found.kind}: {found.seen}" for found in credentials(replace(case, settings=settings))]


def test_without_any_there_is_nothing_to_check(case: Case) -> None:
    assert look(case, Settings(bundle="b")) == ["not here: the settings name none"]


def test_one_that_is_in_the_store_is_well(case: Case) -> None:
    (case.etc / "credstore").mkdir()
    (case.etc / "credstore/fieldfare.camera-password").write_text("hush42")
    [line] = look(case, Settings(bundle="b", camera=CAMERA))
    assert line == "ok: camera.password_file: credential:camera-password"


def test_one_that_is_nowhere_is_a_problem(case: Case) -> None:
    settings = Settings(
        bundle="b", events=Events(store="e.db"), mqtt=Mqtt(host="h", password_file="credential:mqtt-password")
    )
    [line] = look(case, settings)
    assert line.startswith("problem: mqtt.password_file = credential:mqtt-password")
    assert "/etc/credstore/fieldfare.mqtt-password is not there" in line


def test_one_that_the_unit_does_not_hand_over_is_a_problem(case: Case) -> None:
    camera = Camera(source=CAMERA.source, password_file="credential:other")
    [line] = look(case, Settings(bundle="b", camera=camera))
    assert line == "problem: camera.password_file = credential:other: fieldfare.service has camera-password"


@pytest.mark.parametrize(
    "text",
    [
        "SetCredentialEncrypted=camera-password: abc",
        "LoadCredential=\nLoadCredentialEncrypted=camera-password:FILE",
    ],
)
def test_a_drop_in_may_have_it_encrypted(case: Case, tmp_path: Path, text: str) -> None:
    (tmp_path / "encrypted").touch()
    folder = case.etc / "systemd/system/fieldfare.service.d"
    folder.mkdir()
    (folder / "password.conf").write_text(f"[Service]\n{text.replace('FILE', str(tmp_path / 'encrypted'))}\n")
    [line] = look(case, Settings(bundle="b", camera=CAMERA))
    assert line.startswith("ok: ")
