"""Hold back large messages that may be why connections break. Pure; times are monotonic.

A broker that takes no message above a size may end the connection instead of refusing the message, and one of MQTT
3.1.1 cannot name its limit. Sent again after each connection, such a message would hold up all events for ever.
"""

# As often a connection must break with the message on its way: networks break, too.
_IN_A_ROW = 3
# After that they are tried again: a limit may be raised, and a network may get better.
_FIRST_S, _LONGEST_S = 600.0, 6 * 3600.0


class Doubt:
    """What is known of messages of one kind.

    most: the size in bytes up to which they go on at once, None if all do. pause_s: how long larger ones are held back.
    """

    def __init__(self) -> None:
        self.most: int | None = None
        self.pause_s = _FIRST_S
        self._lost = 0
        self._until_s = float("-inf")

    def allows(self, size: int, now_s: float) -> bool:
        """Return whether a message of this size may be sent."""
        return self.most is None or size <= self.most or now_s >= self._until_s

    def blame(self, size: int, now_s: float, *, certain: bool) -> bool:
        """Note that a connection ended with such a message on its way; certain: the broker named it as the reason.

        Return whether messages of its size are held back from now on.
        """
        self._lost += 1
        is_known = self.most is not None and size > self.most
        if not (certain or is_known or self._lost >= _IN_A_ROW):
            return False
        self.pause_s = min(2 * self.pause_s, _LONGEST_S) if self.most is not None else _FIRST_S
        self.most = size // 2 if self.most is None else min(size // 2, self.most)
        self._until_s = now_s + self.pause_s
        self._lost = 0
        return True

    def trust(self, size: int) -> bool:
        """Note that one was acknowledged; return whether that is the end of a doubt."""
        self._lost = 0
        if self.most is None or size <= self.most:
            return False
        self.most = None
        return True
