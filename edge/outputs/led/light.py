"""Switch a light of the board through the kernel."""

import re
from pathlib import Path
from typing import Final

from edge.errors import UnavailableError
from edge.storage import read_bounded

LEDS: Final = Path("/sys/class/leds")
_MOST_BYTES = 4096


class BoardLight:
    """A light in /sys/class/leds, taken from what the kernel shows by it, and given back at the end."""

    def __init__(self, name: str, folder: Path = LEDS) -> None:
        """Take it, dark. Raises UnavailableError."""
        self._name, self._place = name, folder / name
        try:
            triggers = read_bounded(self._place / "trigger", _MOST_BYTES).decode(errors="replace")
            self._most = int(read_bounded(self._place / "max_brightness", _MOST_BYTES))
            found = re.search(r"\[([^\]\s]+)\]", triggers)
            self._before = found[1] if found is not None else "none"
            self._write("trigger", "none")
            self.off()
        except (OSError, ValueError) as error:
            raise self._unavailable(folder, error) from error

    def _unavailable(self, folder: Path, error: Exception) -> UnavailableError:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, FileNotFoundError):
            known = ", ".join(sorted(path.name for path in folder.iterdir())[:20]) if folder.is_dir() else ""
            return UnavailableError(f"[led] name = {self._name!r}: no such light: {known or 'this board has none'}")
        fix = "install systemd/outputs-led.conf and systemd/61-fieldfare-led.rules (docs/boot-to-boot.md#a-light)"
        return UnavailableError(f"[led] name = {self._name!r}: {reason}: {fix}")

    def on(self) -> None:
        """Light it. Raises OSError."""
        self._write("brightness", str(self._most))

    def off(self) -> None:
        """Darken it. Raises OSError."""
        self._write("brightness", "0")

    def close(self) -> None:
        """Let the kernel show by it what it did before. Raises OSError."""
        self._write("trigger", self._before)

    def _write(self, file: str, text: str) -> None:
        # Not a new file in its place: these are the kernel's, and take what is written in one call.
        with (self._place / file).open("r+b", buffering=0) as stream:
            stream.write(text.encode())
