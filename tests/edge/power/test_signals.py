"""What a power supply signals, by a file or a pin, and how long it must last."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.running import Power
from edge.errors import MissingPackageError, UnavailableError
from edge.power.signals import FileSignal, Judge, PinSignal, open_signal


class TestFile:
    def test_one_that_comes_is_the_signal(self, tmp_path: Path) -> None:
        signal = open_signal(Power(file=str(tmp_path / "low")))
        assert not signal.is_on()
        (tmp_path / "low").touch()
        assert signal.is_on()

    @pytest.mark.parametrize(("text", "on"), [("Discharging\n", True), ("discharging", True), ("Charging\n", False)])
    def test_or_one_that_holds_a_text(self, tmp_path: Path, text: str, on: bool) -> None:
        (tmp_path / "status").write_text(text)
        assert FileSignal(tmp_path / "status", "Discharging").is_on() is on

    def test_one_that_must_hold_a_text_and_is_not_there_is_a_fault(self, tmp_path: Path) -> None:
        """A mistyped name must not pass for a supply that is well."""
        with pytest.raises(UnavailableError, match="no such file"):
            FileSignal(tmp_path / "statsu", "Discharging").is_on()

    def test_a_folder_is_a_fault(self, tmp_path: Path) -> None:
        with pytest.raises(UnavailableError, match="cannot read"):
            FileSignal(tmp_path, None).is_on()


class FakePin:
    """gpiozero's DigitalInputDevice."""

    made: ClassVar["list[FakePin]"] = []

    def __init__(self, pin: object, *, pull_up: bool) -> None:
        if pin == 99:
            raise ValueError("no such pin")
        self.pin, self.pull_up, self.is_active, self.closed = pin, pull_up, False, False
        self.made.append(self)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def gpiozero(monkeypatch: pytest.MonkeyPatch) -> type[FakePin]:
    package, errors = ModuleType("gpiozero"), SimpleNamespace(BadPinFactory=KeyError, GPIOZeroError=RuntimeError)
    package.DigitalInputDevice = FakePin  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpiozero", package)
    monkeypatch.setitem(sys.modules, "gpiozero.exc", errors)
    return FakePin


class TestPin:
    @pytest.mark.parametrize("active_high", [True, False])
    def test_its_resistor_pulls_it_to_where_it_is_no_signal(self, gpiozero: type[FakePin], active_high: bool) -> None:
        signal = open_signal(Power(pin=17, active_high=active_high))
        assert gpiozero.made[-1].pull_up is not active_high
        gpiozero.made[-1].is_active = True
        assert signal.is_on()
        signal.close()
        assert gpiozero.made[-1].closed

    def test_one_that_there_is_not_is_a_fault(self, gpiozero: type[FakePin]) -> None:
        with pytest.raises(UnavailableError, match="pin 99"):
            PinSignal(99, active_high=True)

    def test_without_its_library_there_is_a_fix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "gpiozero", None)
        with pytest.raises(MissingPackageError, match="apt install"):
            PinSignal(17, active_high=True)


class TestJudge:
    def test_the_signal_must_last_and_then_be_gone_as_long(self) -> None:
        judge = Judge(2.0)
        seen = [judge.look(second, on=second in range(3, 9)) for second in range(14)]
        assert seen == [False] * 5 + [True] * 6 + [False] * 3

    def test_one_that_bounces_is_none(self) -> None:
        judge = Judge(2.0)
        assert not any(judge.look(step / 2, on=bool(step % 3)) for step in range(60))

    def test_without_a_time_it_counts_at_once(self) -> None:
        assert Judge(0.0).look(5.0, on=True)

    @given(st.lists(st.booleans(), max_size=60), st.integers(1, 10))
    def test_it_never_changes_before_the_time(self, signals: list[bool], lasts_s: int) -> None:
        judge, before = Judge(lasts_s), False
        for second, on in enumerate(signals):
            now = judge.look(second, on=on)
            if now != before:
                assert signals[second - lasts_s : second + 1] == [now] * (lasts_s + 1)
            before = now
