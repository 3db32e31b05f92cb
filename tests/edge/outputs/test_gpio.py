"""A pin after each event, on gpiozero's own stand-in for a board, which refuses what a board would."""

import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fake_store import BOOT, stored

from edge.config.sending import Gpio
from edge.errors import MissingPackageError, UnavailableError
from edge.outputs.feed import Gap
from edge.outputs.gpio import GpioTaker, open_pin

gpiozero = pytest.importorskip("gpiozero", reason="gpiozero is not installed")
NEVER = threading.Event()


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from gpiozero.pins.mock import MockFactory

    factory = MockFactory()
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.reset()


def taker_of(gpio: Gpio) -> GpioTaker:
    return GpioTaker(gpio, open_pin(gpio), boot=BOOT, durable_within_s=15)


def fresh(label: str = "fox", *, age_s: float = 1.0, boot: str = BOOT) -> Any:
    return stored(1, label, boot=boot, end_mono_s=time.monotonic() - age_s)


@pytest.mark.parametrize("active_high", [True, False])
def test_it_is_on_for_a_while_and_then_off(board: Any, active_high: bool) -> None:
    taker = taker_of(Gpio(pin=17, seconds=0.05, active_high=active_high))
    pin = board.pin(17)
    assert pin.state is (not active_high)
    taker.take(fresh(), NEVER)
    assert pin.state is active_high
    wait_s = taker.next_s()
    assert wait_s is not None
    assert wait_s <= 0.05
    time.sleep(wait_s)
    taker.tick()
    assert pin.state is (not active_high)
    assert taker.next_s() is None


def test_another_event_makes_it_longer(board: Any) -> None:
    taker = taker_of(Gpio(pin=17, seconds=100))
    taker.take(fresh(), NEVER)
    first_s = taker.next_s()
    time.sleep(0.02)
    taker.take(fresh(), NEVER)
    second_s = taker.next_s()
    assert first_s is not None
    assert second_s is not None
    assert second_s > first_s - 0.02


def test_only_fresh_events_of_this_boot_and_of_its_labels(board: Any) -> None:
    taker = taker_of(Gpio(pin=17, labels=("fox",)))
    for what in (fresh("hare"), fresh(age_s=31), fresh(boot="another"), Gap(1, 2, 2)):
        taker.take(what, NEVER)
        assert board.pin(17).state is False


def test_at_the_end_it_is_off(board: Any) -> None:
    taker = taker_of(Gpio(pin="BOARD11", seconds=100))
    taker.take(fresh(), NEVER)
    taker.close()
    assert board.pin(17).state is False


@pytest.mark.parametrize("pin", [99, "BOARD1", "no such pin"])
def test_a_pin_that_is_none_is_one_line(board: Any, pin: int | str) -> None:
    with pytest.raises(UnavailableError, match=r"^\[gpio\] pin = "):
        open_pin(Gpio(pin=pin))


@pytest.mark.filterwarnings("error")
def test_a_board_without_pins_is_one_line_that_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    with pytest.raises(MissingPackageError, match=r"^\[gpio\] pin = 17: no pins: .*sudo apt install python3-lgpio"):
        open_pin(Gpio(pin=17))
    assert capfd.readouterr() == ("", "")


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero", None)
    with pytest.raises(MissingPackageError, match="apt install python3-gpiozero"):
        open_pin(Gpio(pin=17))
