"""Settings are strict: file, key, value, range and the nearest known key."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import Settings, load_settings, parse_settings
from edge.errors import ConfigError, MissingInputError

ROOT = Path(__file__).resolve().parents[2]


def test_the_service_s_file_is_valid() -> None:
    settings = load_settings(ROOT / "systemd" / "fieldfare.toml")
    assert settings.camera.source == "picamera2"
    assert settings.output.console == "changes"


def test_a_bundle_is_all_that_must_be_said() -> None:
    assert parse_settings(b'bundle = "birds"', "f.toml") == Settings(bundle="birds")


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
        ('bundle = "b"\n[engine]\ndevice = "tpu"', "engine.device = 'tpu': must be auto, cpu, edgetpu, usb"),
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
