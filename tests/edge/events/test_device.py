"""The device's name: from the settings, or from host and instance, and always fit for topics and file names."""

import re
import socket
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.config.keeping import Device
from edge.events.device import device_name

STATE = Path("/var/lib/fieldfare")


@pytest.fixture
def hostname(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "pi.garden")


@pytest.mark.usefixtures("hostname")
@pytest.mark.parametrize(
    ("state", "name"),
    [(None, "pi.garden"), (STATE, "pi.garden"), (STATE / "front", "pi.garden-front"), (STATE / "a b", "pi.garden-a-b")],
)
def test_it_is_the_host_s_with_that_of_the_instance(state: Path | None, name: str) -> None:
    assert device_name(Device(), state) == name


@pytest.mark.usefixtures("hostname")
def test_a_name_in_the_settings_is_taken_as_it_is() -> None:
    assert device_name(Device(name="owl-box"), STATE / "front") == "owl-box"


def test_two_instances_of_a_host_with_a_long_name_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "h" * 64)
    assert device_name(Device(), STATE / "front") != device_name(Device(), STATE / "back")


@given(host=st.text(max_size=80), instance=st.text(min_size=1, max_size=80).filter(lambda text: "/" not in text))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_it_always_fits(monkeypatch: pytest.MonkeyPatch, host: str, instance: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    for state in (None, STATE / instance):
        name = device_name(Device(), state)
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name)
        assert msgspec.convert({"name": name}, Device).name == name
