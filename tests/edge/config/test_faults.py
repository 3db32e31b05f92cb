"""All faults of the settings are listed at once, each as it would be alone."""

import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.faults import find_faults
from edge.config.loading import parse_settings, settings_from
from edge.config.settings import Settings
from edge.errors import ConfigError

STORE = '[events]\nstore = "e.db"\n'


def refused(text: str, **options: object) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        parse_settings(text.encode(), "f.toml", **options)
    return caught.value


class TestSeveral:
    TEXT = """
        bundel = "b"
        [camera]
        width = 7
        suorce = "x"
        region = [0.5, 0, 0.6, 1]
        [mqtt]
        port = 0
        [[schedule.awake]]
        from = "25:00"
        """

    def test_are_counted_and_listed_a_line_each_in_the_order_of_the_file_s_sections(self) -> None:
        error = refused(self.TEXT)
        assert error.heading == "f.toml: 10 settings are wrong:"
        assert error.faults == (
            "unknown key 'bundel': did you mean 'bundle'?",
            "camera.width = 7: must be a whole number from 32 to 8192",
            "[camera] unknown key 'suorce': did you mean 'source'?",
            "camera.region = [0.5, 0, 0.6, 1]: must be inside the picture: left + width and top + height at most 1",
            "mqtt.port = 0: must be a whole number from 1 to 65535",
            "[mqtt] key 'host' is missing",
            'schedule.awake, number 1, from = \'25:00\': must be a time such as "06:30", or "sunrise" or "sunset", '
            'with or without an offset such as "sunset-0:30"',
            "schedule.awake, number 1: key 'to' is missing",
            "key 'bundle' is missing",
            '[mqtt] needs events to be kept: add events.store = FILE, such as "/var/lib/fieldfare/events.db"',
        )

    def test_are_one_line_as_a_text(self) -> None:
        text = str(refused(self.TEXT))
        assert text.startswith("f.toml: 10 settings are wrong: unknown key 'bundel': did you mean 'bundle'?; camera.w")
        assert "\n" not in text

    def test_are_each_the_message_that_it_would_be_alone(self) -> None:
        one = refused('bundle = "b"\n[camera]\nwidth = 7\n')
        assert (str(one), one.faults) == ("f.toml: camera.width = 7: must be a whole number from 32 to 8192", ())

    def test_name_the_file_in_each_line_if_an_option_is_wrong_too(self) -> None:
        error = refused('bundle = "b"\n[camera]\nwidth = 7\n', threads=0)
        assert error.heading == "2 settings are wrong:"
        assert error.faults == (
            "f.toml: camera.width = 7: must be a whole number from 32 to 8192",
            "engine.threads = 0: must be a whole number from 1 to 64",
        )

    def test_are_listed_up_to_twenty(self) -> None:
        error = refused('bundle = "b"\n[camera]\n' + "".join(f"zzz{number} = 1\n" for number in range(25)))
        assert error.heading == "f.toml: 25 settings are wrong:"
        assert len(error.faults) == 21
        assert error.faults[-1] == "and 5 more"

    def test_of_a_file_full_of_them_take_no_time(self) -> None:
        error = refused('bundle = "b"\n[hook]\nlabels = [' + "0," * 30_000 + "]\n")
        assert error.heading == "f.toml: 30002 settings are wrong:"
        assert error.faults[0].startswith("hook.labels, number 1 = 0: must be a text that is not empty")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[device]\nname = "a b"', "device.name = 'a b': must be 1 to 64 letters, digits, dots, hyphens"),
        ("[device]\nlatitude = 50", "device.longitude: must be given together with latitude, or neither"),
        ("[device]\nlongitude = 50", "device.longitude = 50: must be given together with latitude, or neither"),
        ("[device]\nlatitude = 91\nlongitude = 8", "device.latitude = 91: must be a number from -90 to 90"),
        ("[device]\nlattitude = 50", "[device] unknown key 'lattitude': did you mean 'latitude'?"),
        ("[events]\nmin_duration = 3", "[events] unknown key 'min_duration': did you mean 'min_duration_s'?"),
        ("[decision]\nthresholds = 0.5", "decision.thresholds = 0.5: must be a table of labels, each with a number"),
        ("[decision.thresholds]\nfox = 2", "decision.thresholds.fox = 2: must be a number from 0 to 1"),
        ('[decision.thresholds]\n"red fox" = 2', "decision.thresholds.'red fox' = 2: must be a number from 0 to 1"),
        ('[decision.thresholds]\n"" = 1', "decision.thresholds.'' = '': must be a text that is not empty"),
        ('[decision]\nbackground = "empty"', "decision.background = 'empty': must be a list, each a text"),
        ("[decision]\nbackground = ['a', '']", "decision.background, number 2 = '': must be a text that is not empty"),
        ("[schedule]\nawake = 5", "schedule.awake = 5: must be a list of at most 64 windows: begin each"),
        ("[schedule]\nawake = [5]", "schedule.awake, number 1 = 5: must be a table of keys"),
        (
            "[[schedule.awake]]\nform = 1\nto = '06:00'\nfrom = '05:00'",
            "schedule.awake, number 1: unknown key 'form': did you mean 'from'?",
        ),
        (
            "[[schedule.awake]]\nto = '06:00'\nfrom = '05:00'\ndays = ['so']",
            "schedule.awake, number 1, days, number 1 = 'so': must be mon, tue, wed, thu, fri, sat or sun",
        ),
        (
            "[[schedule.awake]]\nto = 06:00:00\nfrom = '05:00'",
            "schedule.awake, number 1, to = 06:00:00: must be a time such as",
        ),
        (
            "[[schedule.awake]]\nto = 2026-11-29\nfrom = '05:00'",
            'to = 2026-11-29: must be a time such as "06:30", or "sunrise" or "sunset", with or without an offset such '
            'as "sunset-0:30", in quotes',
        ),
        (
            "[[schedule.awake]]\nto = '06:00'\nfrom = '05:00'\ndays = []",
            "days = []: must be a list of mon, tue, wed, thu, fri, sat or sun, at least one; leave it out",
        ),
        (
            "[[schedule.awake]]\nto = '06:00'\nfrom = '05:00'\ndays = 'mon'",
            "days = 'mon': must be a list of mon, tue, wed, thu, fri, sat or sun, at least one",
        ),
        (
            "[[schedule.awake]]\nto = '06:00'\nfrom = '05:00'\ndays = [2026-11-29]",
            "days, number 1 = 2026-11-29: must be mon, tue, wed, thu, fri, sat or sun, in quotes",
        ),
        ("[pictures]\nmax_side = true", "pictures.max_side = true: must be a whole number from 64 to 8192"),
        ("[decision]\nbackground = [true]", "decision.background, number 1 = true: must be a text that is not empty"),
        ("[decision]\nthresholds = [06:00:00]", "decision.thresholds = [06:00:00]: must be a table of labels"),
        ("mqtt = 5", "mqtt = 5: must be a table of keys"),
        (f'{STORE}[mqtt]\nhost = "b"\ntopic = "a/#"', "mqtt.topic = 'a/#': must be a topic of 1 to 200 characters"),
        (f'{STORE}[mqtt]\nhost = "b"\ndiscovery = "/"', "mqtt.discovery = '/': must be a topic of 1 to 200 charact"),
        (f'{STORE}[mqtt]\nhost = "b"\nkey = "k.pem"', "mqtt.key = 'k.pem': must be given together with certificate"),
        (f"{STORE}[metrics]", "metrics.file: must be given, or port: otherwise nothing is written"),
        (f'{STORE}[hook]\ncommand = "ls -l"', "hook.command = ***: must be the program and its arguments, a list of 1"),
        (f"{STORE}[hook]\ncommand = []", "hook.command = ***: must be the program and its arguments, a list of 1"),
        (f"{STORE}[gpio]\npin = 99", "gpio.pin = 99: must be a whole number from 0 to 53, or a name such as"),
        (f"{STORE}[event_lines]", "[event_lines] key 'file' is missing"),
    ],
)
def test_mistakes_in_the_sections_of_events_are_named(text: str, message: str) -> None:
    separator = "" if text.startswith("[") else f"{text}\n"
    error = refused(f'bundle = "b"\n{separator}{"" if separator else text}')
    if text != "mqtt = 5":  # which also needs a store
        assert error.faults == ()
    assert message in str(error)


def test_the_sections_of_events_are_read() -> None:
    settings = parse_settings(
        b"""
        bundle = "b"
        [events]
        store = "e.db"
        [decision]
        background = ["empty"]
        thresholds = { fox = 0.9, "red deer" = 1 }
        [[schedule.awake]]
        from = "22:00"
        to = "06:00"
        days = ["fri", "sat"]
        [mqtt]
        host = "broker"
        discovery = ""
        topic = "f"
        [gpio]
        pin = "BOARD11"
        """,
        "f.toml",
    )
    assert settings.decision.thresholds == {"fox": 0.9, "red deer": 1}
    (window,) = settings.schedule.awake
    assert (window.begin, window.end, window.days) == ("22:00", "06:00", ("fri", "sat"))
    assert settings.mqtt is not None
    assert settings.mqtt.discovery == ""


@pytest.mark.parametrize(
    "text",
    [
        '[mqtt]\npassword = "hush42"',
        '[mqtt]\npassword_file = ["hush42"]',
        '[mqtt]\nusername = ["me:hush42"]',
        '[hook]\ncommand = "curl -u me:hush42 http://x"',
        "[hook]\ncommand = ['curl', '-u', 'me:hush42', '']",
        "[hook]\ncommand = ['curl', 5, { a = 'hush42' }]",
        "[decision.thresholds]\n'rtsp://me:hush42@cam' = 5",
        "[schedule]\ntimezone = 'rtsp://me:hush42@cam'",
        "[[schedule.awake]]\nfrom = 'sunset://me:hush42@cam'\nto = '06:00'",
    ],
)
def test_no_password_is_shown(text: str) -> None:
    assert "hush" not in str(refused(text))


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 2**65)
    | st.floats()
    | st.text(string.printable, max_size=5)
    | st.sampled_from(["sunrise", "06:30", "mon", "auto", "events.db"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS = {field.name: field.type for field in msgspec.structs.fields(Settings)}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a settings file of which most keys are known, with any values."""
    table: dict[str, Any] = {"bundle": "b"}
    for section in draw(st.lists(st.sampled_from(sorted(KEYS)), max_size=4)):
        kind = next(
            (
                one
                for one in (KEYS[section], *getattr(KEYS[section], "__args__", ()))
                if hasattr(one, "__struct_encode_fields__")
            ),
            None,
        )
        if kind is None or draw(st.integers(0, 9)) == 0:
            table[section] = draw(VALUES)
        else:
            keys = st.sampled_from(kind.__struct_encode_fields__) | st.text(max_size=3)
            table[section] = draw(st.dictionaries(keys, VALUES, max_size=4))
    return table


@given(tables())
def test_faults_are_found_if_and_only_if_the_decoder_refuses_the_table(table: dict[str, Any]) -> None:
    faults = list(find_faults(Settings, table))
    for fault in faults:
        assert "\n" not in fault.text()
    try:
        msgspec.convert(table, type=Settings)
    except msgspec.ValidationError:
        assert faults
    else:
        assert not faults


@given(tables())
def test_any_table_gives_settings_or_an_error_of_bounded_length(table: dict[str, Any]) -> None:
    try:
        settings_from(table, "f.toml")
    except ConfigError as error:
        assert all(len(line) < 600 for line in (error.heading, *error.faults))
