"""Wait longer after each failed connection, and not as long as others do."""

import random

_FIRST_S, _LONGEST_S = 1.0, 60.0
# A connection that lasted for so long was a good one. Two devices that throw each other out must not count as good.
_GOOD_S = 30.0


class Pauses:
    """Pauses between connections: from 1 s to 60 s, doubling, and between half and all of that at random, so that a
    hundred devices do not come back at once."""

    def __init__(self, draw: random.Random | None = None) -> None:
        self._draw = draw or random.Random()
        self._next_s = _FIRST_S

    def after(self, lasted_s: float) -> float:
        """Return how long to wait after a connection that lasted so long; 0 for one that was never made."""
        if lasted_s >= _GOOD_S:
            self._next_s = _FIRST_S
        pause_s = self._next_s * self._draw.uniform(0.5, 1.0)
        self._next_s = min(2 * self._next_s, _LONGEST_S)
        return pause_s
