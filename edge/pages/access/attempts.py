"""Limit attempts to guess the password: each wrong one from a place makes the next wait longer."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

FREE = 5
_FIRST_S, _LONGEST_S = 1.0, 300.0
# From all places together, whose owner may have a network of addresses: so many at once, then one each few seconds.
_FREE_OF_ALL, _EACH_S = 100, 6.0
_PLACES = 1000


class Attempts:
    """Wrong passwords, by the place they came from and of all places. Thread-safe.

    clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._level, self._level_s = 0.0, clock()

    def wait_s(self, address: str) -> float:
        """Return how long this place must wait before its next attempt; 0 if it need not."""
        with self._lock:
            now = self._clock()
            wrong, last_s = self._wrong.get(place_of(address), (0, now))
            own_s = last_s + min(_LONGEST_S, _FIRST_S * 2.0 ** min(wrong - FREE, 20)) - now if wrong >= FREE else 0.0
            return max(0.0, own_s, (self._level_at(now) - _FREE_OF_ALL) * _EACH_S)

    def failed(self, address: str) -> None:
        """Count a wrong password."""
        with self._lock:
            place, now = place_of(address), self._clock()
            wrong, _ = self._wrong.pop(place, (0, 0.0))
            self._wrong[place] = (wrong + 1, now)
            if len(self._wrong) > _PLACES:
                self._wrong.popitem(last=False)
            self._level, self._level_s = self._level_at(now) + 1, now

    def succeeded(self, address: str) -> None:
        """Forget what was wrong before, from this place."""
        with self._lock:
            self._wrong.pop(place_of(address), None)

    def _level_at(self, now: float) -> float:
        return max(0.0, self._level - (now - self._level_s) / _EACH_S)


def place_of(address: str) -> str:
    """Return what counts as one place: an IPv4 address, or the /64 of an IPv6 one, which one subscriber has whole."""
    try:
        parsed = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
