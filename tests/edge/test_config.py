"""Settings are strict: file, key, value, range and the nearest known key."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import Camera, Settings, load_settings, parse_settings
from edge.errors import ConfigError, MissingInputError

ROOT = Path(__file__).resolve().parents[2]


def test_the_service_s_file_is_valid() -> None:
    settings = load_settings(ROOT / "systemd" / "fieldfare.toml")
    assert settings.camera.source == "picamera2"
    assert settings.output.console == "changes"


def test_a_bundle_is_all_that_must_be_said() -> None:
    assert parse_settings(b'bundle = "birds"', "f.toml") == Settings(bundle="birds")


@pytest.mark.parametrize(
    ("source", "loop", "endless"),
    [
        ("picamera2:1", False, True),
        ("/dev/video0", False, True),
        ("rtsp://camera/1", False, True),
        ("synthetic", False, True),
        ("pictures", False, False),
        ("pictures", True, True),
    ],
)
def test_what_may_be_opened_again_after_a_fault(source: str, loop: bool, endless: bool) -> None:
    assert Camera(source=source, loop=loop).endless == endless


@pytest.mark.parametrize(("timeout_s", "fps", "patience_s"), [(3, None, 3), (3, 10, 3), (3, 0.1, 30), (60, 0.1, 60)])
def test_a_slow_camera_is_given_the_time_of_three_frames(
    timeout_s: float, fps: float | None, patience_s: float
) -> None:
    assert Camera(timeout_s=timeout_s, fps=fps).patience_s == pytest.approx(patience_s)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "key 'bundle' is missing"),
        ('bundle = "b"\n[camera]\nsuorce = "x"', "[camera] unknown key 'suorce': did you mean 'source'?"),
        ('bundle = "b"\n[camera]\nzzz = 1', "[camera] unknown key 'zzz': known keys: source, width"),
        ('bundel = "b"', "unknown key 'bundel': did you mean 'bundle'?"),
        ('bundle = "b"\n[camera]\nwidth = 7', "camera.width = 7: must be int >= 32"),
        ('bundle = "b"\n[camera]\nwidth = "wide"', "camera.width = 'wide': must be int, got str"),
        ('bundle = "b"\n[camera]\nfps = 0', "camera.fps = 0: must be float >= 0.001"),
        ('bundle = "b"\n[engine]\nthreads = 0', "engine.threads = 0: must be int >= 1"),
        ('bundle = "b"\n[engine]\ndevice = "tpu"', "engine.device = 'tpu': must be auto, cpu, any, usb"),
        ('bundle = "b"\n[camera]\nregion = [0, 0, 1]', "camera.region = [0, 0, 1]: must be four numbers from 0 to 1"),
        ('bundle = "b"\n[camera]\nregion = [0, 0, 1, 2]', "camera.region = [0, 0, 1, 2]: must be four numbers"),
        (
            'bundle = "b"\n[camera]\nregion = [0.5, 0, 0.6, 1]',
            "camera.region = [0.5, 0, 0.6, 1]: must be inside the picture: left + width and top + height at most 1",
        ),
        ('bundle = "b"\n[camera]\nregion = [0, 0, 0, 1]', "camera.region = [0, 0, 0, 1]: must be inside the picture"),
        ('bundle = "b"\n[camera]\nexposure = "long"', "camera.exposure = 'long': must be auto, or microseconds from 1"),
        ('bundle = "b"\n[camera]\nfrozen_s = -1', "camera.frozen_s = -1: must be float >= 0"),
        ('bundle = "b"\n[load]\ncpu_percent = 0', "load.cpu_percent = 0: must be float >= 1"),
        (
            'bundle = "b"\n[load]\nmax_temperature = 70',
            "[load] unknown key 'max_temperature': did you mean 'max_temperature_c'?",
        ),
        ('bundle = "b"\n[recovery]\nreboots_a_day = 25', "recovery.reboots_a_day = 25: must be int <= 24"),
        ('bundle = "b"\n[recovery]\nusb_reset = "no"', "recovery.usb_reset = 'no': must be bool, got str"),
        ('bundle = "b"\n[engine]\nruntime = "onnx"', "engine.runtime = 'onnx': must be auto, litert or tflite-runtime"),
        ('bundle = "b"\n[decision]\nsmoothing = 1.0', "decision.smoothing = 1.0: must be float < 1"),
        ("bundle = ", "not valid TOML"),
        ("\x00", "not valid TOML"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text.encode(), "/etc/fieldfare.toml")
    assert str(caught.value).startswith("/etc/fieldfare.toml: ")
    assert message in str(caught.value)


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read"):
        load_settings(tmp_path / "nowhere.toml")


@given(st.text(alphabet=string.printable, max_size=200))
def test_no_text_crashes_the_parser(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_settings(text.encode(), "f.toml")
