"""What the doctor makes of a Coral."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doctored import Children, Systemctl, configured, only

from edge.doctor import coral
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.findings import Finding


def usb_coral(plant: Callable[[str, str], Path], vendor: str, product: str, speed: str) -> None:
    for name, text in (
        ("idVendor", vendor),
        ("idProduct", product),
        ("speed", speed),
        ("busnum", "2"),
        ("devnum", "3"),
    ):
        plant(f"sys/bus/usb/devices/2-1/{name}", text)


def test_a_coral_on_usb_3(case: Case, plant: Callable[[str, str], Path]) -> None:
    usb_coral(plant, "18d1", "9302", "5000")
    assert only(coral.device(case)) == Finding("coral", "Coral", "ok", "2-1, 18d1:9302 (firmware loaded), 5000 Mbit/s")


def test_a_coral_on_usb_2_is_slow(case: Case, plant: Callable[[str, str], Path]) -> None:
    usb_coral(plant, "1a6e", "089a", "480")
    finding = only(coral.device(case))
    assert (finding.kind, finding.seen) == ("warning", "2-1, 1a6e:089a (as plugged in), 480 Mbit/s: USB 2")


def test_a_coral_without_its_udev_rule(
    case: Case, plant: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    usb_coral(plant, "1a6e", "089a", "5000")
    plant("dev/bus/usb/002/003", "")
    monkeypatch.setattr(Case, "may_use", lambda *_: False)
    finding = only(coral.device(case))
    assert finding.kind == "problem"
    assert "60-fieldfare-coral.rules" in (finding.mend or "")


def test_a_coral_is_missed_only_where_it_is_asked_for(case: Case) -> None:
    assert only(coral.device(case)).kind == "not here"
    assert only(coral.device(configured(case, engine={"device": "usb"}))).kind == "problem"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome("crashed", why="died of SIGSEGV"), "rebuilt"),
        (Outcome("crashed", why="died of SIGABRT"), "rebuilt"),
        (Outcome("hung", why="no answer within 7 s"), "unplug"),
        (Outcome("refused", why="no Edge TPU (libedgetpu.so.1)"), "libedgetpu"),
    ],
)
def test_a_delegate_that_does_not_load(case: Case, outcome: Outcome, words: str) -> None:
    wanted = configured(replace(case, probe=Children(delegate=outcome)), engine={"device": "edgetpu"})
    finding = only(coral.engine(wanted))
    assert finding.kind == "problem"
    assert outcome.why in finding.seen
    assert words in (finding.mend or "")


@pytest.mark.parametrize(
    ("devices", "users"),
    [
        ({"front": "auto"}, "fieldfare@front"),
        ({"front": "usb:1", "back": "2-1.4"}, "fieldfare@front and fieldfare@back"),
        ({"front": "cpu", "back": "any"}, "fieldfare@back"),
        ({"front": "cpu", "back": "cpu"}, None),
        ({}, None),
    ],
)
def test_an_edge_tpu_that_an_instance_may_use_is_left_alone(
    case: Case, plant: Callable[[str, str], Path], devices: dict[str, str], users: str | None
) -> None:
    for name, device in devices.items():
        plant(f"etc/fieldfare/{name}.toml", f'bundle = "birds"\n[engine]\ndevice = "{device}"\n')
    children = Children(delegate={}, golden={"engine": "edgetpu:usb:0"})
    running = Systemctl(**{f"fieldfare_{name}": Systemctl.RUNNING for name in devices})
    finding = only(coral.engine(configured(replace(case, probe=children, call=running), engine={"device": "usb:0"})))
    if users is None:
        assert finding.kind == "ok"
    else:
        stop = users.replace(" and ", " ")
        seen = f"in use by {users}: sudo systemctl stop {stop}, then try again"
        assert (finding.kind, finding.seen, children.asked) == ("not here", seen, [])


@pytest.mark.parametrize(
    ("outcome", "kind", "mend"),
    [
        ({"engine": "litert 2.3.0, edgetpu:usb:0"}, "ok", None),
        (Outcome("refused", why="the bundle has no model compiled for the Edge TPU"), "problem", "fieldfare compile"),
        (Outcome("refused", why="wrong answer to a golden input"), "problem", "rebuilt"),
    ],
)
def test_golden_inputs_on_the_edge_tpu(case: Case, outcome: Any, kind: str, mend: str | None) -> None:
    children = Children(delegate={}, golden=outcome)
    finding = only(coral.engine(configured(replace(case, probe=children), engine={"device": "usb:0"})))
    assert finding.kind == kind
    assert (mend or "") in (finding.mend or "")
    assert children.asked[-1][1][1]["device"] == "usb:0"
