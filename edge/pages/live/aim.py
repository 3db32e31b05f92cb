"""Name a part of the picture in an address."""

from dataclasses import dataclass
from urllib.parse import urlencode

from edge.live.request import Focus

MIDDLE, SIZE = 50.0, 25.0
SIZES = (5, 10, 25, 50)
# A step of an arrow, as a share of the part's own size.
_STEP = 0.4


@dataclass(frozen=True, slots=True)
class Aim:
    """A part of the picture: its middle and its size, in percent of the picture's width and height."""

    x: float = MIDDLE
    y: float = MIDDLE
    size: float = SIZE

    @property
    def focus(self) -> Focus:
        """Return it as shares."""
        return Focus(self.x / 100, self.y / 100, self.size / 100)

    @property
    def words(self) -> str:
        """Return it as the words of an address."""
        return urlencode({name: f"{value:g}" for name, value in (("x", self.x), ("y", self.y), ("size", self.size))})

    def moved(self, right: int, down: int) -> "Aim":
        """Return the one that lies a step further, its middle within the picture."""
        step = _STEP * self.size
        x, y = (min(100.0, max(0.0, middle)) for middle in (self.x + right * step, self.y + down * step))
        return Aim(x, y, self.size)
