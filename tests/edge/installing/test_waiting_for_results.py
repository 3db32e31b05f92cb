"""After a start: the first result, or the reason why there is none."""

import time
from pathlib import Path

import msgspec
import pytest
from made_kits import Device

from edge.installing.system.waiting import wait_for_result
from edge.supervision.status import Seen, begin

UNIT = "fieldfare.service"


def told(device: Device, **given: float) -> tuple[str, bool]:
    answer = wait_for_result(device.layout, device.programs, UNIT, device.job.clock, **given)  # type: ignore[arg-type]
    return answer.text, answer.serving


def start(device: Device, **status: object) -> None:
    device.programs.status = status or None
    device.programs.run(["systemctl", "start", UNIT])


@pytest.mark.parametrize(
    ("status", "text", "serving"),
    [
        ({"state": "running", "last": {"label": "fox\x1b[2J", "score": 0.5}}, "first result: fox?[2J 0.50", True),
        ({"state": "asleep", "why": "until 18:00"}, "no result yet, as the camera sleeps: until 18:00", True),
        ({"state": "running", "why": "x", "last": None}, "no result yet, but frames are looked at", True),
        (
            {"state": "recovering", "why": "camera 0 is not there"},
            "no result: recovering: camera 0 is not there",
            False,
        ),
        ({"state": "starting", "why": "starting"}, "nothing within 240 s: active (running): waits for a bundle", False),
        ({"pid": 3, "state": "running", "last": {"label": "old"}}, "nothing within 240 s", False),
    ],
)
def test_what_the_service_reports(device: Device, status: dict[str, object], text: str, serving: bool) -> None:
    device.programs.properties["StatusText"] = "waits for a bundle"
    start(device, **status)
    found, serves = told(device)
    assert found.startswith(text)
    assert serves is serving


def test_a_degraded_service_gives_its_reason_with_the_result(device: Device) -> None:
    start(device, state="degraded", why="the CPU serves", last={"label": "fox", "score": 0.5})
    assert told(device) == ("first result: fox 0.50 (degraded: the CPU serves)", True)


def test_a_service_that_failed_gives_its_last_words_or_systemd_s(device: Device) -> None:
    device.programs.properties = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code"}
    device.programs.properties["ExecMainStatus"] = "203"
    assert told(device) == ("the service ended: failed (failed): result exit-code, status 203", False)
    start(device, state="failed", why="camera.fps: must be 1 or more", pid=77)
    assert told(device) == ("the service ended: camera.fps: must be 1 or more", False)


def test_a_service_that_ends_again_and_again_is_waited_for_a_few_times_only(device: Device) -> None:
    device.programs.properties = {"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code"}
    device.programs.properties |= {"ExecMainStatus": "66", "NRestarts": "3"}
    text = "the service ends and starts again: activating (auto-restart): result exit-code, status 66"
    assert told(device, limit_s=0.0) == (text, False)


def test_results_of_the_run_before_do_not_count(device: Device) -> None:
    start(device, state="running", last={"label": "fox", "score": 0.5})
    text, serving = told(device, not_of="1")
    assert (text.startswith("nothing within"), serving) == (True, False)


def test_at_once_if_nothing_was_started(device: Device) -> None:
    start(device, state="recovering", why="camera 0 is not there")
    assert told(device, limit_s=0.0) == ("no result: recovering: camera 0 is not there", False)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b" " * (2 << 20)])
def test_a_status_that_is_none_is_as_good_as_no_status(device: Device, content: bytes) -> None:
    start(device, state="running")
    (device.root / "run/fieldfare/status.json").write_bytes(content)
    assert not told(device)[1]


def test_the_service_s_own_status_is_understood(device: Device) -> None:
    status = begin()
    status.state, status.pid = "running", 77
    status.last = Seen("robin", 0.75, captured_wall_s=time.time())
    place = Path(device.root / "run/fieldfare")
    place.mkdir()
    (place / "status.json").write_bytes(msgspec.json.encode(status))
    assert told(device) == ("first result: robin 0.75", True)
