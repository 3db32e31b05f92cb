"""Settings that cannot work together, or on this system, are faults as well."""

import pytest

from edge.config.loading import parse_settings
from edge.errors import ConfigError

STORE = '[events]\nstore = "e.db"\n'
SUN = '[[schedule.awake]]\nfrom = "sunset-0:30"\nto = "06:00"\n'
PLACE = "[device]\nlatitude = 50\nlongitude = 8\n"
OUTPUTS = {
    "mqtt": 'host = "broker"',
    "metrics": "port = 9100",
    "event_lines": 'file = "e.jsonl"',
    "hook": 'command = ["true"]',
    "gpio": "pin = 17",
}


def faults(text: str) -> tuple[str, ...]:
    try:
        parse_settings(f'bundle = "b"\n{text}'.encode(), "f.toml")
    except ConfigError as error:
        return error.faults or (error.heading,)
    return ()


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_needs_events_to_be_kept(name: str) -> None:
    section = f"[{name}]\n{OUTPUTS[name]}\n"
    assert faults(STORE + section) == ()
    (fault,) = faults(section)
    assert fault.startswith(f"f.toml: [{name}] needs events to be kept: add events.store = FILE, such as ")


def test_each_output_is_named() -> None:
    found = faults("".join(f"[{name}]\n{keys}\n" for name, keys in OUTPUTS.items()))
    assert [fault.partition(" needs")[0] for fault in found] == [f"[{name}]" for name in OUTPUTS]


@pytest.mark.parametrize("text", ["[pictures]\nbest = true", "[harvest]\nmax_mb = 0", "[events]\ngap_s = 3"])
def test_what_does_nothing_without_a_store_is_no_fault(text: str) -> None:
    assert faults(text) == ()


def test_a_harvest_needs_events_to_be_kept() -> None:
    assert faults(f"{STORE}[harvest]\nmax_mb = 5") == ()
    (fault,) = faults("[harvest]\nmax_mb = 5")
    assert fault.startswith("f.toml: harvest.max_mb = 5: must be 0 without events.store = FILE")


def test_a_score_log_needs_events_to_be_kept() -> None:
    assert faults(f'{STORE}scores = "s.log"') == ()
    (fault,) = faults('[events]\nscores = "s.log"')
    assert fault.startswith("f.toml: events.scores needs events to be kept: add events.store = FILE")


def test_a_harvest_out_of_range_is_one_fault() -> None:
    assert len(faults("[harvest]\nmax_mb = 99999999999")) == 1


def test_the_sun_needs_a_place() -> None:
    assert faults(PLACE + SUN) == ()
    (fault,) = faults(SUN)
    assert fault == (
        "f.toml: schedule.awake, number 1, from = 'sunset-0:30': needs device.latitude and device.longitude, "
        "or a time as HH:MM"
    )


def test_a_place_needs_no_schedule() -> None:
    assert faults(PLACE) == ()


def test_half_a_place_is_one_fault() -> None:
    assert len(faults(f"[device]\nlatitude = 50\n{SUN}")) == 1


@pytest.mark.parametrize("name", ["Europe/Berlin", "UTC", "America/Argentina/Ushuaia"])
def test_a_time_zone(name: str) -> None:
    assert faults(f'[schedule]\ntimezone = "{name}"') == ()


@pytest.mark.parametrize("name", ["Europe", "../../etc/passwd", "/etc/passwd", "zzz", "x" * 5000, "\\u00e9", "Europe/"])
def test_what_is_no_time_zone(name: str) -> None:
    (fault,) = faults(f'[schedule]\ntimezone = "{name}"')
    assert fault.startswith("f.toml: schedule.timezone = '")
    assert ": must be a time zone such as Europe/Berlin: " in fault


def test_the_nearest_time_zone_is_named() -> None:
    assert faults('[schedule]\ntimezone = "Europe/Belrin"')[0].endswith("did you mean 'Europe/Berlin'?")


def test_they_are_found_beside_other_faults() -> None:
    found = faults(f'[events]\nstor = "e"\n[mqtt]\nport = 0\n[schedule]\ntimezone = "zzz"\n{SUN}')
    assert len(found) == 6


def test_a_detector_needs_its_file() -> None:
    with pytest.raises(ConfigError, match=r'^f.toml: locate.model: must be given with method = "model": a .tflite'):
        parse_settings(b'bundle = "b"\n[locate]\nmethod = "model"\n', "f.toml")
