"""A light that shows how the service is: what it shows, how it is switched, and that it follows the status."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import wait_until

from edge.errors import UnavailableError
from edge.outputs.led.light import BoardLight
from edge.outputs.led.output import LedOutput
from edge.outputs.led.patterns import PATTERNS, Mode, light_at, mode_of
from edge.outputs.service_status import ServiceEvents, ServiceStatus, boot_id
from edge.supervision.status import EventStatus, State, StatusFile, begin

FULL = ServiceEvents(waiting=3, fault="database or disk is full")


def status(state: str, events: ServiceEvents | None = None, age_s: float = 0.0, boot: str = "b") -> ServiceStatus:
    return ServiceStatus(state=state, why="", updated_mono_s=100.0 - age_s, boot_id=boot, events=events)


@pytest.mark.parametrize(
    ("seen", "mode"),
    [
        (status("running"), "running"),
        (status("running", ServiceEvents()), "running"),
        (status("degraded"), "degraded"),
        (status("degraded", FULL), "full"),
        (status("asleep"), "asleep"),
        (status("asleep", FULL), "full"),
        (status("starting"), "recovering"),
        (status("recovering", FULL), "recovering"),
        (status("failed"), "down"),
        (status("stopped"), "down"),
        (status("of a later version"), "down"),
        (status("running", age_s=20.0), "down"),
        (status("running", boot="another"), "down"),
        (None, "down"),
    ],
)
def test_each_state_is_one_mode(seen: ServiceStatus | None, mode: Mode) -> None:
    assert mode_of(seen, "b", 100.0) == mode


def flashes(mode: Mode, seconds: float) -> int:
    """How often it goes on in so many seconds."""
    lit = [light_at(mode, step / 100)[0] for step in range(int(seconds * 100))]
    return sum(now and not before for before, now in zip([False, *lit], lit, strict=False))


def test_modes_are_told_apart_by_the_number_of_flashes() -> None:
    assert {mode: flashes(mode, 5.0) for mode in PATTERNS} == {
        "running": 1,
        "degraded": 2,
        "full": 3,
        "recovering": 5,
        "asleep": 1,
        "down": 1,
    }
    assert flashes("asleep", 30.0) == 1
    assert all(light_at("down", second)[0] for second in range(100))


@given(st.sampled_from(sorted(PATTERNS)), st.floats(0, 1e6))
def test_it_stays_as_it_is_until_the_next_change(mode: Mode, elapsed_s: float) -> None:
    lit, change_s = light_at(mode, elapsed_s)
    assert change_s > 0
    if change_s != float("inf") and change_s > 0.01:
        assert light_at(mode, elapsed_s + change_s * 0.9)[0] == lit


@pytest.fixture
def leds(tmp_path: Path) -> Path:
    """What the kernel shows of a light."""
    folder = tmp_path / "leds" / "ACT"
    folder.mkdir(parents=True)
    (folder / "trigger").write_text("none [mmc0] heartbeat")
    (folder / "max_brightness").write_text("255\n")
    (folder / "brightness").write_text("7")
    return folder.parent


class TestBoardLight:
    def test_it_is_taken_switched_and_given_back(self, leds: Path) -> None:
        light = BoardLight("ACT", leds)
        assert (leds / "ACT/trigger").read_text().startswith("none")
        assert (leds / "ACT/brightness").read_text() == "0"
        light.on()
        assert (leds / "ACT/brightness").read_text() == "255"
        light.close()
        assert (leds / "ACT/trigger").read_text().startswith("mmc0")

    def test_one_that_is_not_there_is_named_with_those_that_are(self, leds: Path) -> None:
        with pytest.raises(UnavailableError, match="'PWR': no such light: ACT"):
            BoardLight("PWR", leds)
        with pytest.raises(UnavailableError, match="this board has none"):
            BoardLight("PWR", leds / "nowhere")

    def test_one_that_makes_no_sense_is_a_fault(self, leds: Path) -> None:
        (leds / "ACT/max_brightness").write_text("bright")
        with pytest.raises(UnavailableError, match=r"outputs-led\.conf"):
            BoardLight("ACT", leds)


class FakeLight:
    """A light that the test looks at; it fails while `broken`."""

    def __init__(self) -> None:
        self.lit, self.switched, self.closed, self.broken = False, 0, 0, False

    def on(self) -> None:
        self._switch(True)

    def off(self) -> None:
        self._switch(False)

    def close(self) -> None:
        self.closed += 1

    def _switch(self, lit: bool) -> None:
        if self.broken:
            raise OSError(5, "Input/output error")
        self.switched, self.lit = self.switched + 1, lit


class Shown:
    """An output in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.light, self.missing = folder, FakeLight(), False
        self.output = LedOutput(self._take, folder / "status.json", boot_id())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.output.run, args=(self._stop,))

    def _take(self) -> FakeLight:
        if self.missing:
            raise UnavailableError("no such light")
        return self.light

    def start(self) -> None:
        self._thread.start()

    def write(self, state: State, events: EventStatus | None = None) -> None:
        StatusFile(self.folder / "status.json").write(msgspec.structs.replace(begin(), state=state, events=events))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    monkeypatch.setattr("edge.outputs.led.output._LOOK_S", 0.02)
    monkeypatch.setattr("edge.outputs.led.output._AGAIN_S", 0.05)
    one = Shown(tmp_path)
    yield one
    one.close()


class TestOutput:
    def test_it_follows_the_service(self, shown: Shown) -> None:
        shown.start()
        assert wait_until(lambda: shown.light.lit)  # down: all the time
        time.sleep(0.3)
        assert shown.light.switched == 1
        shown.write("recovering")
        assert wait_until(lambda: shown.light.switched > 3)
        shown.write("asleep")
        assert wait_until(lambda: not shown.light.lit)
        shown.close()
        assert (shown.light.lit, shown.light.closed) == (False, 1)

    def test_one_that_is_not_there_is_a_fault_until_it_is(self, shown: Shown) -> None:
        shown.missing = True
        shown.start()
        assert wait_until(lambda: shown.output.state.fault == "no such light")
        shown.missing = False
        assert wait_until(lambda: shown.output.state.fault is None and shown.light.lit)

    def test_one_that_fails_is_taken_anew(self, shown: Shown) -> None:
        shown.light.broken = True
        shown.start()
        assert wait_until(lambda: "Input/output error" in (shown.output.state.fault or ""))
        shown.light.broken = False
        assert wait_until(lambda: shown.output.state.fault is None and shown.light.lit)
