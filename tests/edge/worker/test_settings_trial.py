"""The trial of settings: sound ones with their bundle, or every fault on a line."""

from pathlib import Path

import pytest

from edge.bundle.store import Bundle
from edge.config.request import SettingsRequest
from edge.worker.settings_trial import judge


def judged(folder: Path, text: str, **options: object) -> tuple[str, ...]:
    """The faults of these settings."""
    file = folder / "fieldfare.toml"
    file.write_text(text)
    return judge(SettingsRequest(str(file), options)).faults


def test_sound_ones_come_back_with_the_options_over_them(sealed: Bundle, tmp_path: Path) -> None:
    file = tmp_path / "fieldfare.toml"
    file.write_text(f'bundle = "{sealed.path}"\n[camera]\nsource = "synthetic"\nfps = 5\n')
    answer = judge(SettingsRequest(str(file), {"fps": 7.0, "width": None}))
    assert answer.settings is not None
    assert answer.settings.camera.fps == 7.0
    assert (answer.bundle, answer.faults) == (sealed.bundle_id, ())


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("[camera]\nsource = 3\n", "camera.source"),
        ('[camera]\nsource = "picamera2:x"\n', "picamera2:0"),
        ('[camera]\nsource = "rtsp://user:secret@"\n', "must be a URL"),
        ('[camera]\nsource = "synthetic"\nscript = "dance 3"\n', "dance"),
        ('[camera]\nsource = "/dev/video0"\nscript = "run 3"\n', "take it out"),
        ("[decision.thresholds]\nunicorn = 0.5\n", "unicorn"),
        ("nonsense", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_reported(sealed: Bundle, tmp_path: Path, more: str, fault: str) -> None:
    faults = judged(tmp_path, f'bundle = "{sealed.path}"\n{more}')
    assert any(fault in line for line in faults)
    assert not any("secret" in line for line in faults)
    assert all("\n" not in line for line in faults)


def test_all_faults_are_reported_not_the_first(sealed: Bundle, tmp_path: Path) -> None:
    faults = judged(tmp_path, f'bundle = "{sealed.path}"\n[camera]\nwidth = 1\nheight = 2\nfbs = 3\n')
    assert len(faults) == 4  # and the line above them


@pytest.mark.parametrize("what", ["file", "bundle"])
def test_what_is_not_there_is_reported(sealed: Bundle, tmp_path: Path, what: str) -> None:
    if what == "file":
        [fault] = judge(SettingsRequest(str(tmp_path / "nowhere.toml"))).faults
    else:
        [fault] = judged(tmp_path, f'bundle = "{tmp_path / "nowhere"}"\n')
    assert "nowhere" in fault


def test_a_damaged_bundle_is_reported(bundle_copy: Path, tmp_path: Path) -> None:
    (bundle_copy / "labels.txt").write_text("one\n")
    [fault] = judged(tmp_path, f'bundle = "{bundle_copy}"\n')
    assert "SHA-256" in fault or "bytes" in fault
