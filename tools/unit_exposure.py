"""Print how much each unit exposes, as systemd rates it, and fail above 1.5: `python tools/unit_exposure.py`.

systemd rates what a service could do that it does not need: 0 nothing, 10 everything. A service with a camera, an Edge
TPU and a store comes to 1.3; one without a sandbox to 9.6. What each unit leaves open, and why: docs/security.md.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

UNITS = Path(__file__).resolve().parents[1] / "systemd"
MOST = 1.5
# What may be lent to a unit. A camera on the network costs its service the whole of `PrivateNetwork` and more.
DROP_INS = {
    "fieldfare.service": (("network-camera.conf",), ("power-gpio.conf",)),
    "fieldfare-outputs.service": (
        ("outputs-network.conf",),
        ("outputs-gpio.conf",),
        ("outputs-led.conf",),
        ("outputs-gpio.conf", "outputs-network.conf"),
    ),
    "fieldfare-pages.service": (("pages-network.conf",),),
}


@dataclass(frozen=True, slots=True)
class Rated:
    """A unit as rated. lent: its drop-ins. left_open: the directives that it could still set, by systemd's names."""

    unit: str
    lent: tuple[str, ...]
    exposure: float
    left_open: tuple[str, ...]

    @property
    def name(self) -> str:
        """The unit with what is lent to it."""
        return " + ".join((self.unit, *self.lent))


def rated() -> Iterator[Rated]:
    """Yield every service, alone and with each of its drop-ins."""
    for path in sorted(UNITS.glob("*.service")):
        for lent in ((), *DROP_INS.get(path.name, ())):
            yield rate(path.name, lent)


def rate(unit: str, lent: Sequence[str] = ()) -> Rated:
    """Rate a unit with these drop-ins. Raises CalledProcessError if systemd cannot read it."""
    # systemd reads a drop-in as if it stood at the end of the unit.
    text = "\n".join((UNITS / name).read_text() for name in (unit, *lent))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, unit)
        file.write_text(text)
        analyze = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
        table = subprocess.run([*analyze, "--json=short", file], capture_output=True, text=True, check=True).stdout
        words = subprocess.run([*analyze, file], capture_output=True, text=True, check=True).stdout
    overall = float(words.partition("Overall exposure level for ")[2].partition(": ")[2].split()[0])
    left_open = [row["name"] for row in json.loads(table) if not row["set"] and float(row["exposure"] or 0)]
    return Rated(unit, tuple(lent), overall, tuple(left_open))


def main() -> int:
    """Print them all; 1 if a unit alone exposes too much."""
    too_much = False
    for one in rated():
        bad = not one.lent and one.exposure > MOST
        too_much |= bad
        print(f"{one.exposure:4.1f}  {one.name}{f'  (at most {MOST})' if bad else ''}")
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
