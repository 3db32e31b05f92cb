"""What the doctor makes of a Coral."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from doctored import Children, Systemctl, configured, only
from software_tpu import SoftwareTpu

from edge.doctor import coral, probe
from edge.doctor.case import Case
from edge.doctor.children import Outcome
from edge.doctor.findings import Finding
from edge.errors import ModelError


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
        (Outcome("refused", why=f"{probe.RUNTIME} 14, libedgetpu.so.1 has 12"), "problem", "--min_runtime_version"),
    ],
)
def test_golden_inputs_on_the_edge_tpu(case: Case, outcome: Any, kind: str, mend: str | None) -> None:
    children = Children(delegate={}, golden=outcome)
    finding = only(coral.engine(configured(replace(case, probe=children), engine={"device": "usb:0"})))
    assert finding.kind == kind
    assert (mend or "") in (finding.mend or "")
    assert children.asked[-1][1][1]["device"] == "usb:0"


@pytest.mark.parametrize(
    ("outcome", "device", "kind", "words"),
    [
        (
            {"min_runtime": 12, "on_chip": 566_912, "streamed": 0, "teachable": False},
            "auto",
            "ok",
            "the CPU model's twin, for the Edge TPU runtime 12 or newer; 0.54 MiB of parameters on the chip, 0.00 MiB",
        ),
        (
            {"min_runtime": 12, "on_chip": 566_912, "streamed": 0, "teachable": True},
            "auto",
            "ok",
            "0.00 MiB streamed; the last layer runs on the CPU, so that the bundle can be taught",
        ),
        (None, "auto", "not here", "the bundle has none"),
        (Outcome("refused", why="compiled from another model"), "auto", "problem", "compiled from another model"),
        (Outcome("refused", why="compiled from another model"), "cpu", "warning", "compiled from another model"),
        (Outcome("crashed", why="SIGSEGV"), "usb", "problem", "birds crashed: SIGSEGV"),
    ],
)
def test_the_compiled_model_of_a_bundle_is_read(case: Case, outcome: Any, device: str, kind: str, words: str) -> None:
    children = Children(compiled=outcome)
    finding = only(coral.compiled(configured(replace(case, probe=children), engine={"device": device})))
    assert (finding.kind, words in finding.seen) == (kind, True)
    assert children.asked == [("compiled", ["birds"])]
    assert ("fieldfare compile" in (finding.mend or "")) == (kind in ("problem", "warning"))


def test_a_real_bundle_s_compiled_model_is_read_and_compared(software_tpu: SoftwareTpu) -> None:
    assert probe.compiled(str(software_tpu.bundle)) == {
        "min_runtime": 12,
        "on_chip": 566_912,
        "streamed": 0,
        "teachable": False,
    }


def test_a_libedgetpu_older_than_the_compiled_model_is_named(
    software_tpu: SoftwareTpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.inference.edgetpu.runtime_version", lambda library: 11)
    with pytest.raises(ModelError, match=f"{probe.RUNTIME} 12, .*libsoftware_edgetpu.so has 11"):
        probe.golden(str(software_tpu.bundle), {"device": "usb", "edgetpu_library": str(software_tpu.library)})


def test_without_a_bundle_there_is_no_compiled_model_to_read(case: Case) -> None:
    assert only(coral.compiled(case)).kind == "not here"
