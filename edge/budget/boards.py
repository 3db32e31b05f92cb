"""What the boards draw, by named sources: the one table of these figures."""

from dataclasses import dataclass

# All models need a 5.1 V supply (Raspberry Pi's documentation, Power supply).
SUPPLY_V = 5.1
_MAKER = "Raspberry Pi's documentation, Power supply"


@dataclass(frozen=True, slots=True)
class Board:
    """A model.

    idle_w: watts at rest, without camera
    idle_from: source of that
    full_w: watts at work
    full_from: source of that
    """

    title: str
    idle_w: float
    idle_from: str
    full_w: float
    full_from: str


BOARDS = {
    "pi3": Board(
        "Raspberry Pi 3 B",
        0.30 * SUPPLY_V,
        f"{_MAKER}: idle, 0.30 A with monitor and keyboard",
        0.85 * SUPPLY_V,
        f"{_MAKER}: stress, 0.85 A",
    ),
    "pi4": Board(
        "Raspberry Pi 4 B",
        0.60 * SUPPLY_V,
        f"{_MAKER}: idle, 0.60 A with monitor and keyboard",
        1.20 * SUPPLY_V,
        f"{_MAKER}: stress, 1.20 A",
    ),
    "pi5": Board(
        "Raspberry Pi 5",
        3.0,
        "u-labs.de, power of a Pi 5 that was switched off (2024): about 3 W idle",
        0.80 * SUPPLY_V,
        f"{_MAKER}: typical bare board, active, 0.80 A; all cores at work take more",
    ),
    "zero2w": Board(
        "Raspberry Pi Zero 2 W",
        0.12 * 5.0,
        "cnx-software.com, Zero 2 W power consumption (2021-12-09): idle, 120 mA at 5 V",
        0.35 * SUPPLY_V,
        f"{_MAKER}: typical bare board, active, 0.35 A; all cores at work take more",
    ),
}
CAMERA_W = 0.25 * SUPPLY_V
CAMERA_FROM = f"{_MAKER}: the Camera Module requires 250 mA"
CORAL_W = 2.0
CORAL_FROM = "Coral's data sheets: 2 W at full speed; what it takes at rest is not counted apart"
