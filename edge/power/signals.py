"""Read what a power supply signals: a file, or a pin. And judge it over time, as contacts bounce and files flicker."""

import warnings
from pathlib import Path
from typing import Protocol

from edge.config.running import Power
from edge.errors import ConfigError, MissingPackageError, UnavailableError
from edge.storage import read_bounded

# Of a file in /sys, or one that a supply's own program writes.
_MOST_BYTES = 4096


class Signal(Protocol):
    """Where a supply announces its end."""

    def is_on(self) -> bool:
        """Return whether it does now. Raises UnavailableError if that cannot be found out."""

    def close(self) -> None:
        """Let it go."""


class FileSignal:
    """A file that is there, or that holds a text: blanks around it do not count, nor capitals."""

    def __init__(self, path: Path, value: str | None) -> None:
        """value: None: that the file is there is the signal."""
        self._path, self._value = path, None if value is None else value.strip().casefold()

    def is_on(self) -> bool:
        """See Signal."""
        try:
            data = read_bounded(self._path, _MOST_BYTES)
        except FileNotFoundError:
            if self._value is None:
                return False
            raise UnavailableError(f"power.file {self._path}: no such file") from None
        except OSError as error:
            raise UnavailableError(f"power.file {self._path}: cannot read: {error.strerror or error}") from error
        return self._value is None or data.decode(errors="replace").strip().casefold() == self._value

    def close(self) -> None:
        """See Signal."""


class PinSignal:
    """A pin of the board, through gpiozero."""

    def __init__(self, pin: int | str, *, active_high: bool) -> None:
        """Open it as an input. The resistor of the board pulls it to the level that is no signal, so that a wire that
        came off is none. Raises MissingPackageError or UnavailableError."""
        try:
            from gpiozero import DigitalInputDevice
            from gpiozero.exc import BadPinFactory, GPIOZeroError
        except ImportError as error:
            raise MissingPackageError(
                f"[power] pin needs gpiozero: sudo apt install python3-gpiozero python3-lgpio: {error}"
            ) from error
        try:
            with warnings.catch_warnings():  # of each library for pins that it tried in vain
                warnings.simplefilter("ignore")
                self._pin = DigitalInputDevice(pin, pull_up=not active_high)
        except BadPinFactory as error:
            fix = "sudo apt install python3-lgpio, and install systemd/power-gpio.conf (docs/boot-to-boot.md)"
            raise UnavailableError(f"[power] pin {pin}: no access to the pins: {fix}") from error
        except (GPIOZeroError, OSError, ValueError) as error:
            raise UnavailableError(f"[power] pin {pin}: {error}") from error

    def is_on(self) -> bool:
        """See Signal."""
        return bool(self._pin.is_active)

    def close(self) -> None:
        """See Signal."""
        self._pin.close()


def open_signal(power: Power) -> Signal:
    """Open what the settings name. Raises as PinSignal does, and ConfigError if they name nothing."""
    if power.file is not None:
        return FileSignal(Path(power.file), power.value)
    if power.pin is None:
        raise ConfigError("[power] names neither a file nor a pin")
    return PinSignal(power.pin, active_high=power.active_high)


class Judge:
    """Whether the supply announces its end: once the signal has lasted, and until it has been gone for as long. Pure.

    failing: it does.
    """

    def __init__(self, lasts_s: float) -> None:
        self._lasts_s = lasts_s
        self._other_since_s: float | None = None  # since then the signal is not what `failing` has
        self.failing = False

    def look(self, now_s: float, *, on: bool) -> bool:
        """Take the signal at this moment, monotonic; return `failing`."""
        if on == self.failing:
            self._other_since_s = None
        elif self._other_since_s is None:
            self._other_since_s = now_s
        if self._other_since_s is not None and now_s - self._other_since_s >= self._lasts_s:
            self.failing, self._other_since_s = on, None
        return self.failing
