"""Settings are strict: file, key, value, range and the nearest known key."""

import os
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.inspect import FloatType, IntType
from setting_keys import both_ends, numeric_keys

from edge.config.loading import MAX_BYTES, check_sendable, load_settings, parse_settings, parse_size, settings_from
from edge.config.running import Camera
from edge.config.settings import MAX_SENT, Settings
from edge.errors import ConfigError, MissingInputError


def test_a_bundle_is_all_that_must_be_said() -> None:
    assert parse_settings(b'bundle = "birds"', "f.toml") == Settings(bundle="birds")


def test_a_byte_order_mark_is_passed_over() -> None:
    assert parse_settings(b'\xef\xbb\xbfbundle = "birds"', "f.toml") == Settings(bundle="birds")


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
        ('bundle = "b"\n[camera]\nwidth = 7', "camera.width = 7: must be a whole number from 32 to 8192"),
        ('bundle = "b"\n[camera]\nwidth = "wide"', "camera.width = 'wide': must be a whole number from 32"),
        ('bundle = "b"\n[camera]\nfps = 0', "camera.fps = 0: must be a number from 0.001 to 1000"),
        ('bundle = "b"\n[engine]\nthreads = 0', "engine.threads = 0: must be a whole number from 1 to 64"),
        ('bundle = "b"\n[engine]\ndevice = "tpu"', "engine.device = 'tpu': must be auto, cpu, any, usb"),
        ('bundle = "b"\n[camera]\nregion = [0, 0, 1]', "camera.region = [0, 0, 1]: must be four numbers from 0 to 1"),
        ('bundle = "b"\n[camera]\nregion = [0, 0, 1, 2]', "camera.region = [0, 0, 1, 2]: must be four numbers"),
        (
            'bundle = "b"\n[camera]\nregion = [0.5, 0, 0.6, 1]',
            "camera.region = [0.5, 0, 0.6, 1]: must be inside the picture: left + width and top + height at most 1",
        ),
        ('bundle = "b"\n[camera]\nregion = [0, 0, 0, 1]', "camera.region = [0, 0, 0, 1]: must be inside the picture"),
        ('bundle = "b"\n[camera]\nexposure = "long"', "camera.exposure = 'long': must be auto, or microseconds from 1"),
        ('bundle = "b"\n[camera]\nfrozen_s = -1', "camera.frozen_s = -1: must be a number from 0 to 3600"),
        ('bundle = "b"\n[load]\ncpu_percent = 0', "load.cpu_percent = 0: must be a number from 1 to 100"),
        (
            'bundle = "b"\n[load]\nmax_temperature = 70',
            "[load] unknown key 'max_temperature': did you mean 'max_temperature_c'?",
        ),
        (
            'bundle = "b"\n[recovery]\nreboots_a_day = 25',
            "recovery.reboots_a_day = 25: must be a whole number from 1 to",
        ),
        ('bundle = "b"\n[recovery]\nusb_reset = "no"', "recovery.usb_reset = 'no': must be true or false"),
        ('bundle = "b"\n[engine]\nruntime = "onnx"', "engine.runtime = 'onnx': must be auto, litert or tflite-runtime"),
        ('bundle = "b"\n[output]\nconsole = "some"', "output.console = 'some': must be all, changes or off"),
        ('bundle = "b"\n[decision]\nsmoothing = 1.0', "decision.smoothing = 1.0: must be a number from 0 to under 1"),
        ('bundle = "b"\ncamera = 640', "camera = 640: must be a table of keys"),
        (
            f'bundle = "b"\n[camera]\nwidth = {"9" * 4000}',
            f"camera.width = {'9' * 100}...: must be a whole number from",
        ),
        (f'bundle = "b"\n[camera]\nwidth = 0x{"f" * 5000}', "camera.width = (a number too long to print): must be a"),
        ('bundle = "b"\n[engine]\ndevice = "usb:0\\n"', r"engine.device = 'usb:0\n': must be auto, cpu"),
        ('bundle = "b"\n[camera]\nformat = "MJPG\\n"', r"camera.format = 'MJPG\n': must be auto, MJPG"),
        ('bundle = "a\\u0000b"', r"bundle = 'a\x00b': must be a text that is not empty and holds no NUL character"),
        ('bundle = ""', "bundle = '': must be a text that is not empty"),
        ('bundle = "b"\n[camera]\nsource = "a\\u0000"', r"camera.source = 'a\x00': must be a text"),
        ('bundle = "b"\n[camera]\nscript = "\\u0000"', r"camera.script = '\x00': must be a text that holds no NUL"),
        ('bundle = "b"\n[engine]\nedgetpu_library = "\\u0000"', r"engine.edgetpu_library = '\x00': must be a text"),
        ('bundle = "b"\n[output]\njsonl = "\\u0000"', r"output.jsonl = '\x00': must be a text"),
        ('bundle = "b"\n[output]\njsonl = ""', "output.jsonl = '': must be a text that is not empty"),
        ('bundle = "b"\n[camera]\n"source\\n" = "x"', r"[camera] unknown key 'source\n': did you mean 'source'?"),
        ('bundle = "b"\n"bund`le" = 1', "unknown key 'bund`le': did you mean 'bundle'?"),
        (f'bundle = "b"\n{"z" * 4000} = 1', f"unknown key '{'z' * 99}...: known keys: "),
        ("bundle = ", "not valid TOML"),
        ("\x00", "not valid TOML"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text.encode(), "/etc/fieldfare.toml")
    assert str(caught.value).startswith("/etc/fieldfare.toml: ")
    assert message in str(caught.value)


class TestOptions:
    """Options of the command line are put over the file's values, by the names of the keys."""

    FILE = b'bundle = "birds"\n[camera]\nsource = "clip.avi"\nfps = 5\n'

    def test_replace_what_the_file_has_and_leave_the_rest(self) -> None:
        settings = parse_settings(self.FILE, "f.toml", source="synthetic", threads=4, fps=None, console="off")
        assert settings.camera == Camera(source="synthetic", fps=5)
        assert (settings.bundle, settings.engine.threads, settings.output.console) == ("birds", 4, "off")

    def test_need_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "f.toml").write_bytes(self.FILE)
        without = load_settings(None, bundle="birds", source="clip.avi", fps=5)
        assert without == load_settings(tmp_path / "f.toml")

    def test_may_name_the_bundle_that_the_file_leaves_out(self) -> None:
        assert parse_settings(b"[camera]\nfps = 5\n", "f.toml", bundle="birds").bundle == "birds"

    @pytest.mark.parametrize(
        "text",
        ['bundle = "b"\n[camera]\nwidth = 7', 'bundle = "b"\n[camera]\nsuorce = "x"', "[camera]\n", "camera = 640"],
    )
    def test_an_error_in_the_file_names_the_file_also_beside_an_option(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"^f\.toml: "):
            parse_settings(text.encode(), "f.toml", fps=5.0, threads=1)

    def test_an_error_in_an_option_does_not(self) -> None:
        with pytest.raises(ConfigError, match=r"^camera\.fps = 0: must be a number from 0\.001 to 1000$"):
            parse_settings(self.FILE, "f.toml", fps=0)

    def test_a_value_that_an_option_replaces_is_not_judged(self) -> None:
        assert parse_settings(b'bundle = ""\n', "f.toml", bundle="birds").bundle == "birds"

    def test_are_not_taken_for_a_section_of_their_name(self) -> None:
        assert settings_from({"bundle": "birds"}, device="cpu").engine.device == "cpu"

    @pytest.mark.parametrize(("key", "keys"), [("timeout_s", 3), ("zzz", 0)])
    def test_a_name_must_be_that_of_one_key(self, key: str, keys: int) -> None:
        with pytest.raises(ValueError, match=f"^{key} is the name of {keys} keys$"):
            settings_from({}, bundle="birds", **{key: 1})


def test_bytes_that_are_no_utf_8_cannot_be_sent_to_the_worker() -> None:
    settings = load_settings(None, bundle=os.fsdecode(b"bird\xe9"))
    with pytest.raises(ConfigError, match=r"^'bird\\udce9': not UTF-8: rename it$"):
        check_sendable(settings)
    check_sendable(load_settings(None, bundle="bird\u00e9"))


NUMBERS = [pytest.param(*found, id=f"{found[0]}.{found[1]}") for found in numeric_keys()]


# What a section needs beside the key that a test is about.
NEEDED: dict[str, dict[str, Any]] = {
    "mqtt": {"host": "broker"},
    "event_lines": {"file": "events.jsonl"},
    "metrics": {"file": "fieldfare.prom"},
    "hook": {"command": ["true"]},
    "gpio": {"pin": 17},
    "power": {"file": "/run/ups/low"},
    "led": {"name": "ACT"},
    "device": {"latitude": 50, "longitude": 8},
}
STORE = {"store": "events.db"}


@pytest.mark.parametrize(
    ("section", "name", "kind"), [given for given in NUMBERS if given.id not in ("gpio.pin", "led.pin", "power.pin")]
)
def test_a_wrong_number_is_told_with_both_ends_of_the_range(section: str, name: str, kind: IntType | FloatType) -> None:
    assert kind.ge is not None
    most = kind.lt if kind.le is None else kind.le + 1
    wrong: list[Any] = [kind.ge - 1, most, 2**70, float("nan"), float("inf"), "many", True, [1], {}]
    for value in wrong:
        with pytest.raises(ConfigError) as caught:
            settings_from({"bundle": "b", "events": STORE, section: {**NEEDED.get(section, {}), name: value}})
        message = str(caught.value)
        shown = "true" if value is True else repr(value)  # as TOML has it
        assert message.startswith(f"{section}.{name} = {shown}: must be ")
        assert f" from {both_ends(kind)}" in message
        assert "\n" not in message


def test_every_section_has_numbers_or_windows() -> None:
    everywhere = set(Settings.__struct_fields__) - {"bundle"}
    assert {section for section, _, _ in numeric_keys()} == everywhere - {"schedule"}
    assert len(NUMBERS) > 40


@pytest.mark.parametrize(("text", "size"), [("640x480", (640, 480)), ("32X8192", (32, 8192)), ("0x1", (0, 1))])
def test_a_size(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "big",
        "640",
        "640x",
        "x480",
        "-1x480",
        "640x480x3",
        "64 0x480",
        "\u00b2x\u00b2",
        "\u0663x\u0663",
        "9" * 5000 + "x1",
    ],
)
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--size .*: must be WIDTHxHEIGHT, such as 640x480$") as caught:
        parse_size(text)
    assert len(str(caught.value)) < 200


def test_a_missing_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="cannot read"):
        load_settings(tmp_path / "nowhere.toml")


@given(st.text(alphabet=string.printable, max_size=200))
def test_no_text_crashes_the_parser(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_settings(text.encode(), "f.toml")


class TestBounds:
    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"a." * 20_000 + b"a = 1", "line 1 has 20000 dots: must be at most 2000"),
            (b"a = " + b"[" * 9000, "nested too deeply"),
            (b"a = " + b"9" * 9000, "not valid TOML"),
            (b'bundle = "b"\n[camera]\nwidth = 0x' + b"f" * 9000, "a number too long to print"),
            (b'bundle = "b"\n[camera]\nsource = ' + b"[" * 400 + b"]" * 400, "camera.source"),
        ],
    )
    def test_no_file_takes_long_or_fails_otherwise(self, data: bytes, message: str) -> None:
        with pytest.raises(ConfigError, match=message) as caught:
            parse_settings(data, "f.toml")
        assert len(str(caught.value)) < 400

    def test_a_file_that_is_no_settings_file_is_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "large.toml").write_bytes(b"#" * (MAX_BYTES + 1))
        with pytest.raises(ConfigError, match="must be a settings file of at most 65536 bytes"):
            load_settings(tmp_path / "large.toml")
        with pytest.raises(MissingInputError, match="not a plain file"):
            load_settings(Path("/dev/zero"))

    def test_what_is_too_long_for_a_message_to_the_worker_is_refused(self) -> None:
        with pytest.raises(ConfigError, match=f"must be at most {MAX_SENT}"):
            check_sendable(settings_from({"bundle": "b" * MAX_SENT}))
        check_sendable(settings_from({"bundle": "b" * (MAX_SENT - 2000)}))


class TestPasswords:
    @pytest.mark.parametrize(
        "text",
        [
            'bundle = "b"\n[camera]\nwidth = "rtsp://me:hush42@cam/x"',
            'bundle = "b"\n[camera]\nsource = ["rtsp://me:hush 42@cam/x"]',
            'bundle = "b"\n[camera]\nformat = "rtsp:/me:hush42@cam/x"',
            'bundle = "b"\n[camera]\n"rtsp://me:hush42@cam/x" = 1',
            'bundle = "b"\n"http://cam/x?pwd=hush42" = 1',
            '[["rtsp://me:hush42@cam"]]\n["rtsp://me:hush42@cam"]',
            'bundle = {source = "rtsp://me:hush42@cam/x"}',
        ],
    )
    def test_a_value_or_a_key_in_the_wrong_place_shows_none(self, text: str) -> None:
        with pytest.raises(ConfigError) as caught:
            parse_settings(text.encode(), "f.toml")
        assert "hush" not in str(caught.value)


@given(st.binary(max_size=300), st.sampled_from([b"", b'bundle = "b"\n', b'bundle = "b"\n[camera]\nsource = ']))
def test_no_bytes_crash_the_parser(data: bytes, start: bytes) -> None:
    try:
        parse_settings(start + data, "f.toml")
    except ConfigError as error:
        assert len(str(error)) < 600
