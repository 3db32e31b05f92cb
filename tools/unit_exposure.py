"""Print how much each unit exposes, as systemd rates it: `python tools/unit_exposure.py`. Fail if one alone comes to
more than 1.5, or with a drop-in to more than is documented for it.

systemd rates what a service could do that it does not need: 0 nothing, 10 everything. A service with a camera, an Edge
TPU and a store comes to 1.3; one without a sandbox to 9.6. What each unit leaves open, and why: docs/security.md.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

UNITS = Path(__file__).resolve().parents[1] / "systemd"
MOST = 1.5
# What may be lent to a unit, and how much it may expose then: the figures of docs/security.md, with systemd 252.
DROP_INS = {
    "fieldfare.service": {("network-camera.conf",): 1.7, ("power-gpio.conf",): 1.3},
    "fieldfare-outputs.service": {
        ("outputs-network.conf",): 1.0,
        ("outputs-gpio.conf",): 0.9,
        ("outputs-led.conf",): 0.6,
        ("outputs-gpio.conf", "outputs-network.conf"): 1.2,
    },
    "fieldfare-pages.service": {("pages-network.conf",): 1.0},
}


@dataclass(frozen=True, slots=True)
class Rated:
    """A unit as rated. lent: its drop-ins. left_open: the directives that it could still set, with what each
    adds."""

    unit: str
    lent: tuple[str, ...]
    exposure: float
    left_open: Mapping[str, float]

    @property
    def name(self) -> str:
        """The unit with what is lent to it."""
        return " + ".join((self.unit, *self.lent))

    @property
    def most(self) -> float:
        """How much it may expose."""
        return DROP_INS[self.unit][self.lent] if self.lent else MOST


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
    costs = {row["name"]: float(row["exposure"] or 0) for row in json.loads(table) if not row["set"]}
    return Rated(unit, tuple(lent), overall, {name: cost for name, cost in costs.items() if cost})


def main() -> int:
    """Print them all; 1 if one exposes too much."""
    too_much = False
    for one in rated():
        bad = one.exposure > one.most
        too_much |= bad
        print(f"{one.exposure:4.1f}  {one.name}{f'  (at most {one.most})' if bad else ''}")
    return int(too_much)


if __name__ == "__main__":
    sys.exit(main())
